package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// open returns an engine, or skips the test when there is no library.
func open(t testing.TB, o Options) *Engine {
	t.Helper()
	needLibrary(t)
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, e.Close()) })
	return e
}

func needLibrary(t testing.TB) string {
	t.Helper()
	file, err := Discover("")
	var lib *LibraryError
	if errors.As(err, &lib) && lib.File == "" {
		t.Skipf("needs the library: %v", err)
	}
	must(t, err)
	return file
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError fails unless err holds all of the parts.
func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q lacks %q", err, p)
		}
	}
}

func tensor[T Element](t testing.TB, data []T, dims ...int) *Tensor {
	t.Helper()
	x, err := NewTensor(data, dims...)
	must(t, err)
	return x
}

// runAdd runs y = a + b on a fresh session and returns y.
func runAdd(t testing.TB, e *Engine, a, b []float32) []float32 {
	t.Helper()
	s, err := e.NewSession("add", oneNode("Add", []int{len(a)}, "a", "b"))
	must(t, err)
	out, err := s.Run(t.Context(), map[string]*Tensor{"a": tensor(t, a, len(a)), "b": tensor(t, b, len(b))})
	must(t, err)
	return out["y"].Floats()
}

func TestOpenCloseOpenAgain(t *testing.T) {
	for range 3 {
		e := open(t, Options{IntraOpThreads: 2})
		info := e.Info()
		if info.Version != Version || info.Device != "cpu" || info.Providers[0] != "cpu" || !filepath.IsAbs(info.File) {
			t.Fatalf("info %+v", info)
		}
		if got := runAdd(t, e, []float32{1, 2}, []float32{10, 20}); got[0] != 11 || got[1] != 22 {
			t.Fatalf("got %v", got)
		}
		must(t, e.Close())
		must(t, e.Close())
	}
}

func TestTwoEnginesShareTheLibrary(t *testing.T) {
	a, b := open(t, Options{IntraOpThreads: 1}), open(t, Options{IntraOpThreads: 2, AllowSpinning: true})
	x, y := []float32{0.1, 0.2, 0.3}, []float32{3, 2, 1}
	first, second := runAdd(t, a, x, y), runAdd(t, b, x, y)
	must(t, a.Close())
	third := runAdd(t, b, x, y)
	for i := range first {
		if first[i] != second[i] || first[i] != third[i] {
			t.Fatalf("engines differ: %v %v %v", first, second, third)
		}
	}
	other := filepath.Join(t.TempDir(), "libonnxruntime.so.1")
	data, err := os.ReadFile(b.Info().File)
	must(t, err)
	must(t, os.WriteFile(other, data, 0o644))
	_, err = Open(Options{Library: other})
	wantError(t, err, "already runs the ONNX Runtime library", other)
	must(t, b.Close())
	c, err := Open(Options{Library: other})
	must(t, err)
	if got := c.Info().File; got != other {
		t.Errorf("file %s", got)
	}
	must(t, c.Close())
}

func TestUseAfterClose(t *testing.T) {
	e := open(t, Options{})
	s := accumulate(2).session(t, e, "acc")
	m := func() *Tensor { return tensor(t, make([]float32, 4), 2, 2) }
	in := map[string]*Tensor{"g_in": m(), "a": m(), "b": m()}
	out := map[string]*Tensor{"g_out": m()}
	b, err := s.Bind(in, out)
	must(t, err)
	closed, err := s.Bind(in, out)
	must(t, err)
	must(t, closed.Close())
	must(t, closed.Close())
	wantError(t, closed.Run(t.Context()), "session acc", "the binding is closed")
	must(t, b.Run(t.Context()))

	must(t, e.Close()) // closes s and b in turn
	wantError(t, b.Run(t.Context()), "session acc", "closed")
	must(t, b.Close())
	must(t, s.Close())
	_, err = s.Bind(in, out)
	wantError(t, err, "the session is closed")
	_, err = s.Run(t.Context(), in)
	wantError(t, err, "the session is closed")
	_, err = e.NewSession("late", accumulate(2).bytes())
	wantError(t, err, "session late", "the engine is closed")
	if info := e.Info(); info.Version != Version || info.Providers != nil {
		t.Errorf("info of a closed engine: %+v", info)
	}
}

// untilClosed does the same again and again until that is an error, which is to say that something is
// closed. started is told of the first time.
func untilClosed(t *testing.T, started chan<- struct{}, do func() error) {
	t.Helper()
	for i := 0; ; i++ {
		if err := do(); err != nil {
			if !strings.Contains(err.Error(), "closed") {
				t.Error(err)
			}
			return
		}
		if i == 0 {
			started <- struct{}{}
		}
	}
}

func TestCloseWaitsForRuns(t *testing.T) {
	e := open(t, Options{IntraOpThreads: 1})
	s := accumulate(256).session(t, e, "acc")
	var group sync.WaitGroup
	started := make(chan struct{}, 4)
	for range cap(started) {
		data := make([]float32, 4*256*256)
		m := func(i int) *Tensor { return tensor(t, data[i<<16:(i+1)<<16], 256, 256) }
		b, err := s.Bind(map[string]*Tensor{"g_in": m(0), "a": m(1), "b": m(2)}, map[string]*Tensor{"g_out": m(3)})
		must(t, err)
		group.Go(func() { untilClosed(t, started, func() error { return b.Run(t.Context()) }) })
	}
	for range cap(started) {
		<-started
	}
	must(t, e.Close())
	group.Wait()
}

// TestCloseWaitsForBindings: the library is not unloaded while bindings let go of their tensors, whoever
// closes them and however often the session is closed.
func TestCloseWaitsForBindings(t *testing.T) {
	for range 20 {
		e := open(t, Options{IntraOpThreads: 1})
		s := accumulate(2).session(t, e, "acc")
		var group sync.WaitGroup
		started := make(chan struct{}, 8)
		for k := range cap(started) {
			m := func() *Tensor { return tensor(t, make([]float32, 4), 2, 2) }
			in := map[string]*Tensor{"g_in": m(), "a": m(), "b": m()}
			do := func() error {
				_, err := s.Run(t.Context(), in)
				return err
			}
			if k%2 == 1 {
				do = func() error {
					b, err := s.Bind(in, map[string]*Tensor{"g_out": m()})
					if err != nil {
						return err
					}
					return errors.Join(b.Run(t.Context()), b.Close())
				}
			}
			group.Go(func() { untilClosed(t, started, do) })
		}
		for range cap(started) {
			<-started
		}
		group.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		must(t, e.Close())
		group.Wait()
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{Device: "gpu"}, `device "gpu": cpu, cuda, cuda:<number> or auto`},
		{Options{Device: "cuda:x"}, `device "cuda:x"`},
		{Options{Device: "cuda:-1"}, `device "cuda:-1"`},
		{Options{IntraOpThreads: -1}, "threads: -1 is negative"},
		{Options{OptimizationLevel: "most"}, `optimisation level "most": none, basic`},
		{Options{CUDA: CUDAOptions{ConvAlgoSearch: "fast"}}, `search "fast": EXHAUSTIVE`},
		{Options{CUDA: CUDAOptions{ArenaExtendStrategy: "big"}}, `strategy "big": kNextPowerOfTwo`},
		{Options{CUDA: CUDAOptions{MemoryLimit: -5}}, "memory limit -5 is negative"},
	} {
		_, err := Open(c.options)
		wantError(t, err, c.want)
	}
}

func TestCUDASettings(t *testing.T) {
	got := CUDAOptions{TF32: true, ConvAlgoSearch: "HEURISTIC", ArenaExtendStrategy: "kSameAsRequested", MemoryLimit: 1 << 30}.settings(2)
	want := map[string]string{
		"device_id": "2", "use_tf32": "1", "cudnn_conv_algo_search": "HEURISTIC",
		"arena_extend_strategy": "kSameAsRequested", "gpu_mem_limit": "1073741824",
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, not %q", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("settings %v", got)
	}
	if off := (CUDAOptions{}).settings(0); off["use_tf32"] != "0" || len(off) != 2 {
		t.Errorf("defaults %v", off)
	}
}

func TestCUDAIsMissed(t *testing.T) {
	file := needLibrary(t)
	if _, err := os.Stat(filepath.Join(filepath.Dir(file), "libonnxruntime_providers_cuda.so")); err == nil {
		t.Skip("needs a library without the CUDA provider")
	}
	_, err := Open(Options{Library: file, Device: "cuda:1"})
	wantError(t, err, file, "has no CUDA provider, which device cuda:1 needs", "`t2sda runtime install --cuda`", "device cpu")
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a sentence: %q", err)
	}
	e := open(t, Options{Library: file, Device: "auto", Ordinal: 2})
	if d := e.Info().Device; d != "cpu" {
		t.Errorf("auto chose %s", d)
	}
	for device, want := range map[string]string{"cuda": "device cuda:2", "cuda:1": "device cuda:1"} {
		_, err := Open(Options{Library: file, Device: device, Ordinal: 2})
		wantError(t, err, want)
	}
}

func TestCUDAProviderThatCannotBeLoaded(t *testing.T) {
	onlyLinux(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "libonnxruntime.so.1")
	must(t, os.Symlink(needLibrary(t), file))
	must(t, os.WriteFile(filepath.Join(dir, "libonnxruntime_providers_cuda.so"), []byte("junk"), 0o644))
	_, err := Open(Options{Library: file, Device: "cuda"})
	wantError(t, err, "cannot use device cuda:0 (", "or choose device cpu")
}

func TestGEMMRate(t *testing.T) {
	e := open(t, Options{})
	rate, err := e.GEMMRate(t.Context(), 64, 1)
	must(t, err)
	if rate <= 0 {
		t.Errorf("rate %g", rate)
	}
	_, err = e.GEMMRate(t.Context(), 0, 1)
	wantError(t, err, "size 0")
}
