package graphs_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// freeGraph uses every builder of free sizes, for an example of n maps of h×w.
func freeGraph(t *testing.T, n, h, w int) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("free", func(g *graphs.Graph) {
		x := g.Input("x", graphs.Float32, n, 2, h, w)
		g.Free(x, "n", "", "h", "w")
		size := func(axis int) graphs.Size { return g.SizeOf(x, axis) }
		one, two := graphs.Fixed(1), graphs.Fixed(2)
		out := func(name string, y *graphs.Value, axes ...string) {
			g.Output(name, y)
			g.Free(g.Outputs()[len(g.Outputs())-1].Value, axes...)
		}
		out("flat", g.ReshapeTo(x, size(0), two, size(2).Times(size(3))), "n", "", "l")
		out("half", g.SliceTo(x, []int{0, 1}, []graphs.Size{size(2).Over(two), size(3)}, []int{2, 3}), "n", "", "h2", "w1")
		out("double", g.ResizeTo(x, size(2).Times(two), size(3), "nearest"), "n", "", "h3", "w")
		out("large", g.Continue(x, size(2).AtLeast(graphs.Fixed(5)), size(3).Plus(one)), "n", "", "h4", "w2")
		out("wide", g.ExpandTo(g.Floats([]float32{3}, 1, 1), size(0), two), "n", "")
		out("columns", g.Range(size(3).Minus(one)), "w3")
		out("count", g.Number(size(3)), "")
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestFreeSizes: one model, built for one size, on another.
func TestFreeSizes(t *testing.T) {
	model, err := freeGraph(t, 3, 10, 20).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if other, err := freeGraph(t, 2, 9, 31).Marshal(); err != nil || !bytes.Equal(model, other) {
		t.Errorf("the model holds something of its example (%v)", err)
	}
	s, err := enginetest.Open(t, engine.Options{}).NewSession("free", model)
	if err != nil {
		t.Fatal(err)
	}
	in, err := engine.NewTensor([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 1, 2, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	have, err := s.Run(t.Context(), map[string]*engine.Tensor{"x": in})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		dims []int
		data []float32
	}{
		"flat":    {[]int{1, 2, 6}, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		"half":    {[]int{1, 2, 1, 2}, []float32{2, 3, 8, 9}},
		"double":  {[]int{1, 2, 4, 3}, []float32{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7, 8, 9, 7, 8, 9, 10, 11, 12, 10, 11, 12}},
		"large":   {[]int{1, 2, 5, 4}, slices.Concat([]float32{1, 2, 3, 3}, slices.Repeat([]float32{4, 5, 6, 6}, 4), []float32{7, 8, 9, 9}, slices.Repeat([]float32{10, 11, 12, 12}, 4))},
		"wide":    {[]int{1, 2}, []float32{3, 3}},
		"columns": {[]int{2}, []float32{0, 1}},
		"count":   {[]int{1}, []float32{3}},
	} {
		if !slices.Equal(have[name].Shape(), want.dims) || !slices.Equal(have[name].Floats(), want.data) {
			t.Errorf("%s is %v %v, want %v %v", name, have[name].Shape(), have[name].Floats(), want.dims, want.data)
		}
	}
}

// TestFreeErrors: what a graph of free sizes cannot be.
func TestFreeErrors(t *testing.T) {
	for want, build := range map[string]func(g *graphs.Graph, x *graphs.Value){
		"rules need fixed shapes": func(g *graphs.Graph, x *graphs.Value) { graphs.Gradients(g.ReduceSum(x, nil, false), x) },
		"1 names for 4 axes":      func(g *graphs.Graph, x *graphs.Value) { g.Free(x, "n") },
		"do not fill": func(g *graphs.Graph, x *graphs.Value) {
			g.ReshapeTo(x, g.SizeOf(x, 0), graphs.Fixed(7))
		},
		"cannot be continued": func(g *graphs.Graph, x *graphs.Value) {
			g.Continue(x, g.SizeOf(x, 2).Minus(graphs.Fixed(1)), g.SizeOf(x, 3))
		},
		"bad range 0:5 on axis 2": func(g *graphs.Graph, x *graphs.Value) {
			g.SliceTo(x, []int{0}, []graphs.Size{g.SizeOf(x, 2).Plus(graphs.Fixed(1))}, []int{2})
		},
	} {
		_, err := graphs.Build("bad", func(g *graphs.Graph) {
			x := g.Input("x", graphs.Float32, 1, 2, 4, 4)
			g.Free(x, "n", "", "h", "w")
			build(g, x)
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestFold: what depends on constants only becomes one, of the same value.
func TestFold(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	run := func(model []byte, inputs map[string]*engine.Tensor) map[string]*engine.Tensor {
		s, err := e.NewSession("fold", model)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Run(t.Context(), inputs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	g, err := graphs.Build("fold", func(g *graphs.Graph) {
		x := g.Input("x", graphs.Float32, 2)
		parts := g.Split(g.Mul(g.Floats([]float32{1, 2, 3, 4}, 4), g.Scalar(10)), 0, 2, 2)
		g.Output("y", g.Add(g.Mul(x, parts[0]), parts[1]))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = g.Fold(func(model []byte) (map[string][]float32, error) {
		data := map[string][]float32{}
		for name, v := range run(model, nil) {
			data[name] = v.Floats()
		}
		return data, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	model, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(model, []byte("\x22\x05Split")) { // field op_type of a node
		t.Error("the folded model still splits")
	}
	in, err := engine.NewTensor([]float32{5, 6}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if got := run(model, map[string]*engine.Tensor{"x": in})["y"].Floats(); !slices.Equal(got, []float32{80, 160}) {
		t.Errorf("%v, want [80 160]", got)
	}
}

// TestSameUpper: TensorFlow's SAME puts the odd element at the end, and depends on the size.
func TestSameUpper(t *testing.T) {
	for _, c := range []struct {
		h, w, k, stride int
		want            [4]int
	}{
		{8, 7, 3, 2, [4]int{0, 1, 1, 1}}, // 4 windows of 3 at stride 2 span 9 either way
		{8, 7, 5, 2, [4]int{1, 2, 2, 2}},
		{8, 7, 3, 1, [4]int{1, 1, 1, 1}},
		{8, 1, 1, 1, [4]int{}},
		{6, 9, 1, 2, [4]int{}}, // windows that leave elements out need no pads
		{1, 2, 3, 2, [4]int{1, 0, 1, 1}},
	} {
		_, err := graphs.Build("pads", func(g *graphs.Graph) {
			x := g.Input("x", graphs.Float32, 1, 1, c.h, c.w)
			w := g.Floats(make([]float32, c.k*c.k), 1, 1, c.k, c.k)
			y := g.Conv(x, w, nil, graphs.ConvAttrs{Strides: [2]int{c.stride, c.stride}, SameUpper: true})
			if got := [4]int(y.Node().Ints("pads")); got != c.want {
				t.Errorf("%d×%d, kernel %d, stride %d: %v, want %v", c.h, c.w, c.k, c.stride, got, c.want)
			}
			g.Output("y", y)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
