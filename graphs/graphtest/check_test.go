package graphtest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

// recorder is a testing.TB that keeps errors instead of failing.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestCheckGradientsPasses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	inputs := map[string]graphtest.Array{
		"x":      graphtest.Uniform(r, -1, 1, 4, 5, 8),
		"w":      graphtest.Uniform(r, -1, 1, 8, 3),
		"labels": {Shape: graphs.Shape{2}, Data: []float64{3, 0}},
	}
	graphtest.CheckGradients(t, func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
		return g.Gather(g.Gelu(g.MatMul(in["x"], in["w"])), in["labels"], 0)
	}, inputs, []string{"x", "w"}, 1e-6, graphtest.Typed("labels", graphs.Int64), graphtest.Samples(10), graphtest.Seed(3))
}

// TestCheckGradientsFails makes the function that is differentiated differ from the one that runs,
// by means of an operator whose gradient is wrong on purpose: the sweep sees no gradient through
// Floor.
func TestCheckGradientsFails(t *testing.T) {
	x := graphtest.Array{Shape: graphs.Shape{2}, Data: []float64{0.999999, 0.5}}
	r := &recorder{TB: t}
	graphtest.CheckGradients(r, func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
		return g.Add(in["x"], g.Floor(in["x"])) // jumps within the step at x[0]
	}, map[string]graphtest.Array{"x": x}, []string{"x"}, 1e-6)
	if len(r.errors) != 1 || !strings.HasPrefix(r.errors[0], "derivative by x[0]: ") {
		t.Errorf("errors: %q", r.errors)
	}
}

func TestRunLeavesInputsAlone(t *testing.T) {
	g, err := graphs.Build("identity", func(g *graphs.Graph) {
		g.Output("y", g.Reshape(g.Input("x", graphs.Float32, 2), 2, 1))
	})
	if err != nil {
		t.Fatal(err)
	}
	x := graphtest.Array{Shape: graphs.Shape{2}, Data: []float64{1, 2}}
	y := graphtest.Run(g, map[string]graphtest.Array{"x": x})["y"]
	y.Data[0] = 5
	if x.Data[0] != 1 {
		t.Error("the output shares memory with the input")
	}
}

func TestRunNamesMissingInputs(t *testing.T) {
	g, err := graphs.Build("identity", func(g *graphs.Graph) { g.Output("y", g.Neg(g.Input("x", graphs.Float32, 2))) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, "input x is missing or not [2]") {
			t.Errorf("panic: %s", r)
		}
	}()
	graphtest.Run(g, nil)
}
