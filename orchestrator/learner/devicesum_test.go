package learner

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/nccl"
	"t2sda/internal/nccl/nccltest"
	"t2sda/internal/nvidia"
	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// joiner lets ranks meet by a library.
func joiner(t *testing.T, l *nccl.Library, size int, device func(rank int) func() (nccl.Stream, error)) func(rank int) (*nccl.Comm, error) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	id, err := l.Unique()
	if err != nil {
		t.Fatal(err)
	}
	return func(rank int) (*nccl.Comm, error) { return l.Join(device(rank), id, rank, size) }
}

// onHostStream is the device of a library that stands in for NCCL.
func onHostStream(int) func() (nccl.Stream, error) {
	return func() (nccl.Stream, error) { return nccltest.NewStream() }
}

// standIn is a library that stands in for NCCL.
func standIn(t *testing.T, flags ...string) *nccl.Library {
	t.Helper()
	l, err := nccl.Open(nccltest.Build(t, flags...))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// onCPUs opens engines, each with a thread.
func onCPUs(t *testing.T, n int) []*engine.Engine {
	t.Helper()
	engines := make([]*engine.Engine, n)
	for i := range engines {
		engines[i] = enginetest.Open(t, engine.Options{Device: "cpu", IntraOpThreads: 1})
	}
	return engines
}

// arenasOf makes arenas of an engine.
func arenasOf(e *engine.Engine) newArena {
	return func(n int) (engine.Arena, error) { return e.NewDeviceArena(n) }
}

// sameSums holds the sums of n values that come by a wire, so many of each rank at a time,
// against those that pass through the host: they have the same bits.
func sameSums(g *ranks.Group, w ranks.Wire, e *engine.Engine, arena newArena, n, part int) (err error) {
	x, err := newDeviceSum(e, g, w, part*g.Size(), arena)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if x.part != part {
		return fmt.Errorf("parts of %d values, want %d", x.part, part)
	}
	a, err := arena(n + 3)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	want := make([]float32, n+3)
	for i := range want {
		want[i] = float32(i+1) / float32(3+g.Rank())
	}
	if err := errors.Join(a.Write(want, 0), x.add(a, n), g.Add(want[:n])); err != nil {
		return err
	}
	have := make([]float32, len(want))
	if err := a.Read(have, 0); err != nil || !slices.Equal(have, want) {
		return fmt.Errorf("rank %d has %v, want %v (%w)", g.Rank(), have[:min(len(have), 20)], want[:min(len(want), 20)], err)
	}
	return nil
}

// leaving counts the values that a rank sends to other nodes.
type leaving struct {
	ranks.Wire
	nodes []string
	rank  int
	count int
}

func (w *leaving) Swap(send, receive []ranks.Part) error {
	for _, p := range send {
		if w.nodes[p.Rank] != w.nodes[w.rank] {
			w.count += p.Len
		}
	}
	return w.Wire.Swap(send, receive)
}

// TestExchange: ranks' sums have the bits of those that pass through the host, also where the
// last ranks have nothing to add up and where there are several blocks. Of n values 2·(N−1)/N·n
// leave each of N nodes, and L times as many where ranks add up at once.
func TestExchange(t *testing.T) {
	library := standIn(t)
	nodes := rankstest.Nodes
	for _, k := range []struct {
		nodes   []string
		n, part int
		device  bool // memory is the engine's, else guarded
		times   int  // 2·(N−1)·n, so many values leave all nodes together
	}{
		{nodes(1, 1), 5, 64, false, 1},
		{nodes(2, 2), 1, 64, true, 1},
		{nodes(3, 3), 1000, 448, false, 1},
		{nodes(3, 1), 1000, 64, true, 1},
		{nodes(4, 2), 130, 64, false, 1},
		{nodes(4, 2), 1000, 64, true, 1},
		{nodes(8, 4), 3000, 64, false, 1},
		{nodes(8, 2), 1, 64, true, 1},
		{nodes(6, 2), 700, 64, false, 1},
		{nodes(6, 3), 700, 64, false, 3},
		{[]string{"a", "b", "a", "b"}, 700, 64, false, 2},
	} {
		size := len(k.nodes)
		engines, left := onCPUs(t, size), make([]int, size)
		join := joiner(t, library, size, onHostStream)
		errs := rankstest.RunOn(k.nodes, func(g *ranks.Group) (err error) {
			comm, err := join(g.Rank())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, comm.Close()) }()
			e, arena := engines[g.Rank()], newArena(guarded)
			if k.device {
				arena = arenasOf(e)
			}
			w := &leaving{comm, k.nodes, g.Rank(), 0}
			err = sameSums(g, w, e, arena, k.n, k.part)
			left[g.Rank()] = w.count
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Errorf("%+v: %v", k, err)
		}
		have := 0
		for _, count := range left {
			have += count
		}
		distinct := slices.Compact(slices.Sorted(slices.Values(k.nodes)))
		if want := 2 * (len(distinct) - 1) * k.n * k.times; have != want {
			t.Errorf("%+v: %d values leave nodes, want %d", k, have, want)
		}
	}
}

// TestWire: ranks whose gradients go from device to device come to the bits of those whose
// gradients pass through the host, and of one process; and gradients do not cross.
func TestWire(t *testing.T) {
	library := standIn(t)
	method, iterations := configs.Method(configs.SourceOnly), 2
	if os.Getenv(longEnv) != "" {
		method, iterations = configs.T2S, 50
	}
	for _, k := range []struct {
		size, micros int
		arena        newArena // nil: the device's
	}{{2, 4, nil}, {3, 3, guarded}, {4, 8, guarded}} {
		c := small()
		c.Method, c.Train.Accumulate, c.Train.Batch, c.Runtime.State = method, k.micros, 1, "device"
		engines := onCPUs(t, k.size)
		wired := trainBy(t, c, engines, iterations, k.arena, joiner(t, library, k.size, onHostStream))
		hosted := trainBy(t, c, engines, iterations, k.arena, nil)
		if apart := distance(hosted, wired); apart != 0 {
			t.Errorf("%d ranks are %g from what passes through the host", k.size, apart)
		}
		if apart := distance(trainBy(t, c, engines[:1], iterations, k.arena, nil), wired); apart != 0 {
			t.Errorf("%d ranks are %g from one process", k.size, apart)
		}
		if k.arena != nil {
			continue // which counts nothing
		}
		crossesLess(t, c, hosted, wired)
	}
}

// crossesLess: of a wire, gradients are all that is not taken from the device.
func crossesLess(t *testing.T, c configs.Config, hosted, wired trained) {
	t.Helper()
	l := openIn(t, c, nil, nil)
	if crossed := hosted.steps[1].FromDevice - wired.steps[1].FromDevice; crossed != int64(4*l.state.size) {
		t.Errorf("%d bytes cross less, want %d", crossed, 4*l.state.size)
	}
}

// TestWireIsCut: an error of the wire is one of a rank alone, which ends the job, and nothing
// has moved.
func TestWireIsCut(t *testing.T) {
	library := standIn(t, "-DHANGS", "-DFAILS=6")
	c := small()
	c.Method, c.Train.Accumulate = configs.SourceOnly, 2
	join := joiner(t, library, 2, onHostStream)
	engines := onCPUs(t, 2)
	errs := rankstest.Run(2, func(g *ranks.Group) (err error) {
		var ended error
		g.EndBy(func(err error) { ended = err })
		comm, err := join(g.Rank())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, comm.Close()) }()
		l, err := New(engines[g.Rank()], Options{Config: c, Space: shapesSpace(), Ranks: g, Wire: comm, Arena: guarded})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		before := tensors(t, l.Parts()[0])
		if _, err = l.Iterate(t.Context(), 0, feed(l, 0)); g.Ended() || ended == nil || err != ended {
			t.Errorf("the job was ended with %v, the iteration with %v", ended, err)
		}
		for i, x := range tensors(t, l.Parts()[0]) {
			if !slices.Equal(x.Data, before[i].Data) {
				t.Errorf("%s has moved", x.Name)
			}
		}
		return err
	})
	for rank, err := range errs {
		if alone := new(ranks.AloneError); !errors.As(err, &alone) || !strings.Contains(err.Error(), "gradients: ncclCommGetAsyncError") || !strings.Contains(err.Error(), "network error") {
			t.Errorf("rank %d has %v", rank, err)
		}
	}
}

// TestGPUs, on two GPUs by NVIDIA's library, T2SDA_TEST_DEVICE=cuda: sums have the bits of
// those that pass through the host; of what is trained, every GPU comes to the same bits, near
// those of gradients that pass through the host, and gradients do not cross.
func TestGPUs(t *testing.T) {
	if !enginetest.OnDevice() {
		t.Skip("needs two GPUs, and " + enginetest.DeviceEnv + "=cuda")
	}
	driver, err := nvidia.Look()
	if err != nil || len(driver.GPUs) < 2 {
		t.Skipf("needs two GPUs: %+v, %v", driver, err)
	}
	library, err := nccl.Find()
	if err != nil {
		t.Fatal(err)
	}
	engines := make([]*engine.Engine, 2)
	for i := range engines {
		engines[i] = enginetest.Open(t, engine.Options{Device: fmt.Sprint("cuda:", i)})
	}
	join := joiner(t, library, len(engines), nccl.OnGPU)
	errs := rankstest.Run(len(engines), func(g *ranks.Group) (err error) {
		comm, err := join(g.Rank())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, comm.Close()) }()
		e := engines[g.Rank()]
		for _, k := range []struct{ n, part int }{{1, 64}, {100_000, 1 << 20}, {3_000_000, 1 << 20}} {
			if err := sameSums(g, comm, e, arenasOf(e), k.n, k.part); err != nil {
				return fmt.Errorf("%+v: %w", k, err)
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	c := small()
	c.Train.Accumulate, c.Runtime.State = 4, "device"
	wired := trainBy(t, c, engines, 3, nil, joiner(t, library, len(engines), nccl.OnGPU))
	hosted := trainBy(t, c, engines, 3, nil, nil)
	t.Logf("%v: %g from what passes through the host", library, distance(hosted, wired))
	crossesLess(t, c, hosted, wired)
	for i, s := range hosted.steps {
		for name, want := range s.Losses {
			if have := wired.steps[i].Losses[name]; have < want*0.95-0.01 || have > want*1.05+0.01 {
				t.Errorf("iteration %d: %s is %g, through the host %g", i, name, have, want)
			}
		}
	}
}
