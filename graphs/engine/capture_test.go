package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// onDevice makes a view of another element type of a new device arena.
func onDevice(t *testing.T, e *engine.Engine, dtype engine.DType, dims ...int) *engine.Tensor {
	t.Helper()
	n := 1
	for _, d := range dims {
		n *= d
	}
	v, err := deviceArena(t, e, engine.DeviceValues(dtype, n)).ViewOf(dtype, 0, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCopies: tensors of every type and scalars, to the device, within it and back.
func TestCopies(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	from := []*engine.Tensor{
		enginetest.Tensor(t, []float32{1.5, -2, 3}, 3), enginetest.Tensor(t, []uint8{1, 2, 3, 4, 255}, 5), enginetest.Tensor(t, []int32{-7}, 1),
		enginetest.Tensor(t, []int64{1 << 40, -1}, 2, 1), enginetest.Tensor(t, []bool{true, false, true}, 1, 3), enginetest.Tensor(t, []float32{9}),
	}
	var there, beside, back []*engine.Tensor
	for _, v := range from {
		there, beside = append(there, onDevice(t, e, v.DType(), v.Shape()...)), append(beside, onDevice(t, e, v.DType(), v.Shape()...))
		to, err := engine.NewTensorOf(v.DType(), v.Shape())
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, to)
	}
	in, out := e.Crossed()
	for _, pair := range [][2][]*engine.Tensor{{from, there}, {there, beside}, {beside, back}} {
		c, err := e.NewCopies("copies", pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Run(t.Context()), c.Close(), c.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if afterIn, afterOut := e.Crossed(); afterIn-in != 12+5+4+16+3+4 || afterOut-out != afterIn-in {
		t.Errorf("%d bytes went in, %d out", afterIn-in, afterOut-out)
	}
	same(t, from[0], back[0], float32(0))
	same(t, from[1], back[1], uint8(0))
	same(t, from[2], back[2], int32(0))
	same(t, from[3], back[3], int64(0))
	same(t, from[4], back[4], false)
	same(t, from[5], back[5], float32(0))
	if _, err := e.NewCopies("copies", from, back[1:]); err == nil || !strings.Contains(err.Error(), "from 6 tensors to 5") {
		t.Errorf("another number: %v", err)
	}
	if _, err := e.NewCopies("copies", from[:1], back[1:2]); err == nil || !strings.Contains(err.Error(), "is float32, the tensor given is uint8") {
		t.Errorf("another type: %v", err)
	}
}

// same compares what two tensors hold.
func same[T engine.Element](t *testing.T, want, have *engine.Tensor, _ T) {
	t.Helper()
	a, errA := engine.Data[T](want)
	b, errB := engine.Data[T](have)
	if err := errors.Join(errA, errB); err != nil || !slices.Equal(a, b) {
		t.Errorf("have %v, want %v (%v)", b, a, err)
	}
}

// TestViewOf: a view of another type needs as many of the arena's values as its bytes fill.
func TestViewOf(t *testing.T) {
	a := deviceArena(t, enginetest.Open(t, engine.Options{}), 4)
	const (
		outside = "outside of the arena of 4 values"
		float16 = engine.DType(10)
	)
	for _, c := range []struct {
		t         engine.DType
		offset, n int
		want      string
	}{
		{engine.Uint8, 0, 16, ""},
		{engine.Uint8, 0, 17, outside},
		{engine.Uint8, 3, 4, ""},
		{engine.Uint8, 3, 5, outside},
		{engine.Uint8, -1, 1, outside},
		{engine.Int64, 0, 2, ""},
		{engine.Int64, 2, 2, outside},
		{engine.Int64, 1, 1, "int64 begins at multiples of 2 values"},
		{engine.Bool, 2, 8, ""},
		{engine.Int32, 1, 4, outside},
		{float16, 0, 1, "element type float16 is not supported"},
	} {
		_, err := a.ViewOf(c.t, c.offset, c.n)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%d × %v at %d: %v, want %q", c.n, c.t, c.offset, err, c.want)
		}
	}
}

// TestCaptured: a captured session has one binding, of the device's memory alone, changes what it
// has in place several times within its first run and once in each further one; elsewhere nothing of
// that holds.
func TestCaptured(t *testing.T) {
	g, err := graphs.Build("doubled", func(g *graphs.Graph) {
		x := g.Input("x", graphs.Float32, 2)
		g.Output("y", g.Add(x, x))
	})
	if err != nil {
		t.Fatal(err)
	}
	model, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var told []engine.Placement
	placed := func(p engine.Placement) { told = append(told, p) }
	for _, captures := range []bool{true, false} {
		e := enginetest.Open(t, engine.Options{CUDA: engine.CUDAOptions{Graph: captures}, Placed: placed})
		s, err := e.NewSessionWith("doubled", model, engine.SessionOptions{Capture: true})
		if err != nil {
			t.Fatal(err)
		}
		if other, err := e.NewSession("other", model); err != nil || other.Captured() {
			t.Errorf("a session that does not want it is captured (%v)", err)
		}
		if s.Captured() != captures || told[len(told)-2].Captured != captures || told[len(told)-2].Uncaptured != "" {
			t.Errorf("captured: %v, told %+v", s.Captured(), told)
		}
		a := deviceArena(t, e, 2)
		if err := a.Write([]float32{1, 3}, 0); err != nil {
			t.Fatal(err)
		}
		view, err := a.View(0, 2)
		if err != nil {
			t.Fatal(err)
		}
		host := map[string]*engine.Tensor{"x": enginetest.Tensor(t, []float32{1, 1}, 2)}
		if _, err := s.Run(t.Context(), host); (err != nil) != captures {
			t.Errorf("on the host's memory: %v", err)
		}
		gone := deviceArena(t, e, 2)
		lost, err := gone.View(0, 2)
		if err := errors.Join(err, gone.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Bind(map[string]*engine.Tensor{"x": lost}, map[string]*engine.Tensor{"y": view}); err == nil {
			t.Error("bound to what is closed")
		}
		in, out := map[string]*engine.Tensor{"x": view}, map[string]*engine.Tensor{"y": view}
		b, err := s.Bind(in, out) // the one before was none
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Bind(in, out); (err != nil) != captures || captures && !strings.Contains(err.Error(), "one binding") {
			t.Errorf("bound again: %v", err)
		}
		for i, factor := range map[bool][]float32{true: {8, 16}, false: {2, 4}}[captures] {
			have := make([]float32, 2)
			err := errors.Join(b.Run(t.Context()), a.Read(have, 0))
			if enginetest.OnDevice() && captures && have[0] == 4*float32(i+1) {
				factor = have[0] // one run less until it is captured
			}
			if err != nil || have[0] != factor || have[1] != 3*factor {
				t.Errorf("run %d: %v (%v), want %g times the first", i, have, err, factor)
			}
		}
		ctx := &ending{Context: t.Context(), done: make(chan struct{})}
		before, after := make([]float32, 2), make([]float32, 2)
		if err := a.Read(before, 0); err != nil {
			t.Fatal(err)
		}
		err = b.Run(ctx)
		if failed := a.Read(after, 0); failed != nil {
			t.Fatal(failed)
		}
		if captures && (err != nil || after[0] != 2*before[0]) || ctx.calls != 1 {
			t.Errorf("a context that ends while it runs, which is told of %d calls: %v, %v after %v", ctx.calls, err, after, before)
		}
		if err := b.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// ending is a context that ends when a call to ONNX Runtime begins.
type ending struct {
	context.Context
	done  chan struct{}
	calls int
}

func (c *ending) Done() <-chan struct{} { return c.done }

func (c *ending) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// AfterFunc is what context.AfterFunc calls.
func (c *ending) AfterFunc(f func()) (stop func() bool) {
	c.calls++
	close(c.done)
	go f()
	return func() bool { return false }
}

// TestCapturedOptions: what is captured shares no arena.
func TestCapturedOptions(t *testing.T) {
	_, err := engine.Open(engine.Options{CUDA: engine.CUDAOptions{Graph: true, SharedArena: true}})
	if err == nil || !strings.Contains(err.Error(), "cannot share one") {
		t.Errorf("have %v", err)
	}
}
