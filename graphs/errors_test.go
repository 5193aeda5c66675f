package graphs_test

import (
	"errors"
	"strings"
	"testing"

	"t2sda/graphs"
)

// TestErrors pairs mistakes with the messages that they must give.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		mistake func(g *graphs.Graph, x, w *graphs.Value)
		want    string
	}{
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Add(x, g.Input("y", graphs.Float32, 5)) },
			"Add (block.0/Add_0) of [2,3,4,4] and [5]: shapes do not broadcast",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Add(x, g.Input("y", graphs.Int64, 4)) },
			"Add (block.0/Add_0) of [2,3,4,4] and [4]: operands are float32 and int64, want equal numeric types",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Exp(g.Input("y", graphs.Int64, 4)) },
			"Exp (block.0/Exp_0) of [4]: operand 0 (y) is int64, want float32",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Exp(nil) },
			"Exp (block.0/Exp_0): operand 0 is nil",
		},
		{
			func(g *graphs.Graph, x, w *graphs.Value) { g.Conv(x, w, nil, graphs.ConvAttrs{Group: 2}) },
			"Conv (block.0/Conv_0) of [2,3,4,4] and [5,3,3,3]: channels do not fit 2 groups",
		},
		{
			func(g *graphs.Graph, x, w *graphs.Value) {
				g.Conv(x, w, nil, graphs.ConvAttrs{Dilations: [2]int{2, 2}})
			},
			"Conv (block.0/Conv_0) of [2,3,4,4] and [5,3,3,3]: the kernel is larger than the padded map",
		},
		{
			func(g *graphs.Graph, x, w *graphs.Value) {
				g.ConvTranspose(x, g.Param("t", 3, 2, 2, 2), nil, graphs.ConvAttrs{}, [2]int{1, 0})
			},
			"ConvTranspose (block.0/ConvTranspose_0) of [2,3,4,4] and [3,2,2,2]: output padding [1 0] must be below the stride",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.MatMul(x, g.Param("m", 3, 2)) },
			"MatMul (block.0/MatMul_0) of [2,3,4,4] and [3,2]: inner dimensions 4 and 3 differ",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Reshape(x, 5, -1) },
			"Reshape (block.0/Reshape_0) of [2,3,4,4]: 96 elements do not fill [5,-1]",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Transpose(x, 0, 1, 1, 2) },
			"Transpose (block.0/Transpose_0) of [2,3,4,4]: [0 1 1 2] is no permutation",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Slice(x, []int{4}, []int{9}, []int{-1}, nil) },
			"Slice (block.0/Slice_0) of [2,3,4,4]: bad range 4:4:1 on axis 3",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Concat(1, x, g.Param("m", 2, 3)) },
			"Concat (block.0/Concat_0) of [2,3,4,4] and [2,3]: operands differ off axis 1",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Split(x, 1, 1, 1) },
			"Split (block.0/Split_0) of [2,3,4,4]: sizes [1 1] do not add up to axis 1",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.ReduceSum(x, []int{4}, false) },
			"ReduceSum (block.0/ReduceSum_0) of [2,3,4,4]: no axis 4",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Resize(x, 8, 8, "cubic") },
			`Resize (block.0/Resize_0) of [2,3,4,4]: unknown mode "cubic"`,
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Gather(x, x, 0) },
			"Gather (block.0/Gather_0) of [2,3,4,4] and [2,3,4,4]: indices are float32, want int64 or int32",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) {
				g.LayerNormalization(x, g.Param("s", 3), g.Param("b", 3), 1e-5)
			},
			"LayerNormalization (block.0/LayerNormalization_0) of [2,3,4,4] and [3] and [3]: scale and bias must be as long as the last axis",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Clip(x, 1, 0) },
			"Clip (block.0/Clip_0) of [2,3,4,4]: empty range [1, 0]",
		},
		{
			func(g *graphs.Graph, _, _ *graphs.Value) { g.Param("x", 1) },
			"Input (x): the name is empty or taken",
		},
		{
			func(g *graphs.Graph, _, _ *graphs.Value) { g.Param("p", 2, 0) },
			"Input (p) of [2,0]: dimensions must be positive",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { g.Output("w", x) },
			`Output (block.0/Output_0) of [2,3,4,4]: name "w" is empty or taken`,
		},
		{
			func(g *graphs.Graph, _, _ *graphs.Value) { g.Floats(make([]float32, 3), 2, 2) },
			"Floats of [2,2]: 3 elements of data",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { x.Dim(-5) },
			"Dim (x) of [2,3,4,4]: no dimension -5",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { graphs.Gradients(g.Exp(x), x) },
			"Gradients (block.0/Gradients_0) of [2,3,4,4]: the loss block.0/Exp_0 is no scalar",
		},
		{
			func(g *graphs.Graph, x, w *graphs.Value) {
				graphs.Gradients(g.ReduceSum(x, nil, false), x, w, g.Param("decoder.weight", 2))
			},
			"Gradients (block.0/ReduceSum_0): the loss does not reach w, decoder.weight",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) { graphs.Gradients(g.ReduceSum(g.Floor(x), nil, false), x) },
			"Gradients (block.0/ReduceSum_0): the loss does not reach x",
		},
		{
			func(g *graphs.Graph, x, _ *graphs.Value) {
				y := g.ScatterND(x, g.Ints([]int64{1}, 1, 1), g.Slice(x, []int{0}, []int{1}, nil, nil), "add")
				graphs.Gradients(g.ReduceSum(y, nil, false), x)
			},
			"ScatterND (block.0/ScatterND_0) of [2,3,4,4] and [1,1] and [1,3,4,4]: the loss depends on it, but it is not differentiable",
		},
	} {
		_, err := graphs.Build("bad", func(g *graphs.Graph) {
			x, w := g.Input("x", graphs.Float32, 2, 3, 4, 4), g.Param("w", 5, 3, 3, 3)
			g.WithScope("block.0", func() { c.mistake(g, x, w) })
		})
		var e *graphs.Error
		if !errors.As(err, &e) {
			t.Errorf("want %q, got the error %v", c.want, err)
			continue
		}
		if got := strings.TrimPrefix(err.Error(), `building "bad": graphs: `); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestValuesOfAnotherGraph(t *testing.T) {
	var foreign *graphs.Value
	build(t, func(g *graphs.Graph) { foreign = g.Param("theirs", 2) })
	_, err := graphs.Build("bad", func(g *graphs.Graph) { g.Add(g.Param("ours", 2), foreign) })
	if err == nil || !strings.Contains(err.Error(), "operand 1 (theirs) belongs to another graph") {
		t.Error(err)
	}
}

func TestOtherPanicsPassThrough(t *testing.T) {
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("recovered %v", r)
		}
	}()
	_, _ = graphs.Build("panics", func(*graphs.Graph) { panic("mine") })
}
