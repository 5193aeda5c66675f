package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

func deviceArena(t *testing.T, e *engine.Engine, n int) *engine.DeviceArena {
	t.Helper()
	a, err := e.NewDeviceArena(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// TestDeviceArena: zeroed, copied in parts of any place and size, never the host's.
func TestDeviceArena(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	const n = 1<<22 + 5 // more than one copy
	a := deviceArena(t, e, n)
	have := make([]float32, n)
	have[3] = 1
	if err := a.Read(have, 0); err != nil || slices.Max(have) != 0 || slices.Min(have) != 0 {
		t.Errorf("a new arena holds %g to %g, %v", slices.Min(have), slices.Max(have), err)
	}
	want := make([]float32, n)
	for i := range want {
		want[i] = float32(i)
	}
	if err := errors.Join(a.Write(want, 0), a.Write([]float32{-1, -2}, n-2), a.Write([]float32{-3}, 7), a.Write(nil, n)); err != nil {
		t.Fatal(err)
	}
	copy(want[n-2:], []float32{-1, -2})
	want[7] = -3
	if err := a.Read(have, 0); err != nil || !slices.Equal(have, want) {
		t.Errorf("it does not hold what was written (%v)", err)
	}
	if a.Len() != n || a.Host() != nil {
		t.Errorf("%d values, %d of them the host's", a.Len(), len(a.Host()))
	}
	view, err := a.View(2, 3)
	if err != nil || view.Len() != 3 || view.DType() != engine.Float32 {
		t.Fatalf("%v, %v", view, err)
	}
	if _, err := engine.Data[float32](view); err == nil || !strings.Contains(err.Error(), "not the host's") {
		t.Errorf("data of a view: %v", err)
	}
	for what, err := range map[string]error{
		"outside": a.Read(have[:2], n-1), "before": a.Write(have[:1], -1),
		"no size": second(e.NewDeviceArena(0)), "view": second(a.View(n, 1)),
	} {
		if err == nil || !strings.Contains(err.Error(), "values") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// scaled builds y = x·s with x [n] and the scalar s.
func scaled(t *testing.T, e *engine.Engine, n int) *engine.Session {
	t.Helper()
	g, err := graphs.Build("scaled", func(g *graphs.Graph) {
		g.Output("y", g.Mul(g.Input("x", graphs.Float32, n), g.Input("s", graphs.Float32)))
	})
	if err != nil {
		t.Fatal(err)
	}
	return enginetest.Session(t, e, g)
}

// TestDeviceArenaRuns: views are inputs and outputs of runs, beside host tensors and in
// place, scalars of either side; what crosses is counted.
func TestDeviceArenaRuns(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	s := scaled(t, e, 3)
	a := deviceArena(t, e, 8)
	if err := a.Write([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 0); err != nil {
		t.Fatal(err)
	}
	view := func(offset int, dims ...int) *engine.Tensor {
		v, err := a.View(offset, dims...)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	host := make([]float32, 3)
	two := []float32{2}
	for _, k := range []struct {
		x, s, y *engine.Tensor
		arena   []float32
		in, out int64
	}{
		{view(0, 3), enginetest.Tensor(t, two), enginetest.Tensor(t, host, 3), []float32{1, 2, 3, 4, 5, 6, 7, 8}, 4, 12},
		{view(0, 3), view(3), view(4, 3), []float32{1, 2, 3, 4, 4, 8, 12, 8}, 0, 0},
		{view(5, 3), enginetest.Tensor(t, two), view(5, 3), []float32{1, 2, 3, 4, 4, 16, 24, 16}, 4, 0},
		{enginetest.Tensor(t, host, 3), view(7), view(0, 3), []float32{32, 64, 96, 4, 4, 16, 24, 16}, 12, 0},
	} {
		b, err := s.Bind(map[string]*engine.Tensor{"x": k.x, "s": k.s}, map[string]*engine.Tensor{"y": k.y})
		if err != nil {
			t.Fatal(err)
		}
		in, out := e.Crossed()
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		afterIn, afterOut := e.Crossed()
		if afterIn-in != k.in || afterOut-out != k.out {
			t.Errorf("%d bytes went in, %d out; want %d, %d", afterIn-in, afterOut-out, k.in, k.out)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		have := make([]float32, 8)
		if err := a.Read(have, 0); err != nil || !slices.Equal(have, k.arena) {
			t.Errorf("the arena holds %v (%v), want %v", have, err, k.arena)
		}
	}
	if want := []float32{2, 4, 6}; !slices.Equal(host, want) {
		t.Errorf("the host holds %v, want %v", host, want)
	}
	_, err := s.Bind(map[string]*engine.Tensor{"x": view(0, 3), "s": view(7)}, map[string]*engine.Tensor{"y": view(1, 3)})
	if err == nil || !strings.Contains(err.Error(), "overlaps") {
		t.Errorf("partial overlap: %v", err)
	}
}

// TestDeviceArenaEnds: memory stays as long as a binding needs it, and ends with the
// engine; another engine cannot have it.
func TestDeviceArenaEnds(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	other := scaled(t, enginetest.Open(t, engine.Options{}), 3)
	s := scaled(t, e, 3)
	a, kept := deviceArena(t, e, 4), deviceArena(t, e, 4)
	if err := a.Write([]float32{1, 2, 3, 3}, 0); err != nil {
		t.Fatal(err)
	}
	x, err := a.View(0, 3)
	if err != nil {
		t.Fatal(err)
	}
	factor, err := a.View(3)
	if err != nil {
		t.Fatal(err)
	}
	host := make([]float32, 3)
	in, out := map[string]*engine.Tensor{"x": x, "s": factor}, map[string]*engine.Tensor{"y": enginetest.Tensor(t, host, 3)}
	if _, err := other.Bind(in, out); err == nil || !strings.Contains(err.Error(), "another engine") {
		t.Errorf("another engine: %v", err)
	}
	b, err := s.Bind(in, out)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Close(), a.Close(), b.Run(t.Context())); err != nil || !slices.Equal(host, []float32{3, 6, 9}) {
		t.Errorf("after Close: %v, %v", host, err)
	}
	if _, err := s.Bind(in, out); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("bound again: %v", err)
	}
	if err := errors.Join(b.Close(), e.Close(), kept.Close()); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"read": a.Read(host, 0), "read of another": kept.Read(host, 0), "view": second(kept.View(0, 1)), "arena": second(e.NewDeviceArena(1)),
	} {
		if err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s after the engine's end: %v", what, err)
		}
	}
}

// TestPlaced: a session tells where its nodes run; on the CPU that is no fallback.
func TestPlaced(t *testing.T) {
	var told []engine.Placement
	e := enginetest.Open(t, engine.Options{Placed: func(p engine.Placement) { told = append(told, p) }, Strict: true})
	scaled(t, e, 3)
	if len(told) != 1 || told[0].Session != "scaled" || len(told[0].Providers) != 1 || told[0].Fallback != nil {
		t.Fatalf("told %v", told)
	}
	if n := told[0].Providers; !enginetest.OnDevice() && (!told[0].OnCPU() || n["CPUExecutionProvider"] != 1) {
		t.Errorf("nodes by provider %v, want 1", n)
	}
}

// TestLend: what is lent lies where it is told, while the memory is there, and a loan's error
// is the borrower's.
func TestLend(t *testing.T) {
	host, err := engine.NewArena(4)
	if err != nil {
		t.Fatal(err)
	}
	guarded, err := engine.NewGuardedArena(4)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the wire is cut")
	for _, a := range []engine.Arena{host, guarded, deviceArena(t, enginetest.Open(t, engine.Options{}), 4)} {
		var at [2]uintptr
		for i := range at {
			if err := a.Lend(i, 4-i, func(address uintptr) error { at[i] = address; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if at[0] == 0 || at[1] != at[0]+4 {
			t.Errorf("%T: values at %x", a, at)
		}
		if err := a.Lend(0, 4, func(uintptr) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("%T: %v", a, err)
		}
		never := func(uintptr) error { t.Errorf("%T: lent what is not there", a); return nil }
		if err := a.Lend(1, 4, never); err == nil || !strings.Contains(err.Error(), "outside of the arena") {
			t.Errorf("%T: %v", a, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if err := a.Lend(0, 1, never); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%T: %v", a, err)
		}
	}
}

// TestLendNested: an engine that is closed meanwhile waits for a loan, which may lend more, or
// is told that nothing is lent any more.
func TestLendNested(t *testing.T) {
	e := enginetest.Open(t, engine.Options{Device: "cpu"})
	a, b := deviceArena(t, e, 4), deviceArena(t, e, 4)
	closed := make(chan error)
	err := a.Lend(0, 4, func(uintptr) error {
		go func() { closed <- e.Close() }()
		for b.Lend(0, 4, func(uintptr) error { return nil }) == nil {
			time.Sleep(time.Millisecond)
		}
		select {
		case err := <-closed:
			return fmt.Errorf("the engine has not waited for the loan: %w", err)
		default:
			return nil
		}
	})
	if err := errors.Join(err, <-closed); err != nil {
		t.Error(err)
	}
}
