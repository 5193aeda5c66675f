package graphs_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/graphs"
	"t2sda/graphs/cases"
	"t2sda/graphs/engine"
	"t2sda/graphs/graphtest"
)

// inputsOf draws a case's operands for the interpreter.
func inputsOf(c cases.Case, r *rand.Rand) map[string]graphtest.Array {
	drawn := c.Inputs(r)
	m := map[string]graphtest.Array{}
	for i, a := range c.Args {
		name := cases.InputName(i)
		m[name] = graphtest.Array{Shape: graphs.Shape(a.Dims).Clone(), Data: drawn[name]}
	}
	return m
}

// operators returns the builders of Graph that are ONNX operators, by reflection: all methods but
// these.
func operators() (ops []string) {
	others := []string{"Block", "Continue", "Detach", "Exact", "ExpandTo", "Floats", "Fold", "Free", "Input", "Inputs", "Ints", "Marshal", "MarshalAs", "MarshalNative", "Name", "Narrow", "Nodes", "Number", "Output", "Outputs", "Param", "Params", "Range", "ReshapeTo", "ResizeTo", "Round", "Scalar", "SetMetadata", "SizeOf", "SliceTo", "WithScope"}
	t := reflect.TypeFor[*graphs.Graph]()
	for i := range t.NumMethod() {
		if name := t.Method(i).Name; !slices.Contains(others, name) {
			ops = append(ops, name)
		}
	}
	return ops
}

func TestEveryOperatorHasOneEntry(t *testing.T) {
	ops, table := operators(), graphs.RuleOperators()
	for _, op := range ops {
		if graphs.RuleKind(op) == "" {
			t.Errorf("%s has no entry in the rule table", op)
		}
	}
	for _, op := range table {
		if !slices.Contains(ops, op) {
			t.Errorf("the rule table has an entry for %s, which no builder emits", op)
		}
	}
}

func TestEveryOperatorIsChecked(t *testing.T) {
	all := cases.All()
	seen := map[string]bool{}
	for _, c := range all {
		if seen[c.Name()] {
			t.Errorf("two cases are called %s", c.Name())
		}
		seen[c.Name()] = true
	}
	for _, op := range operators() {
		if !slices.ContainsFunc(all, func(c cases.Case) bool { return c.Op == op }) {
			t.Errorf("%s has no case: neither its gradient nor its kernel is checked", op)
		}
	}
}

// cotangents are the forms in which a cotangent arrives at an operator: complete, or the same along
// axes, in which case the sweep does not expand it.
var cotangents = map[string]func(g *graphs.Graph, y *graphs.Value) *graphs.Value{
	"full":   func(_ *graphs.Graph, y *graphs.Value) *graphs.Value { return y },
	"scalar": func(g *graphs.Graph, y *graphs.Value) *graphs.Value { return g.ReduceSum(y, nil, false) },
	"first": func(g *graphs.Graph, y *graphs.Value) *graphs.Value {
		return g.ReduceSum(y, []int{0}, false)
	},
	"last": func(g *graphs.Graph, y *graphs.Value) *graphs.Value {
		return g.ReduceSum(y, []int{-1}, false)
	},
}

func TestGradients(t *testing.T) {
	for _, c := range cases.All() {
		if !graphs.Differentiable(c.Op) {
			continue
		}
		for form, reduce := range cotangents {
			t.Run(c.Name()+"/"+form, func(t *testing.T) { checkGradient(t, c, reduce) })
		}
	}
}

func checkGradient(t *testing.T, c cases.Case, reduce func(*graphs.Graph, *graphs.Value) *graphs.Value) {
	inputs := inputsOf(c, rand.New(rand.NewPCG(2, 3)))
	before := map[string]graphtest.Array{}
	var wrt []string
	opts := []graphtest.Option{graphtest.Samples(24)}
	for i, a := range c.Args {
		name := cases.InputName(i)
		before[name] = inputs[name].Clone()
		if a.DType == graphs.Float32 {
			wrt = append(wrt, name)
		} else {
			opts = append(opts, graphtest.Typed(name, a.DType))
		}
	}
	tol := c.Tol
	if tol == 0 {
		tol = 1e-6
	}
	graphtest.CheckGradients(t, func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
		y := c.Apply(g, in)
		if y.Rank() == 0 {
			return y
		}
		return reduce(g, y)
	}, inputs, wrt, tol, opts...)
	if !reflect.DeepEqual(before, inputs) {
		t.Error("the inputs were modified")
	}
}

// graphOf builds a case's operator with its gradients.
func graphOf(t testing.TB, c cases.Case) *graphs.Graph {
	t.Helper()
	g, err := c.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestInterpreterAgainstRuntime runs every case and its gradients in ONNX Runtime and in the
// interpreter; together they must contain every operator, and the device must have kernels for
// all of them.
func TestInterpreterAgainstRuntime(t *testing.T) {
	var placement engine.Placement
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1, Placed: func(p engine.Placement) { placement = p }})
	ran := map[string]bool{}
	for _, c := range cases.All() {
		t.Run(c.Name(), func(t *testing.T) {
			g := graphOf(t, c)
			inputs := inputsOf(c, rand.New(rand.NewPCG(4, 5)))
			compareRuns(t, runtimeRun(t, e, g, inputs), graphtest.Run(g, inputs))
			if len(placement.Fallback) > 0 {
				t.Errorf("the CPU runs %v (%s)", placement.Fallback, placement)
			}
			for _, n := range g.Nodes() {
				ran[n.Op()] = true
			}
		})
	}
	for _, op := range operators() {
		if !ran[op] {
			t.Errorf("%s was not compared with ONNX Runtime", op)
		}
	}
}

func compareRuns(t *testing.T, got, want map[string]graphtest.Array) {
	t.Helper()
	for name, a := range want {
		b := got[name]
		if !slices.Equal(a.Shape, b.Shape) {
			t.Fatalf("%s is %v in ONNX Runtime, %v in the interpreter", name, b.Shape, a.Shape)
		}
		for i, x := range a.Data {
			if d := math.Abs(x - b.Data[i]); !(d <= enginetest.Tolerance(2e-5)*max(1, math.Abs(x))) {
				t.Fatalf("%s[%d] is %g in ONNX Runtime, %g in the interpreter", name, i, b.Data[i], x)
			}
		}
	}
}

// runtimeRun runs a graph in ONNX Runtime.
func runtimeRun(t testing.TB, e *engine.Engine, g *graphs.Graph, inputs map[string]graphtest.Array) map[string]graphtest.Array {
	t.Helper()
	feeds := map[string][]float64{}
	for name, a := range inputs {
		feeds[name] = a.Data
	}
	results, err := cases.Run(t.Context(), e, g, feeds)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]graphtest.Array{}
	for name, r := range results {
		out[name] = arrayOf(t, r)
	}
	return out
}

func arrayOf(t testing.TB, x *engine.Tensor) graphtest.Array {
	t.Helper()
	data, err := cases.Values(x)
	if err != nil {
		t.Fatal(err)
	}
	return graphtest.Array{Shape: x.Shape(), Data: data}
}
