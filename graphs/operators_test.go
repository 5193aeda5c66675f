package graphs_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/graphtest"
)

// row is one way of applying an operator, checked by finite differences and against ONNX Runtime.
type row struct {
	op, variant string
	args        []arg
	build       func(g *graphs.Graph, v []*graphs.Value) *graphs.Value
	tol         float64 // of the gradient check; 0: 1e-6
}

// arg describes an operand: shape, element type and how its elements are drawn.
type arg struct {
	dims []int
	dt   graphs.DType
	draw func(r *rand.Rand, n int) []float64
}

// in is a float operand drawn evenly from [lo, hi).
func in(lo, hi float64, dims ...int) arg {
	return arg{dims, graphs.Float32, func(r *rand.Rand, n int) []float64 {
		return graphtest.Uniform(r, lo, hi, n).Data
	}}
}

// f is a float operand from [−1, 1).
func f(dims ...int) arg { return in(-1, 1, dims...) }

// apart is a float operand whose elements are spaced evenly, in random order and symmetric to 0: no
// two are equal, none is zero, so that kinks are far. Operands of different offset (a fraction of
// the spacing) have no element in common.
func apart(offset float64, dims ...int) arg {
	return arg{dims, graphs.Float32, func(r *rand.Rand, n int) []float64 {
		out := make([]float64, n)
		for i, p := range r.Perm(n) {
			out[i] = (float64(p) - float64(n/2) + 0.25 + offset) / 8
		}
		return out
	}}
}

// index is an integer operand from [lo, hi).
func index(dt graphs.DType, lo, hi int, dims ...int) arg {
	return arg{dims, dt, func(r *rand.Rand, n int) []float64 {
		return graphtest.Fill(func() float64 { return float64(lo + r.IntN(hi-lo)) }, n).Data
	}}
}

// permutation is an int64 operand with lines of different indices along the first axis.
func permutation(n, columns int) arg {
	return arg{[]int{n, columns}, graphs.Int64, func(r *rand.Rand, _ int) []float64 {
		out := make([]float64, n*columns)
		for c := range columns {
			for i, p := range r.Perm(n) {
				out[i*columns+c] = float64(p)
			}
		}
		return out
	}}
}

// mask is a boolean operand.
func mask(dims ...int) arg { return index(graphs.Bool, 0, 2, dims...) }

func (w row) name() string { return w.op + "/" + w.variant }

// inputs draws the operands, as float32 exactly, so that both interpreters see the same numbers.
func (w row) inputs(r *rand.Rand) map[string]graphtest.Array {
	m := map[string]graphtest.Array{}
	for i, a := range w.args {
		x := graphtest.New(a.dims...)
		for j, v := range a.draw(r, len(x.Data)) {
			x.Data[j] = float64(float32(v))
		}
		m[fmt.Sprintf("x%d", i)] = x
	}
	return m
}

// allRows are the rows of all families.
func allRows() []row {
	return slices.Concat(elementwiseRows(), logicRows(), layoutRows(), reduceRows(), matmulRows(), convRows(), poolRows(), normRows(), resizeRows(), gatherRows())
}

// operators returns the builders of Graph that are ONNX operators, by reflection: all methods but
// these.
func operators() (ops []string) {
	others := []string{"Floats", "Input", "Inputs", "Ints", "Marshal", "Name", "Nodes", "Output", "Outputs", "Param", "Params", "Scalar", "SetMetadata", "WithScope"}
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
	rows := allRows()
	seen := map[string]bool{}
	for _, w := range rows {
		if seen[w.name()] {
			t.Errorf("two rows are called %s", w.name())
		}
		seen[w.name()] = true
	}
	for _, op := range operators() {
		if !slices.ContainsFunc(rows, func(w row) bool { return w.op == op }) {
			t.Errorf("%s has no row: neither its gradient nor its kernel is checked", op)
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
	for _, w := range allRows() {
		if graphs.RuleKind(w.op) != "rule" {
			continue
		}
		for form, reduce := range cotangents {
			t.Run(w.name()+"/"+form, func(t *testing.T) { w.checkGradient(t, reduce) })
		}
	}
}

func (w row) checkGradient(t *testing.T, reduce func(*graphs.Graph, *graphs.Value) *graphs.Value) {
	inputs := w.inputs(rand.New(rand.NewPCG(2, 3)))
	before := map[string]graphtest.Array{}
	var wrt []string
	opts := []graphtest.Option{graphtest.Samples(24)}
	for i, a := range w.args {
		name := fmt.Sprintf("x%d", i)
		before[name] = inputs[name].Clone()
		if a.dt == graphs.Float32 {
			wrt = append(wrt, name)
		} else {
			opts = append(opts, graphtest.Typed(name, a.dt))
		}
	}
	tol := w.tol
	if tol == 0 {
		tol = 1e-6
	}
	graphtest.CheckGradients(t, func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
		y := w.apply(g, in)
		if y.Rank() == 0 {
			return y
		}
		return reduce(g, y)
	}, inputs, wrt, tol, opts...)
	if !reflect.DeepEqual(before, inputs) {
		t.Error("the inputs were modified")
	}
}

func (w row) apply(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
	v := make([]*graphs.Value, len(w.args))
	for i := range v {
		v[i] = in[fmt.Sprintf("x%d", i)]
	}
	return w.build(g, v)
}

// graph builds the row's operator with its gradients (by a fixed cotangent) as outputs.
func (w row) graph(t testing.TB) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build(w.name(), func(g *graphs.Graph) {
		in := map[string]*graphs.Value{}
		var wrt []*graphs.Value
		for i, a := range w.args {
			name := fmt.Sprintf("x%d", i)
			in[name] = g.Input(name, a.dt, a.dims...)
			if a.dt == graphs.Float32 {
				wrt = append(wrt, in[name])
			}
		}
		y := w.apply(g, in)
		g.Output("y", y)
		if graphs.RuleKind(w.op) != "rule" {
			return
		}
		c := make([]float32, y.Shape().Size())
		for i := range c {
			c[i] = float32(math.Cos(float64(i)))
		}
		loss := g.ReduceSum(g.Mul(y, g.Floats(c, y.Shape()...)), nil, false)
		for i, d := range graphs.Gradients(loss, wrt...) {
			g.Output(fmt.Sprintf("d%d", i), d)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestInterpreterAgainstRuntime runs every row and its gradients in ONNX Runtime and in the
// interpreter; together they must contain every operator, and the device must have kernels for
// all of them.
func TestInterpreterAgainstRuntime(t *testing.T) {
	var placement engine.Placement
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1, Placed: func(p engine.Placement) { placement = p }})
	ran := map[string]bool{}
	for _, w := range allRows() {
		t.Run(w.name(), func(t *testing.T) {
			g := w.graph(t)
			inputs := w.inputs(rand.New(rand.NewPCG(4, 5)))
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
	model, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.NewSession(g.Name(), model)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	feeds := map[string]*engine.Tensor{}
	for _, v := range g.Inputs() {
		feeds[v.Name()] = tensorOf(t, inputs[v.Name()], v.DType())
	}
	results, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]graphtest.Array{}
	for name, r := range results {
		out[name] = arrayOf(t, r)
	}
	return out
}

func tensorOf(t testing.TB, a graphtest.Array, dt graphs.DType) *engine.Tensor {
	t.Helper()
	var x *engine.Tensor
	var err error
	switch dt {
	case graphs.Float32:
		x, err = engine.NewTensor(convert[float32](a), a.Shape...)
	case graphs.Int64:
		x, err = engine.NewTensor(convert[int64](a), a.Shape...)
	case graphs.Int32:
		x, err = engine.NewTensor(convert[int32](a), a.Shape...)
	case graphs.Uint8:
		x, err = engine.NewTensor(convert[uint8](a), a.Shape...)
	case graphs.Bool:
		b := make([]bool, len(a.Data))
		for i, v := range a.Data {
			b[i] = v != 0
		}
		x, err = engine.NewTensor(b, a.Shape...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func convert[T float32 | int64 | int32 | uint8](a graphtest.Array) []T {
	out := make([]T, len(a.Data))
	for i, v := range a.Data {
		out[i] = T(v)
	}
	return out
}

func arrayOf(t testing.TB, x *engine.Tensor) graphtest.Array {
	t.Helper()
	a := graphtest.New(x.Shape()...)
	switch x.DType() {
	case engine.Float32:
		unpack[float32](t, x, a)
	case engine.Int64:
		unpack[int64](t, x, a)
	case engine.Int32:
		unpack[int32](t, x, a)
	case engine.Uint8:
		unpack[uint8](t, x, a)
	case engine.Bool:
		data, err := engine.Data[bool](x)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range data {
			if v {
				a.Data[i] = 1
			}
		}
	}
	return a
}

func unpack[T float32 | int64 | int32 | uint8](t testing.TB, x *engine.Tensor, a graphtest.Array) {
	t.Helper()
	data, err := engine.Data[T](x)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range data {
		a.Data[i] = float64(v)
	}
}
