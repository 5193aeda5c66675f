package engine

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

func TestTensorsAreChecked(t *testing.T) {
	_, err := NewTensor(make([]float32, 5), 2, 3)
	wantError(t, err, "tensor [2 3] has 6 elements, its slice has 5")
	_, err = NewTensor([]int64{1}, -1)
	wantError(t, err, "dimension 0 is negative")
	_, err = NewTensor([]int64{1}, 1<<40, 1<<40)
	wantError(t, err, "overflows")
	x := tensor(t, []int32{1, 2}, 2)
	_, err = Data[float32](x)
	wantError(t, err, "holds int32, not float32")
	if v, err := Data[int32](x); err != nil || v[1] != 2 {
		t.Errorf("%v, %v", v, err)
	}
	x.Shape()[0] = 7
	if x.Shape()[0] != 2 {
		t.Error("Shape gives away the tensor's own dimensions")
	}
}

func TestBindIsChecked(t *testing.T) {
	e := open(t, Options{})
	s := accumulate(2).session(t, e, "acc")
	good := func() *Tensor { return tensor(t, make([]float32, 4), 2, 2) }
	for _, c := range []struct {
		change func(in, out map[string]*Tensor)
		want   string
	}{
		{func(in, _ map[string]*Tensor) { delete(in, "a"); delete(in, "b") }, `input "a", "b" missing`},
		{func(_, out map[string]*Tensor) { delete(out, "g_out") }, `output "g_out" missing`},
		{func(in, _ map[string]*Tensor) { in["c"] = good() }, `there is no input "c" (inputs: "g_in", "a", "b")`},
		{func(_, out map[string]*Tensor) { out["dw"] = good() }, `there is no output "dw"`},
		{func(in, _ map[string]*Tensor) { in["a"] = nil }, `input "a" is a nil tensor`},
		{func(in, _ map[string]*Tensor) { in["a"] = tensor(t, make([]int64, 4), 2, 2) }, `input "a" is float32, the tensor given is int64`},
		{func(in, _ map[string]*Tensor) { in["b"] = tensor(t, make([]float32, 6), 2, 3) }, `input "b" has shape [2,2], the tensor given [2,3]`},
		{func(_, out map[string]*Tensor) { out["g_out"] = tensor(t, make([]float32, 4), 4) }, `output "g_out" has shape [2,2], the tensor given [4]`},
	} {
		in := map[string]*Tensor{"g_in": good(), "a": good(), "b": good()}
		out := map[string]*Tensor{"g_out": good()}
		c.change(in, out)
		_, err := s.Bind(in, out)
		wantError(t, err, "session acc: "+c.want)
	}
}

func TestOverlapIsRefused(t *testing.T) {
	e := open(t, Options{})
	s := newModel().node("a", "Relu", "x", "y").node("b", "Relu", "x", "z").
		in("x", Float32, 4).out("y", Float32, 4).out("z", Float32, 4).session(t, e, "two")
	data := make([]float32, 16)
	at := func(i int) *Tensor { return tensor(t, data[i:i+4], 4) }
	for _, c := range []struct {
		x, y, z int
		want    string
	}{
		{0, 4, 8, ""},
		{0, 0, 4, ""}, // in place
		{8, 4, 8, ""},
		{0, 2, 8, `output "y" overlaps the memory of input "x"`},
		{2, 0, 8, `output "y" overlaps the memory of input "x"`},
		{0, 4, 4, "overlaps the memory of output"},
		{0, 4, 6, `output "y" overlaps the memory of output "z"`},
	} {
		b, err := s.Bind(map[string]*Tensor{"x": at(c.x)}, map[string]*Tensor{"y": at(c.y), "z": at(c.z)})
		if c.want != "" {
			wantError(t, err, c.want)
			continue
		}
		must(t, err)
		must(t, b.Close())
	}
}

// TestAccumulateInPlace adds a product to a gradient view again and again, at
// every level of optimisation, since fusions decide which node writes.
func TestAccumulateInPlace(t *testing.T) {
	const n, runs = 17, 5
	e := open(t, Options{})
	for _, level := range []OptimizationLevel{OptimizeNone, OptimizeBasic, OptimizeExtended, OptimizeAll} {
		arena, err := NewArena(3 + n*n)
		must(t, err)
		defer arena.Close()
		grad, err := arena.View(3, n, n)
		must(t, err)
		a, b := make([]float32, n*n), make([]float32, n*n)
		for i := range a {
			a[i], b[i] = float32(i%7-3), float32(i%5-2) // small integers: sums are exact
			grad.Floats()[i] = float32(i)
		}
		s, err := e.NewSessionWith("acc", accumulate(n).bytes(), SessionOptions{OptimizationLevel: level})
		must(t, err)
		bound, err := s.Bind(map[string]*Tensor{"g_in": grad, "a": tensor(t, a, n, n), "b": tensor(t, b, n, n)}, map[string]*Tensor{"g_out": grad})
		must(t, err)
		for range runs {
			must(t, bound.Run(t.Context()))
		}
		for i := range n {
			for j := range n {
				want := float32(i*n + j)
				for k := range n {
					want += runs * a[i*n+k] * b[k*n+j]
				}
				if got := grad.Floats()[i*n+j]; got != want {
					t.Fatalf("%s: gradient [%d,%d] is %g, not %g", level, i, j, got, want)
				}
			}
		}
		if f := arena.Host(); f[0] != 0 || f[2] != 0 {
			t.Errorf("the run wrote before the view: %v", f[:3])
		}
	}
}

func TestScalars(t *testing.T) {
	e := open(t, Options{})
	s := newModel().node("sum", "Add", "x n", "x_out").node("b", "Greater", "x n", "more").
		in("x", Float32).in("n", Float32).out("x_out", Float32).out("more", Bool).session(t, e, "scalars")
	x, n, more := []float32{1}, []float32{2}, []bool{true}
	state := tensor(t, x)
	b, err := s.Bind(map[string]*Tensor{"x": state, "n": tensor(t, n)}, map[string]*Tensor{"x_out": state, "more": tensor(t, more)})
	must(t, err)
	must(t, b.Run(t.Context()))
	n[0] = 10 // seen by the next run
	must(t, b.Run(t.Context()))
	if x[0] != 13 || more[0] {
		t.Errorf("x %g, more %v; want 13, false", x[0], more[0])
	}
	out, err := s.Run(t.Context(), map[string]*Tensor{"x": tensor(t, []float32{5}), "n": tensor(t, []float32{4})})
	must(t, err)
	if flag, err := Data[bool](out["more"]); err != nil || !flag[0] || out["x_out"].Floats()[0] != 9 {
		t.Errorf("%v %v %v", flag, err, out["x_out"].Floats())
	}
}

func TestModelWithoutInputs(t *testing.T) {
	e := open(t, Options{})
	s := newModel().constant("c", 3, 4).node("id", "Add", "c c", "y").out("y", Int64, 2).session(t, e, "constant")
	out, err := s.Run(t.Context(), nil)
	must(t, err)
	if v, err := Data[int64](out["y"]); err != nil || v[0] != 6 || v[1] != 8 {
		t.Errorf("%v, %v", v, err)
	}
}

// TestBindingKeepsTensorsAlive drops every reference but the binding's, and makes
// the collector reuse what it can get.
func TestBindingKeepsTensorsAlive(t *testing.T) {
	e := open(t, Options{})
	const n = 64
	s := accumulate(n).session(t, e, "acc")
	freed := make(chan struct{}, 4)
	bind := func() (*Binding, []float32) {
		out := make([]float32, n*n)
		m := func(v float32) *Tensor {
			data := make([]float32, n*n)
			for i := range data {
				data[i] = v
			}
			x := tensor(t, data, n, n)
			runtime.AddCleanup(&data[0], func(struct{}) { freed <- struct{}{} }, struct{}{})
			return x
		}
		b, err := s.Bind(map[string]*Tensor{"g_in": m(1), "a": m(2), "b": m(3)}, map[string]*Tensor{"g_out": tensor(t, out, n, n)})
		must(t, err)
		return b, out
	}
	b, out := bind()
	for range 20 {
		runtime.GC()
		for range 8 {
			junk := make([]float32, n*n)
			for i := range junk {
				junk[i] = -1e30
			}
		}
		clear(out)
		must(t, b.Run(t.Context()))
		for i, v := range out {
			if v != 1+n*6 {
				t.Fatalf("element %d is %g, not %d", i, v, 1+n*6)
			}
		}
	}
	if len(freed) > 0 {
		t.Fatal("bound memory was collected")
	}
	must(t, b.Close())
	b = nil
	for deadline := time.Now().Add(20 * time.Second); len(freed) < 3; {
		if time.Now().After(deadline) {
			t.Fatalf("a closed binding still holds %d of 3 tensors", 3-len(freed))
		}
		runtime.GC()
		runtime.Gosched()
	}
}

func TestArena(t *testing.T) {
	_, err := NewArena(0)
	wantError(t, err, "arena of 0 values")
	a, err := NewArena(10)
	must(t, err)
	for _, c := range []struct {
		offset, n int
		ok        bool
	}{{0, 10, true}, {10, 0, true}, {4, 7, false}, {-1, 2, false}, {11, 0, false}} {
		if _, err := a.View(c.offset, c.n); (err == nil) != c.ok {
			t.Errorf("view of %d at %d: %v", c.n, c.offset, err)
		}
	}
	e := open(t, Options{})
	s, err := e.NewSession("relu", oneNode("Relu", []int{4}, "x"))
	must(t, err)
	x, err := a.View(0, 4)
	must(t, err)
	y := tensor(t, make([]float32, 4), 4)
	copy(x.Floats(), []float32{-1, 2, -3, 4})
	b, err := s.Bind(map[string]*Tensor{"x": x}, map[string]*Tensor{"y": y})
	must(t, err)
	must(t, a.Close()) // the binding keeps the memory mapped
	must(t, a.Close())
	must(t, b.Run(t.Context()))
	if got := y.Floats(); got[0] != 0 || got[3] != 4 {
		t.Errorf("y %v", got)
	}
	if _, err := Data[float32](x); !errors.Is(err, errArenaClosed) {
		t.Errorf("data of a closed arena's view: %v", err)
	}
	if a.Host() != nil {
		t.Error("a closed arena gives away its memory")
	}
	_, err = a.View(0, 1)
	wantError(t, err, "the arena is closed")
	must(t, b.Close())
	_, err = s.Bind(map[string]*Tensor{"x": x}, map[string]*Tensor{"y": y})
	wantError(t, err, "session relu: the arena is closed")
}

func TestCancelledRuns(t *testing.T) {
	e := open(t, Options{IntraOpThreads: 1})
	const n, nodes = 512, 100
	m := newModel().in("x0", Float32, n, n)
	names := []string{"x0"}
	for i := range nodes {
		names = append(names, "x"+string(rune('A'+i/26))+string(rune('a'+i%26)))
		m.node(names[i+1], "MatMul", names[i]+" x0", names[i+1])
	}
	s := m.out(names[nodes], Float32, n, n).session(t, e, "long")
	in := map[string]*Tensor{"x0": tensor(t, make([]float32, n*n), n, n)}
	b, err := s.Bind(in, map[string]*Tensor{names[nodes]: tensor(t, make([]float32, n*n), n, n)})
	must(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("before the run: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("during the run: %v", err)
	}
	must(t, b.Run(t.Context())) // the binding is none the worse
}

// TestGuardedArena: sessions, Read and Write get at the memory, nothing else does.
func TestGuardedArena(t *testing.T) {
	a, err := NewGuardedArena(6)
	must(t, err)
	must(t, a.Write([]float32{-1, 2, -3, 4}, 1))
	e := open(t, Options{})
	s, err := e.NewSession("relu", oneNode("Relu", []int{4}, "x"))
	must(t, err)
	x, err := a.View(1, 4)
	must(t, err)
	y := tensor(t, make([]float32, 4), 4)
	b, err := s.Bind(map[string]*Tensor{"x": x}, map[string]*Tensor{"y": y})
	must(t, err)
	must(t, b.Run(t.Context()))
	if got := y.Floats(); got[1] != 2 || got[2] != 0 || got[3] != 4 {
		t.Errorf("y %v", got)
	}
	have := make([]float32, 6)
	must(t, a.Read(have, 0))
	if want := []float32{0, -1, 2, -3, 4, 0}; !slices.Equal(have, want) {
		t.Errorf("read %v, want %v", have, want)
	}
	if a.Host() != nil {
		t.Error("the host gets the memory")
	}
	_, err = Data[float32](x)
	wantError(t, err, "not the host's")
	for _, err := range []error{a.Read(have, 1), a.Write(have, -1)} {
		wantError(t, err, "outside of the arena of 6 values")
	}
	fault := func() (caught any) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() { caught = recover() }()
		return a.floats[0]
	}()
	if _, ok := fault.(runtime.Error); !ok {
		t.Errorf("touching the memory gave %v", fault)
	}
	must(t, errors.Join(b.Close(), s.Close(), a.Close()))
	wantError(t, a.Read(have, 0), "the arena is closed")
}
