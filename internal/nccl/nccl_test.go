package nccl

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"t2sda/internal/ctest"
	"t2sda/internal/mpi"
	"t2sda/internal/mpi/mpitest"
	"t2sda/internal/nccl/nccltest"
	"t2sda/internal/nvidia"
	"t2sda/internal/ranks"
)

// fakeEnv makes the test program a rank of a job, which uses the library at that path; what
// diesEnv says, rank 1 does while the others wait for what it should send: it ends, or tells
// why it must.
const (
	fakeEnv = "T2SDA_TEST_NCCL"
	diesEnv = "T2SDA_TEST_DIES"
	silent  = "silently"
	told    = "told"
)

func TestMain(m *testing.M) {
	library := os.Getenv(fakeEnv)
	if library == "" {
		os.Exit(m.Run())
	}
	if err := beRank(library); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// beRank swaps with the other ranks of a launcher's, which have the id by MPI.
func beRank(library string) error {
	w, err := mpi.Start(os.Getenv)
	if err != nil || w == nil {
		return fmt.Errorf("no world: %w", err)
	}
	g, err := ranks.New(w, "here")
	if err != nil {
		return err
	}
	l, err := Open(library)
	if err != nil {
		return err
	}
	var id ID
	if g.Leads() {
		if id, err = l.Unique(); err != nil {
			return err
		}
	}
	all, err := ranks.Texts(g, id[:])
	if err != nil {
		return err
	}
	c, err := l.Join(onHost, ID(all[0]), g.Rank(), g.Size())
	if err != nil {
		return err
	}
	g.EndBy(func(err error) {
		fmt.Fprintln(os.Stderr, err)
		w.Abort(9)
	})
	if how := os.Getenv(diesEnv); how != "" && g.Rank() == 1 {
		time.Sleep(200 * time.Millisecond) // the others wait by now
		if how == silent {
			os.Exit(7)
		}
		return g.Alone(errors.New("rank 1 has no memory left"))
	}
	if err := swapAll(c, g.Rank(), g.Size(), 100_000); err != nil {
		return err
	}
	fmt.Printf("rank %d has swapped\n", g.Rank())
	return errors.Join(g.Agree(nil), c.Close(), w.Close())
}

func onHost() (Stream, error) { return nccltest.NewStream() }

// open opens the library that stands in for NCCL; what its ranks meet by is the test's.
func open(t *testing.T, flags ...string) *Library {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	l, err := Open(nccltest.Build(t, flags...))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func unique(t *testing.T, l *Library) ID {
	t.Helper()
	id, err := l.Unique()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// swapAll gives n+r values, two parts of them, to each rank r, itself included, and looks at
// what comes.
func swapAll(c *Comm, rank, size, n int) error {
	out, in := make([][]float32, size), make([][]float32, size)
	var send, receive []ranks.Part
	parts := func(r int, x []float32) []ranks.Part {
		at, first := uintptr(unsafe.Pointer(&x[0])), len(x)/3
		return []ranks.Part{{Rank: r, Address: at, Len: first}, {Rank: r}, {Rank: r, Address: at + uintptr(4*first), Len: len(x) - first}}
	}
	value := func(from, to, i int) float32 { return float32(1000*from + 100*to + i%97) }
	for r := range size {
		out[r], in[r] = make([]float32, n+r), make([]float32, n+rank)
		for i := range out[r] {
			out[r][i] = value(rank, r, i)
		}
		send, receive = append(send, parts(r, out[r])...), append(receive, parts(r, in[r])...)
	}
	err := c.Swap(send, receive)
	runtime.KeepAlive(out) // parts are but addresses
	if err != nil {
		return err
	}
	for r, x := range in {
		for i, v := range x {
			if v != value(r, rank, i) {
				return fmt.Errorf("rank %d has %g of rank %d at %d, want %g", rank, v, r, i, value(r, rank, i))
			}
		}
	}
	return nil
}

// TestSwap: threads as ranks, time after time, more than fits into what they send through.
func TestSwap(t *testing.T) {
	l := open(t)
	if l.Version() != "2.27.3" {
		t.Errorf("version %s", l.Version())
	}
	for size := 1; size <= 4; size++ {
		id, errs := unique(t, l), make([]error, size)
		var wait sync.WaitGroup
		for rank := range size {
			wait.Go(func() {
				c, err := l.Join(onHost, id, rank, size)
				if err != nil {
					errs[rank] = err
					return
				}
				for _, n := range []int{1, 3, 50_000, 2} {
					errs[rank] = errors.Join(errs[rank], swapAll(c, rank, size, n))
				}
				errs[rank] = errors.Join(errs[rank], c.Swap(nil, nil), c.Close())
			})
		}
		wait.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Errorf("%d ranks: %v", size, err)
		}
	}
}

// TestProcesses: ranks of a launcher, which have the id by MPI.
func TestProcesses(t *testing.T) {
	cmd := mpitest.Command(t, 3, os.Args[0])
	cmd.Env = append(cmd.Env, fakeEnv+"="+nccltest.Build(t), "TMPDIR="+t.TempDir())
	text, err := cmd.CombinedOutput()
	for rank := range 3 {
		if err != nil || !strings.Contains(string(text), fmt.Sprintf("rank %d has swapped", rank)) {
			t.Fatalf("%v\n%s", err, text)
		}
	}
}

// TestRankDies: the job of a rank that ends without a word does not wait for it, nor that of
// one which is alone with an error, of which people hear. It is the launcher that ends the
// others, before their patience does.
func TestRankDies(t *testing.T) {
	library := nccltest.Build(t)
	for how, want := range map[string]string{silent: "", told: "rank 1 has no memory left"} {
		cmd := mpitest.Command(t, 2, os.Args[0])
		cmd.Env = append(cmd.Env, fakeEnv+"="+library, diesEnv+"="+how, "TMPDIR="+t.TempDir())
		begin := time.Now()
		text, err := cmd.CombinedOutput()
		if err == nil || time.Since(begin) > 20*time.Second || strings.Contains(string(text), "has swapped") || !strings.Contains(string(text), want) {
			t.Errorf("%s: after %v: %v\n%s", how, time.Since(begin), err, text)
		}
	}
}

func TestBadLibrary(t *testing.T) {
	other := ctest.Library(t, "libother.so", "int ncclGetVersion;")
	for _, k := range []struct{ file, want string }{
		{"libnccl-none.so.2", "cannot be loaded: libnccl-none.so.2: "},
		{other, "libother.so: it has no function ncclGetUniqueId"},
	} {
		t.Setenv(LibraryEnv, k.file)
		if _, err := Find(); err == nil || !strings.Contains(err.Error(), k.want) || !strings.Contains(err.Error(), LibraryEnv) {
			t.Errorf("%s: %v", k.file, err)
		}
	}
}

// TestNoGPU: why a GPU cannot be used is told by what fails first.
func TestNoGPU(t *testing.T) {
	old := open(t, "-DINIT=1")
	for _, k := range []struct {
		device func() (Stream, error)
		want   []string
	}{
		{onHost, []string{"ncclCommInitRank of NCCL 2.27.3 (", "unhandled cuda error (its last warning: Cuda failure", "nvidia-nccl-cu12 for 12"}},
		{func() (Stream, error) { return nil, nvidia.ErrNoDriver }, []string{nvidia.ErrNoDriver.Error()}},
	} {
		err := old.Try(t.Context(), k.device)
		for _, want := range k.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
	if err := open(t).Try(t.Context(), onHost); err != nil {
		t.Error(err)
	}
	if err := open(t, "-DINIT=7").Try(t.Context(), onHost); err == nil || !strings.Contains(err.Error(), "unset NCCL_COMM_BLOCKING") {
		t.Errorf("NCCL that does not block: %v", err)
	}
}

// TestMend: what NCCL has warned of before is not what a later call fails of.
func TestMend(t *testing.T) {
	const last = "Cuda failure 'CUDA driver version is insufficient for CUDA runtime version'"
	for _, k := range []struct {
		call   string
		result int
		want   string
	}{
		{"ncclCommInitRank", cudaFailed, "there is no NVIDIA driver"},
		{"ncclGroupEnd", cudaFailed, "NCCL_DEBUG=WARN"},
		{"ncclCommInitRank", 3, "NCCL_DEBUG=WARN"},
		{"ncclSend", remoteFailed, "another rank has ended"},
	} {
		if have := mend(k.call, k.result, last); !strings.Contains(have, k.want) {
			t.Errorf("%s, %d: %q, want %q", k.call, k.result, have, k.want)
		}
	}
}

func TestVersion(t *testing.T) {
	for n, want := range map[int]string{23203: "2.32.3", 20900: "2.9.0", 2804: "2.8.4"} {
		if got := open(t, fmt.Sprint("-DVERSION=", n)).Version(); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

// TestGenuine tries NVIDIA's library, where it is installed: it loads, tells its version and
// makes ids without a GPU, and says why it does no more.
func TestGenuine(t *testing.T) {
	l, err := Find()
	if err != nil {
		t.Skip(err)
	}
	if id := unique(t, l); id == (ID{}) || unique(t, l) == id {
		t.Error("ids are not unique")
	}
	if _, err := nvidia.Look(); err == nil {
		if err := l.Try(t.Context(), OnGPU(0)); err != nil {
			t.Error(err)
		}
		return
	}
	if err := l.Try(t.Context(), OnGPU(0)); !errors.Is(err, nvidia.ErrNoDriver) {
		t.Errorf("without a driver: %v", err)
	}
	if err := l.Try(t.Context(), onHost); err == nil || !strings.Contains(err.Error(), "there is no NVIDIA driver") {
		t.Errorf("without a driver, and without asking: %v", err)
	}
	t.Log(l)
}
