package graphs_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/cases"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/graphtest"
	"t2sda/internal/rng"
)

// onCPU returns an engine on the CPU, where operators of ours are.
func onCPU(t *testing.T, threads int) *engine.Engine {
	t.Helper()
	e := enginetest.Open(t, engine.Options{Device: "cpu", IntraOpThreads: threads})
	if !e.Native() {
		t.Skip("kernels of our own are for x86-64 with AVX2")
	}
	return e
}

// runBoth runs a graph with ONNX's operators alone and with ours, and compares all outputs bit by
// bit. It returns those, and how many nodes of ours there were.
func runBoth(t *testing.T, e *engine.Engine, g *graphs.Graph, inputs map[string][]float64) (out map[string][]float64, ours int) {
	t.Helper()
	stock, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	native, err := g.MarshalNative(true)
	if err != nil {
		t.Fatal(err)
	}
	in := tensorsOf(t, g, inputs) // of both: the order of some sums depends on how memory is aligned
	want := runModel(t, e, g, stock, engine.SessionOptions{}, in)
	out = runModel(t, e, g, native, engine.SessionOptions{Native: true}, in)
	for name, a := range want {
		for i, b := range out[name] {
			if math.Float32bits(float32(a[i])) != math.Float32bits(float32(b)) && !(math.IsNaN(a[i]) && math.IsNaN(b)) {
				t.Fatalf("%s: %s[%d] is %v, by ONNX's operators %v", g.Name(), name, i, b, a[i])
			}
		}
	}
	return out, max(0, strings.Count(string(native), graphs.NativeDomain)-2) // the producer, and the domain's version
}

// tensorsOf makes tensors of a graph's inputs.
func tensorsOf(t *testing.T, g *graphs.Graph, inputs map[string][]float64) map[string]*engine.Tensor {
	t.Helper()
	in := map[string]*engine.Tensor{}
	for _, v := range g.Inputs() {
		x, err := cases.Tensor(inputs[v.Name()], v.DType(), v.Shape()...)
		if err != nil {
			t.Fatal(err)
		}
		in[v.Name()] = x
	}
	return in
}

// runModel runs a graph as a model has it.
func runModel(t *testing.T, e *engine.Engine, g *graphs.Graph, model []byte, o engine.SessionOptions, in map[string]*engine.Tensor) map[string][]float64 {
	t.Helper()
	s, err := e.NewSessionWith(g.Name(), model, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tensors, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float64{}
	for name, x := range tensors {
		if out[name], err = cases.Values(x); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// nodesOf counts the nodes of an operator that the graph has with ours.
func nodesOf(t *testing.T, g *graphs.Graph, op string) int {
	t.Helper()
	model, err := g.MarshalNative(true)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(model), op)
}

// draw draws a graph's inputs: normal numbers, and labels 0 and 1.
func draw(g *graphs.Graph, r *rand.Rand) map[string][]float64 {
	in := map[string][]float64{}
	for _, v := range g.Inputs() {
		data := make([]float64, v.Shape().Size())
		for i := range data {
			if v.DType() == graphs.Float32 {
				data[i] = float64(float32(r.NormFloat64()))
			} else {
				data[i] = float64(r.IntN(2))
			}
		}
		in[v.Name()] = data
	}
	return in
}

// TestNativeCases: every operator and its gradient are the same to the bit.
func TestNativeCases(t *testing.T) {
	e := onCPU(t, 1)
	ours := 0
	for _, c := range cases.All() {
		g, err := c.Graph()
		if err != nil {
			t.Fatal(err)
		}
		_, n := runBoth(t, e, g, c.Inputs(rng.New(1, 0, c.Name())))
		ours += n
	}
	if ours < 40 {
		t.Errorf("only %d nodes are ours", ours)
	}
}

// TestNativeGroups: graphs of random element-wise operators, broadcast from all sides, with
// Reshapes between, and with products and maxima in the way that no group may be closed around.
func TestNativeGroups(t *testing.T) {
	e := onCPU(t, 2)
	ours := 0
	for seed := range 200 {
		r := rng.New(uint64(seed), 0, "groups")
		g, err := graphs.Build(fmt.Sprint("groups ", seed), func(g *graphs.Graph) { randomGroups(g, r) })
		if err != nil {
			t.Fatal(err)
		}
		_, n := runBoth(t, e, g, draw(g, r))
		ours += n
	}
	if ours < 120 {
		t.Errorf("only %d nodes are ours", ours)
	}
}

// randomGroups fills a graph; every third value is an output.
func randomGroups(g *graphs.Graph, r *rand.Rand) {
	full := graphs.Shape{1 + r.IntN(3), 1 + r.IntN(40), 1 + r.IntN(9), 1 + r.IntN(200)}
	values := []*graphs.Value{g.Input("x", graphs.Float32, full...), g.Input("y", graphs.Float32, full...)}
	for i := range 4 { // operands that are broadcast, now and then with fewer axes
		s := full.Clone()
		for k := range s {
			if r.IntN(2) == 0 {
				s[k] = 1
			}
		}
		for len(s) > 0 && s[0] == 1 && r.IntN(2) == 0 {
			s = s[1:]
		}
		values = append(values, g.Input(fmt.Sprint("small", i), graphs.Float32, s...))
	}
	values = append(values, g.Scalar(1.7), g.Scalar(-0.25), g.Scalar(1))
	pick := func() *graphs.Value { return values[r.IntN(len(values))] }
	operators := 16
	if r.IntN(2) == 0 {
		operators = 13 // without Transposes and products, about which little may be a group
	}
	for range 6 + r.IntN(30) {
		a, b := pick(), pick()
		var v *graphs.Value
		switch r.IntN(operators) {
		case 0, 1:
			v = g.Add(a, b)
		case 2, 3:
			v = g.Sub(a, b)
		case 4, 5:
			v = g.Mul(a, b)
		case 6:
			v = g.Div(a, b)
		case 7:
			v = g.Neg(a)
		case 8:
			v = g.HardSigmoid(a, 0.3, 0.4)
		case 9: // a group must not be closed around this
			v = g.Max(a, b)
		case 10: // nor around a sum, which all of it waits for
			v = g.Add(b, g.ReduceSum(a, nil, false))
		case 11:
			v = g.Reshape(g.Mul(g.Reshape(a, -1), g.Scalar(3)), a.Shape()...)
		case 12: // what ONNX Runtime makes one operator of
			v = g.Mul(g.Div(g.Scalar(1), a), b)
		case 13: // it moves the one Transpose to the other, and computes and sums between them in another order
			if len(a.Shape()) == 4 {
				v = g.Transpose(g.Mul(g.Exp(g.Transpose(a, 0, 2, 3, 1)), g.Scalar(0.01)), 0, 3, 1, 2)
				break
			}
			v = g.Exp(g.Neg(g.Abs(a)))
		case 14: // factors before and after a product
			w := g.Mul(g.Mul(g.Reshape(a, 1, -1), g.Scalar(0.3)), g.Scalar(0.7))
			v = g.Mul(g.Mul(g.MatMul(w, g.Transpose(w, 1, 0)), g.Scalar(0.9)), g.Scalar(1.1))
			v = g.Add(b, g.Reshape(v))
		case 15: // sums over axes that a Transpose may have moved
			if len(a.Shape()) == 4 {
				m := g.Mul(g.Transpose(a, 0, 2, 3, 1), g.Scalar(2))
				v = g.Add(a, g.Reshape(g.ReduceSum(g.Add(g.Mul(m, m), g.Scalar(1)), []int{1, 2}, true), a.Dim(0), a.Dim(1), 1, 1))
				break
			}
			v = g.Sub(b, a)
		}
		if _, ints := v.Constant(); ints == nil {
			values = append(values, v)
		}
	}
	for i, v := range values {
		if i%3 == 0 || i == len(values)-1 {
			g.Output(fmt.Sprint("out", i), v)
		}
	}
}

// TestNativeNorm: rows and lengths that fill no vector, rows of one value, and rows that overflow.
func TestNativeNorm(t *testing.T) {
	for _, threads := range []int{1, 2} {
		e := onCPU(t, threads)
		for _, s := range []graphs.Shape{{1}, {1, 1}, {3, 5}, {16, 16}, {17, 33}, {2, 150, 64}, {3, 1, 7, 160}} {
			g, err := graphs.Build("norm", func(g *graphs.Graph) {
				x, d := g.Input("x", graphs.Float32, s...), s[len(s)-1]
				n := g.LayerNormalization(x, g.Param("scale", d), g.Param("bias", d), 1e-5)
				flat := g.LayerNormalization(g.Mul(x, g.Scalar(0)), g.Param("scale2", d), g.Param("bias2", d), 1e-5)
				huge := g.LayerNormalization(g.Mul(x, g.Scalar(3e38)), g.Param("scale3", d), g.Param("bias3", d), 1e-5)
				loss := g.ReduceSum(g.Mul(g.Add(n, flat), g.Input("cotangent", graphs.Float32, s...)), nil, false)
				g.Output("n", n)
				g.Output("flat", flat)
				g.Output("huge", huge)
				g.Output("grad", graphs.Gradients(loss, x)[0])
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, ours := runBoth(t, e, g, draw(g, rng.New(1, 0, "norm"))); ours < 3 {
				t.Errorf("%v: %d nodes are ours", s, ours)
			}
		}
	}
}

// TestNativeScatter: the gradient of what labels pick, along every axis; a label that is no class is an
// error in both.
func TestNativeScatter(t *testing.T) {
	e := onCPU(t, 2)
	for axis := range 3 {
		s := graphs.Shape{3, 4, 300}
		one := s.Clone()
		one[axis] = 1
		g, err := graphs.Build("scatter", func(g *graphs.Graph) {
			x := g.Input("x", graphs.Float32, s...)
			picked := g.GatherElements(x, g.Input("labels", graphs.Int64, one...), axis)
			loss := g.ReduceSum(g.Mul(picked, g.Input("cotangent", graphs.Float32, one...)), nil, false)
			g.Output("grad", graphs.Gradients(loss, x)[0])
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, ours := runBoth(t, e, g, draw(g, rng.New(1, 0, "scatter"))); (ours > 0) != (axis < 2) { // the last axis has nothing after it
			t.Errorf("axis %d: %d nodes are ours", axis, ours)
		}
		model, err := g.MarshalNative(true)
		if err != nil {
			t.Fatal(err)
		}
		for _, label := range []int64{-3, -1, 2, 4, -5} {
			session, err := e.NewSessionWith("scatter", model, engine.SessionOptions{Native: true})
			if err != nil {
				t.Fatal(err)
			}
			labels := make([]int64, one.Size())
			labels[len(labels)-1] = label
			_, err = session.Run(t.Context(), map[string]*engine.Tensor{
				"x": enginetest.Tensor(t, make([]float32, s.Size()), s...), "labels": enginetest.Tensor(t, labels, one...),
				"cotangent": enginetest.Tensor(t, make([]float32, one.Size()), one...),
			})
			n := int64(s[axis])
			if bad := label < -n || label >= n; bad != (err != nil) {
				t.Errorf("axis %d, label %d: have %v", axis, label, err)
			}
			session.Close()
		}
	}
}

// convKind is a convolution of every channel by itself, of x with kernels k.
type convKind struct {
	x     graphs.Shape
	k     [2]int
	a     graphs.ConvAttrs
	bias  bool
	stock bool // left to ONNX Runtime
}

// TestNativeConv: kernels, strides, dilations and pads of all kinds, values that overflow and that are not
// finite, and what ONNX Runtime computes otherwise and is left to it.
func TestNativeConv(t *testing.T) {
	one := [4]int{1, 1, 1, 1}
	kinds := []convKind{
		{x: graphs.Shape{2, 3, 16, 16}, k: [2]int{3, 3}, a: graphs.ConvAttrs{Pads: one}, bias: true},
		{x: graphs.Shape{2, 3, 9, 20}, k: [2]int{7, 7}, a: graphs.ConvAttrs{Pads: [4]int{3, 3, 3, 3}}, bias: true},
		{x: graphs.Shape{2, 4, 9, 9}, k: [2]int{8, 8}, a: graphs.ConvAttrs{Pads: one}, stock: true},
		{x: graphs.Shape{1, 40, 2, 2}, k: [2]int{3, 3}, a: graphs.ConvAttrs{Pads: one}},
		{x: graphs.Shape{2, 2, 1, 1}, k: [2]int{3, 3}, a: graphs.ConvAttrs{Pads: one}},
		{x: graphs.Shape{1, 2, 25, 41}, k: [2]int{3, 3}, a: graphs.ConvAttrs{Pads: one}}, // 1024 elements and one
		{x: graphs.Shape{1, 4, 5, 8}, k: [2]int{3, 8}, stock: true},
		{x: graphs.Shape{1, 4, 3, 8}, k: [2]int{3, 1}, stock: true},
		{x: graphs.Shape{2, 3, 4, 4}, k: [2]int{3, 3}, a: graphs.ConvAttrs{Strides: [2]int{5, 5}, Pads: [4]int{4, 5, 0, 1}}, bias: true}, // some windows see nothing but zeros
		{x: graphs.Shape{2, 3, 1, 4}, k: [2]int{2, 2}, a: graphs.ConvAttrs{Strides: [2]int{7, 7}, Pads: [4]int{2, 2, 0, 0}}},
		{x: graphs.Shape{1, 3, 1, 20}, k: [2]int{2, 2}, a: graphs.ConvAttrs{Strides: [2]int{7, 1}, Pads: [4]int{2, 2, 0, 0}}},
		{x: graphs.Shape{2, 3, 9, 9}, k: [2]int{3, 3}, a: graphs.ConvAttrs{Pads: [4]int{-1, -2, 1, 1}}, stock: true},
		{x: graphs.Shape{2, 3, 9, 9}, k: [2]int{3, 3}, a: graphs.ConvAttrs{Pads: [4]int{1, 1, -1, -2}}},
		{x: graphs.Shape{2, 1, 16, 16}, k: [2]int{3, 3}, a: graphs.ConvAttrs{Pads: one}, stock: true},
	}
	r := rng.New(1, 0, "convolutions")
	for range 60 {
		c := convKind{x: graphs.Shape{1 + r.IntN(2), 2 + r.IntN(5), 1 + r.IntN(40), 1 + r.IntN(70)}, bias: r.IntN(2) == 0}
		c.k = [2]int{1 + r.IntN(7), 2 + r.IntN(6)}
		c.a = graphs.ConvAttrs{Strides: [2]int{1 + r.IntN(3), 1 + r.IntN(3)}, Dilations: [2]int{1 + r.IntN(3), 1 + r.IntN(3)}}
		for i := range 2 { // pads up to more than the kernel's reach, and so large that it fits
			reach := c.a.Dilations[i] * (c.k[i] - 1)
			c.a.Pads[i], c.a.Pads[i+2] = 1+r.IntN(reach+1), r.IntN(reach+2)
			c.a.Pads[i+2] = max(c.a.Pads[i+2], reach+1-c.x[2+i]-c.a.Pads[i])
		}
		kinds = append(kinds, c)
	}
	for _, threads := range []int{1, 2} {
		e := onCPU(t, threads)
		for i, c := range kinds {
			g, err := graphs.Build(fmt.Sprint("kind ", i), func(g *graphs.Graph) {
				channels, a := c.x[1], c.a
				a.Group = channels
				x, w := g.Input("x", graphs.Float32, c.x...), g.Input("w", graphs.Float32, channels, 1, c.k[0], c.k[1])
				var b *graphs.Value
				if c.bias {
					b = g.Input("b", graphs.Float32, channels)
				}
				g.Output("y", g.Conv(x, w, b, a))
				g.Output("huge", g.Conv(g.Mul(x, g.Scalar(3e38)), w, b, a))
				g.Output("infinite", g.Conv(x, g.Div(w, g.Scalar(0)), b, a))
				g.Output("zero", g.Div(g.Scalar(1), g.Conv(g.Mul(x, g.Scalar(0)), w, nil, a))) // the sign of a zero shows
			})
			if err != nil {
				t.Fatal(i, c, err)
			}
			runBoth(t, e, g, draw(g, rng.New(1, 0, "conv")))
			want := 4
			if c.stock {
				want = 0
			}
			if n := nodesOf(t, g, "DepthwiseConv"); n != want {
				t.Errorf("%d %+v: %d nodes are ours, want %d", i, c, n, want)
			}
		}
	}
}

// TestNativeConvGradient: by the input, of stride 1, too.
func TestNativeConvGradient(t *testing.T) {
	e := onCPU(t, 2)
	g, err := graphs.Build("gradient", func(g *graphs.Graph) {
		x, w := g.Input("x", graphs.Float32, 2, 3, 9, 20), g.Input("w", graphs.Float32, 3, 1, 3, 3)
		y := g.Conv(x, w, g.Input("b", graphs.Float32, 3), graphs.ConvAttrs{Group: 3, Pads: [4]int{1, 1, 1, 1}})
		loss := g.ReduceSum(g.Mul(y, g.Input("cotangent", graphs.Float32, y.Shape()...)), nil, false)
		for k, d := range graphs.Gradients(loss, x, w) {
			g.Output(fmt.Sprint("grad", k), d)
		}
		g.Output("y", y)
	})
	if err != nil {
		t.Fatal(err)
	}
	runBoth(t, e, g, draw(g, rng.New(1, 0, "gradient")))
	if n := nodesOf(t, g, "DepthwiseConv"); n != 2 {
		t.Errorf("%d nodes are ours, want that of y and that of x's gradient", n)
	}
}

// TestNativeWeightGradient: kernels, strides, dilations and pads of all kinds, the same bits with one thread
// and with two; what is no number stays with the taps that see it.
func TestNativeWeightGradient(t *testing.T) {
	r := rng.New(1, 0, "weight gradients")
	engines := []*engine.Engine{onCPU(t, 1), onCPU(t, 2)}
	for i := range 80 {
		c := convKind{x: graphs.Shape{1 + r.IntN(3), 1 + r.IntN(70), 1 + r.IntN(40), 1 + r.IntN(70)}, k: [2]int{1 + r.IntN(7), 1 + r.IntN(7)}}
		c.a = graphs.ConvAttrs{Group: c.x[1], Strides: [2]int{1 + r.IntN(3), 1 + r.IntN(3)}, Dilations: [2]int{1 + r.IntN(3), 1 + r.IntN(3)}}
		back := i%3 == 2 // as the gradient of the transposed convolution
		for i := range 2 {
			if reach := c.a.Dilations[i] * (c.k[i] - 1); !back {
				c.a.Pads[i] = r.IntN(reach + 1)
				c.a.Pads[i+2] = max(r.IntN(reach+1), reach+1-c.x[2+i]-c.a.Pads[i])
			}
		}
		var seen, by *graphs.Value
		g, err := graphs.Build(fmt.Sprint("kind ", i), func(g *graphs.Graph) {
			x, w := g.Input("x", graphs.Float32, c.x...), g.Input("w", graphs.Float32, c.x[1], 1, c.k[0], c.k[1])
			y := g.Conv
			if back {
				y = func(x, w, b *graphs.Value, a graphs.ConvAttrs) *graphs.Value {
					return g.ConvTranspose(x, w, b, a, [2]int{})
				}
			}
			z := y(x, w, nil, c.a)
			seen, by = x, g.Input("cotangent", graphs.Float32, z.Shape()...)
			if back {
				seen, by = by, seen
			}
			g.Output("grad", graphs.Gradients(g.ReduceSum(g.Mul(z, g.Inputs()[2]), nil, false), w)[0])
		})
		if err != nil {
			t.Fatal(i, c, err)
		}
		model, err := g.MarshalNative(false)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(model), "DepthwiseWeightGrad") < 1 || nodesOf(t, g, "DepthwiseWeightGrad") != 0 {
			t.Errorf("%d %+v: the node is not ours, or not only where other bits may be", i, c)
		}
		inputs := draw(g, rng.New(uint64(i), 0, "inputs"))
		if i%4 == 3 {
			x := inputs[seen.Name()]
			x[r.IntN(len(x))] = math.NaN()
		}
		var have [2][]float64
		for k, e := range engines {
			have[k] = runModel(t, e, g, model, engine.SessionOptions{Native: true}, tensorsOf(t, g, inputs))["grad"]
		}
		want, size := refWeightGradient(c, seen.Shape(), by.Shape(), inputs[seen.Name()], inputs[by.Name()])
		for k, x := range want {
			a, b := have[0][k], have[1][k]
			if math.Float64bits(a) != math.Float64bits(b) && !math.IsNaN(a) {
				t.Fatalf("%d %+v: element %d is %g, with two threads %g", i, c, k, a, b)
			}
			if math.IsNaN(x) != math.IsNaN(a) || math.Abs(a-x) > 1e-6*size[k] {
				t.Fatalf("%d %+v: element %d is %g, want %g", i, c, k, a, x)
			}
		}
	}
}

// refWeightGradient returns the gradient of a convolution of x by its weights, and the sums of the products'
// sizes.
func refWeightGradient(c convKind, xs, dys graphs.Shape, x, dy []float64) (grad, size []float64) {
	taps := c.k[0] * c.k[1]
	grad, size = make([]float64, xs[1]*taps), make([]float64, xs[1]*taps)
	for at := range xs[0] * xs[1] * taps * dys[2] * dys[3] {
		column, row := at%dys[3], at/dys[3]%dys[2]
		tap, m := at/(dys[2]*dys[3])%taps, at/(dys[2]*dys[3]*taps)
		i := row*c.a.Strides[0] + tap/c.k[1]*c.a.Dilations[0] - c.a.Pads[0]
		j := column*c.a.Strides[1] + tap%c.k[1]*c.a.Dilations[1] - c.a.Pads[1]
		if i < 0 || i >= xs[2] || j < 0 || j >= xs[3] {
			continue
		}
		product := x[(m*xs[2]+i)*xs[3]+j] * dy[(m*dys[2]+row)*dys[3]+column]
		grad[m%xs[1]*taps+tap] += product
		size[m%xs[1]*taps+tap] += math.Abs(product)
	}
	return grad, size
}

// roundOtherwise are the operators of ours that round otherwise than ONNX Runtime.
var roundOtherwise = []string{"DepthwiseWeightGrad", "GeluGrad", "LayerNormGrad", "ResizeGrad"}

// TestNativeFast: every operator and its gradient are what the interpreter computes, with all kernels of ours.
func TestNativeFast(t *testing.T) {
	e := onCPU(t, 1)
	ours := map[string]int{}
	for _, c := range cases.All() {
		g := graphOf(t, c)
		model, err := g.MarshalNative(false)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range roundOtherwise {
			ours[op] += strings.Count(string(model), op)
		}
		inputs := inputsOf(c, rng.New(1, 0, c.Name()))
		t.Run(c.Name(), func(t *testing.T) { compareRuns(t, fastRun(t, e, g, inputs), graphtest.Run(g, inputs)) })
	}
	for _, op := range roundOtherwise {
		if ours[op] == 0 {
			t.Errorf("no case has %s", op)
		}
	}
}

// arrays are a graph's inputs for the interpreter.
func arrays(g *graphs.Graph, inputs map[string][]float64) map[string]graphtest.Array {
	out := map[string]graphtest.Array{}
	for _, v := range g.Inputs() {
		out[v.Name()] = graphtest.Array{Shape: v.Shape(), Data: inputs[v.Name()]}
	}
	return out
}

// fastRun runs a graph with all kernels of ours.
func fastRun(t *testing.T, e *engine.Engine, g *graphs.Graph, inputs map[string]graphtest.Array) map[string]graphtest.Array {
	t.Helper()
	model, err := g.MarshalNative(false)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string][]float64{}
	for name, a := range inputs {
		data[name] = a.Data
	}
	out := map[string]graphtest.Array{}
	results := runModel(t, e, g, model, engine.SessionOptions{Native: true}, tensorsOf(t, g, data))
	for _, o := range g.Outputs() {
		out[o.Name] = graphtest.Array{Shape: o.Value.Shape(), Data: results[o.Name]}
	}
	return out
}

// TestNativeGradients: of sizes that fill no vector and no part of a run, and of those that do, the same bits
// with one thread and with two.
func TestNativeGradients(t *testing.T) {
	type build func(g *graphs.Graph) (y *graphs.Value, wrt []*graphs.Value)
	builds := map[string]build{}
	for _, s := range []graphs.Shape{{1, 1}, {3, 5}, {16, 16}, {17, 33}, {2, 150, 64}, {3, 400, 160}, {1, 40000}} {
		builds[fmt.Sprint("LayerNormGrad ", s)] = func(g *graphs.Graph) (*graphs.Value, []*graphs.Value) {
			x, scale, bias := g.Input("x", graphs.Float32, s...), g.Param("scale", s[len(s)-1]), g.Param("bias", s[len(s)-1])
			return g.LayerNormalization(x, scale, bias, 1e-5), []*graphs.Value{x, scale, bias}
		}
	}
	for _, n := range []int{1, 7, 8, 9, 8191, 8192, 20001} {
		builds[fmt.Sprint("GeluGrad ", n)] = func(g *graphs.Graph) (*graphs.Value, []*graphs.Value) {
			x := g.Input("x", graphs.Float32, n)
			return g.Gelu(g.Mul(x, g.Scalar(3))), []*graphs.Value{x}
		}
	}
	r := rng.New(1, 0, "sizes")
	for range 40 {
		s, h, w := graphs.Shape{1 + r.IntN(3), 1 + r.IntN(5), 1 + r.IntN(30), 1 + r.IntN(40)}, 1+r.IntN(70), 1+r.IntN(70)
		if r.IntN(2) == 0 {
			h, w = s[2]*(1+r.IntN(8)), s[3]*(1+r.IntN(8))
		}
		if s[2] == h && s[3] == w {
			w++
		}
		builds[fmt.Sprint("ResizeGrad ", s, h, w)] = func(g *graphs.Graph) (*graphs.Value, []*graphs.Value) {
			x := g.Input("x", graphs.Float32, s...)
			return g.Resize(x, h, w, "linear"), []*graphs.Value{x}
		}
	}
	engines := []*engine.Engine{onCPU(t, 1), onCPU(t, 2)}
	for name, build := range builds {
		t.Run(name, func(t *testing.T) {
			g, err := graphs.Build("gradients", func(g *graphs.Graph) {
				y, wrt := build(g)
				g.Output("y", g.Mul(y, g.Scalar(0.5)))
				loss := g.ReduceSum(g.Mul(y, g.Input("cotangent", graphs.Float32, y.Shape()...)), nil, false)
				for k, d := range graphs.Gradients(loss, wrt...) {
					g.Output(fmt.Sprint("grad", k), d)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			op, _, _ := strings.Cut(name, " ")
			tolerance := 2e-6
			if op == "ResizeGrad" {
				tolerance = 1e-5 // where results lie is worked out in float32, as ONNX Runtime does for Resize
			}
			if model, err := g.MarshalNative(false); err != nil || !strings.Contains(string(model), op) || nodesOf(t, g, op) != 0 {
				t.Errorf("the node is not ours, or not only where other bits may be (%v)", err)
			}
			inputs := arrays(g, draw(g, rng.New(1, 0, name)))
			want, have, two := graphtest.Run(g, inputs), fastRun(t, engines[0], g, inputs), fastRun(t, engines[1], g, inputs)
			for name, a := range want {
				if !slices.Equal(have[name].Data, two[name].Data) {
					t.Error("two threads compute something else")
				}
				var size float64
				for _, x := range a.Data {
					size = max(size, math.Abs(x))
				}
				for i, x := range a.Data {
					if d := math.Abs(x - have[name].Data[i]); !(d <= tolerance*max(size, 1)) {
						t.Fatalf("%s[%d] is %g, %g in the interpreter", name, i, have[name].Data[i], x)
					}
				}
			}
		})
	}
}

// TestNativeGeluEnds: where float32 ends the gradient is what it is by ONNX's operators.
func TestNativeGeluEnds(t *testing.T) {
	e := onCPU(t, 1)
	ends := []float64{0, math.Copysign(0, -1), 1e-38, -1e-38, 9, -9, 13, -13, 14, -14, 100, -100, 1e30, -1e30, 3e38, -3e38, math.Inf(1), math.Inf(-1), math.NaN()}
	g, err := graphs.Build("ends", func(g *graphs.Graph) {
		x := g.Input("x", graphs.Float32, len(ends))
		g.Output("grad", graphs.Gradients(g.ReduceSum(g.Mul(g.Gelu(x), g.Input("by", graphs.Float32, len(ends))), nil, false), x)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	model, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]graphtest.Array{"x": {Shape: graphs.Shape{len(ends)}, Data: ends}, "by": graphtest.Fill(func() float64 { return 1 }, len(ends))}
	have := fastRun(t, e, g, inputs)["grad"].Data
	stock := runModel(t, e, g, model, engine.SessionOptions{}, tensorsOf(t, g, map[string][]float64{"x": ends, "by": inputs["by"].Data}))["grad"]
	for i, x := range ends {
		if a, b := have[i], stock[i]; math.IsNaN(a) != math.IsNaN(b) || math.Abs(a-b) > 3e-7 {
			t.Errorf("at %g: %g, by ONNX's operators %g", x, a, b)
		}
	}
}

// TestNativeShortcuts: kernels that stand for several nodes stay out of graphs in a low precision where those
// are products, share none of their results, and leave the graph as it was.
func TestNativeShortcuts(t *testing.T) {
	build := func() *graphs.Graph {
		g, err := graphs.Build("shortcuts", func(g *graphs.Graph) {
			x := g.Input("x", graphs.Float32, 1, 4, 6, 8)
			y := g.Conv(x, g.Param("w", 4, 1, 3, 3), nil, graphs.ConvAttrs{Group: 4, Pads: [4]int{1, 1, 1, 1}})
			a := g.LayerNormalization(y, g.Param("scale", 8), g.Param("bias", 8), 1e-5)
			b := g.LayerNormalization(g.Exp(y), g.Param("scale2", 8), g.Param("bias2", 8), 1e-5)
			loss := g.ReduceSum(g.Mul(g.Add(a, b), g.Input("cotangent", graphs.Float32, y.Shape()...)), nil, false) // the biases have one gradient
			for k, d := range graphs.Gradients(loss, g.Params()...) {
				g.Output(fmt.Sprint("grad", k), d)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	count := func(g *graphs.Graph, op string) int {
		model, err := g.MarshalNative(false)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(model), op)
	}
	g := build()
	before, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if n := count(g, "LayerNormGrad"); n != 1 {
		t.Errorf("%d gradients of norms are ours, want one: the other's bias has its sum", n)
	}
	if n := count(g, "DepthwiseWeightGrad"); n != 1 {
		t.Errorf("%d gradients by weights are ours", n)
	}
	if after, err := g.Marshal(); err != nil || !slices.Equal(before, after) {
		t.Error("marshalling changed the graph", err)
	}
	inputs := arrays(g, draw(g, rng.New(1, 0, "shortcuts")))
	compareRuns(t, fastRun(t, onCPU(t, 1), g, inputs), graphtest.Run(g, inputs))
	low := build()
	low.Round(graphs.BFloat16)
	if n := count(low, "DepthwiseWeightGrad"); n != 0 {
		t.Errorf("in a low precision %d products are ours", n)
	}
}

// TestNativeShortcutOperands: there is no shortcut where a result is an operand or stands before one, and
// there is where the nodes that it stands for read an operand only through others.
func TestNativeShortcutOperands(t *testing.T) {
	loss := func(g *graphs.Graph, y *graphs.Value) *graphs.Value {
		return g.ReduceSum(g.Mul(g.Tanh(y), g.Input("cotangent", graphs.Float32, y.Shape()...)), nil, false)
	}
	norm := func(g *graphs.Graph, x *graphs.Value) *graphs.Value {
		return g.LayerNormalization(x, g.Param("scale", 8), g.Param("bias", 8), 1e-5)
	}
	apart := graphs.ConvAttrs{Group: 4, Strides: [2]int{2, 2}, Pads: [4]int{1, 1, 1, 1}}
	for name, build := range map[string]func(g *graphs.Graph) *graphs.Value{
		"one row":            func(g *graphs.Graph) *graphs.Value { return loss(g, norm(g, g.Param("x", 8))) },
		"one row, more axes": func(g *graphs.Graph) *graphs.Value { return loss(g, g.Reshape(norm(g, g.Param("x", 1, 8)), 8)) },
		"the sum of a bias": func(g *graphs.Graph) *graphs.Value {
			return loss(g, g.Add(g.Reshape(norm(g, g.Param("x", 2, 6, 8)), 2, 2, 3, 8), g.Param("b", 8)))
		},
		"weights, by Reshapes": func(g *graphs.Graph) *graphs.Value {
			return loss(g, g.Reshape(g.Conv(g.Input("x", graphs.Float32, 1, 4, 6, 8), g.Param("w", 4, 1, 3, 3), nil, apart), 1, 4, 12))
		},
		"a map by Reshapes": func(g *graphs.Graph) *graphs.Value {
			y := g.Conv(g.Reshape(g.Input("x", graphs.Float32, 4, 48), 1, 4, 6, 8), g.Param("w", 4, 1, 3, 3), nil, apart)
			return g.ReduceSum(g.Mul(y, g.Input("cotangent", graphs.Float32, y.Shape()...)), nil, false)
		},
		"a block": func(g *graphs.Graph) *graphs.Value {
			var y *graphs.Value
			x := g.Param("x", 2, 6, 8)
			g.Block(func() { y = norm(g, g.Exp(x)) })
			return loss(g, g.Add(y, g.Param("b", 8)))
		},
	} {
		for _, derive := range []func(*graphs.Value, ...*graphs.Value) []*graphs.Value{graphs.Gradients, graphs.Recomputed} {
			g, err := graphs.Build(name, func(g *graphs.Graph) {
				y := build(g)
				for k, d := range derive(y, g.Params()...) {
					g.Output(fmt.Sprint("grad", k), d)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			inputs := arrays(g, draw(g, rng.New(1, 0, name)))
			t.Run(name, func(t *testing.T) { compareRuns(t, fastRun(t, onCPU(t, 1), g, inputs), graphtest.Run(g, inputs)) })
		}
	}
}

// TestNativeSoftmaxGradient: rows of all lengths that there is a kernel for, and of others, one row, rows
// that overflow; along another axis or through what a Transpose may be moved past it is left to ONNX Runtime.
func TestNativeSoftmaxGradient(t *testing.T) {
	for _, c := range []struct {
		shape graphs.Shape
		axis  int
		ours  int
	}{
		{graphs.Shape{4}, 0, 1},
		{graphs.Shape{3, 8}, 1, 1},
		{graphs.Shape{5, 7, 12}, 2, 1},
		{graphs.Shape{1, 2, 16}, 2, 1},
		{graphs.Shape{2, 9, 20}, -1, 1},
		{graphs.Shape{2, 300, 64}, -1, 1},
		{graphs.Shape{7, 1000}, 1, 1},
		{graphs.Shape{2, 40000}, 1, 1},
		{graphs.Shape{4096}, 0, 1},
		{graphs.Shape{3, 18}, 1, 0},
		{graphs.Shape{4, 3}, 1, 0},
		{graphs.Shape{2, 4, 8}, 1, 0},
	} {
		for _, threads := range []int{1, 2} {
			g, err := graphs.Build(fmt.Sprint(c.shape), func(g *graphs.Graph) {
				x, by := g.Input("x", graphs.Float32, c.shape...), g.Input("cotangent", graphs.Float32, c.shape...)
				of := func(name string, by *graphs.Value) {
					y := g.Softmax(g.Mul(x, g.Scalar(float32(1+len(name)))), c.axis)
					loss := g.ReduceSum(g.Mul(y, by), nil, false)
					g.Output(name, graphs.Gradients(loss, x)[0])
				}
				of("plain", by)
				of("huge", g.Mul(by, g.Scalar(3e38)))
				log := g.Log(g.Softmax(g.Mul(x, g.Scalar(7)), c.axis)) // ONNX Runtime divides by what the quotient is multiplied by
				g.Output("log", graphs.Gradients(g.ReduceSum(log, nil, false), x)[0])
				y := g.Softmax(g.Mul(x, g.Scalar(9)), c.axis)
				g.Output("same", graphs.Gradients(g.ReduceSum(y, nil, false), x)[0]) // a cotangent of one element
				if len(c.shape) == 3 {
					moved := g.Mul(g.Transpose(g.Exp(g.Transpose(x, 0, 2, 1)), 0, 2, 1), g.Scalar(2))
					z := g.Softmax(moved, c.axis)
					g.Output("moved", graphs.Gradients(g.ReduceSum(g.Mul(g.Exp(g.Transpose(z, 2, 0, 1)), g.Scalar(3)), nil, false), x)[0])
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			runBoth(t, onCPU(t, threads), g, draw(g, rng.New(1, 0, "softmax")))
			if n := nodesOf(t, g, "SoftmaxGrad"); n != 2*c.ours {
				t.Errorf("%v along %d: %d nodes are ours, want %d", c.shape, c.axis, n, 2*c.ours)
			}
		}
	}
}

// TestNativeNeighbours: what ONNX Runtime computes together with a neighbour, or in another layout, by
// which it rounds otherwise: convolutions to which another map is added, with operators between that it
// leaves out or moves, and what follows convolutions with constant weights.
func TestNativeNeighbours(t *testing.T) {
	e := onCPU(t, 1)
	attrs := graphs.ConvAttrs{Group: 8, Pads: [4]int{1, 1, 1, 1}}
	single := func(g *graphs.Graph, x float32) *graphs.Value { return g.Floats([]float32{x}, 1) }
	last := func(g *graphs.Graph, x *graphs.Value) *graphs.Value { return g.Transpose(x, 0, 2, 3, 1) }
	weights := make([]float32, 16*16*9)
	for i, r := 0, rng.New(1, 0, "weights"); i < len(weights); i++ {
		weights[i] = float32(r.NormFloat64())
	}
	laidOut := func(g *graphs.Graph, x *graphs.Value) *graphs.Value {
		return g.Conv(g.Concat(1, x, x), g.Floats(weights, 16, 16, 3, 3), nil, graphs.ConvAttrs{Pads: attrs.Pads})
	}
	for _, c := range []struct {
		name  string
		build func(g *graphs.Graph, x, y, z *graphs.Value) *graphs.Value // y: a convolution of x
		ours  int                                                        // convolutions and enlargements
	}{
		{"alone", func(g *graphs.Graph, _, y, _ *graphs.Value) *graphs.Value { return g.Exp(y) }, 1},
		{"relu", func(g *graphs.Graph, _, y, _ *graphs.Value) *graphs.Value { return g.Relu(y) }, 1},
		{"clip", func(g *graphs.Graph, _, y, _ *graphs.Value) *graphs.Value { return g.Clip(y, 0, 6) }, 1},
		{"sigmoid", func(g *graphs.Graph, _, y, _ *graphs.Value) *graphs.Value { return g.Sigmoid(y) }, 1},
		{"hard sigmoid", func(g *graphs.Graph, _, y, _ *graphs.Value) *graphs.Value { return g.HardSigmoid(y, 0.2, 0.5) }, 1},
		{"multiplied", func(g *graphs.Graph, _, y, z *graphs.Value) *graphs.Value { return g.Mul(y, z) }, 1},
		{"sum", func(g *graphs.Graph, _, y, z *graphs.Value) *graphs.Value { return g.Add(y, z) }, 0},
		{"sum, relu", func(g *graphs.Graph, _, y, z *graphs.Value) *graphs.Value { return g.Relu(g.Add(z, y)) }, 0},
		{"moved sum", func(g *graphs.Graph, _, y, z *graphs.Value) *graphs.Value { return g.Add(last(g, y), last(g, z)) }, 0},
		{"sum behind nothing", func(g *graphs.Graph, _, y, z *graphs.Value) *graphs.Value { return g.Add(g.Identity(y), z) }, 0},
		{"sum behind a detached one", func(g *graphs.Graph, _, y, z *graphs.Value) *graphs.Value { return g.Add(g.Detach(y), z) }, 0},
		{"sum behind a product with 1", func(g *graphs.Graph, _, y, z *graphs.Value) *graphs.Value { return g.Add(g.Mul(y, single(g, 1)), z) }, 0},
		{"sum behind a difference of 0", func(g *graphs.Graph, _, y, z *graphs.Value) *graphs.Value { return g.Add(g.Sub(y, single(g, 0)), z) }, 0},
		{"sum behind a quotient by 1", func(g *graphs.Graph, _, y, z *graphs.Value) *graphs.Value { return g.Add(g.Div(y, single(g, 1)), z) }, 0},
		{"sum with a dense one behind a difference of 0", func(g *graphs.Graph, x, _, z *graphs.Value) *graphs.Value {
			return g.Add(g.Sub(g.Conv(x, g.Param("dense", 8, 8, 3, 3), g.Param("bias", 8), graphs.ConvAttrs{Pads: attrs.Pads}), single(g, 0)), z)
		}, 0},
		{"constant weights", func(g *graphs.Graph, x, _, _ *graphs.Value) *graphs.Value {
			return g.Conv(x, g.Reshape(g.Floats(weights[:72], 72), 8, 1, 3, 3), nil, attrs)
		}, 0},
		{"enlarged", func(g *graphs.Graph, x, _, _ *graphs.Value) *graphs.Value { return g.Resize(x, 32, 32, "linear") }, 1},
		{"enlarged in blocks", func(g *graphs.Graph, x, _, _ *graphs.Value) *graphs.Value {
			return g.Resize(laidOut(g, x), 32, 32, "linear")
		}, 0},
		{"enlarged in blocks behind others", func(g *graphs.Graph, x, _, z *graphs.Value) *graphs.Value {
			return g.Resize(g.Add(g.Relu(laidOut(g, x)), g.Concat(1, z, z)), 64, 32, "linear")
		}, 0},
		{"enlarged behind a Transpose and an axis that moved", func(g *graphs.Graph, x, _, _ *graphs.Value) *graphs.Value {
			moved := g.Transpose(g.Slice(x, []int{0}, []int{1}, []int{0}, nil), 3, 0, 1, 2)
			return g.ReduceSum(last(g, g.Resize(g.Reshape(moved, 1, 16, 8, 16), 32, 32, "linear")), []int{1}, false)
		}, 0},
		{"enlarged behind a Transpose", func(g *graphs.Graph, x, _, _ *graphs.Value) *graphs.Value {
			return g.ReduceSum(last(g, g.Resize(g.Transpose(x, 0, 3, 1, 2), 32, 32, "linear")), []int{1}, false)
		}, 0},
	} {
		g, err := graphs.Build(c.name, func(g *graphs.Graph) {
			x, z := g.Input("x", graphs.Float32, 2, 8, 16, 16), g.Input("z", graphs.Float32, 2, 8, 16, 16)
			y := g.Conv(x, g.Input("w", graphs.Float32, 8, 1, 3, 3), g.Input("b", graphs.Float32, 8), attrs)
			g.Output("out", g.Exp(c.build(g, x, y, z)))
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(c.name, func(t *testing.T) {
			runBoth(t, e, g, draw(g, rng.New(1, 0, "neighbours")))
			if n := nodesOf(t, g, "DepthwiseConv") + nodesOf(t, g, "ResizeLinear"); n != c.ours {
				t.Errorf("%d nodes are ours, want %d", n, c.ours)
			}
		})
	}
}

// TestNativeResize: sizes that are multiples, parts and neither, of one row or column, and values that
// overflow; a map that a Transpose may be moved through is left to ONNX Runtime.
func TestNativeResize(t *testing.T) {
	r := rng.New(1, 0, "sizes")
	for _, threads := range []int{1, 2} {
		e := onCPU(t, threads)
		for i := range 60 {
			s := graphs.Shape{1 + r.IntN(3), 1 + r.IntN(5), 1 + r.IntN(30), 1 + r.IntN(40)}
			h, w := 1+r.IntN(70), 1+r.IntN(70)
			if i%3 == 0 {
				h, w = s[2]*(1+r.IntN(8)), s[3]*(1+r.IntN(8))
			}
			g, err := graphs.Build(fmt.Sprint("resize ", i), func(g *graphs.Graph) {
				x := g.Input("x", graphs.Float32, s...)
				g.Output("y", g.Resize(g.Mul(x, g.Scalar(1)), h, w, "linear"))
				g.Output("huge", g.Resize(g.Mul(x, g.Scalar(3e38)), h, w, "linear"))
				g.Output("nearest", g.Resize(g.Mul(x, g.Scalar(2)), h, w, "nearest"))
				moved := g.Resize(g.Transpose(g.Mul(x, g.Scalar(3)), 0, 3, 1, 2), h, w, "linear")
				g.Output("moved", g.ReduceSum(g.Exp(g.Transpose(moved, 0, 2, 3, 1)), []int{1}, false))
			})
			if err != nil {
				t.Fatal(err)
			}
			least, most := 2, 2
			if slices.Contains(s[1:], 1) {
				most = 3 // that Transpose may be none
			}
			if s[2] == h && s[3] == w {
				least, most = 0, 0
			}
			runBoth(t, e, g, draw(g, rng.New(1, 0, "resize")))
			if n := nodesOf(t, g, "ResizeLinear"); n < least || n > most {
				t.Errorf("%v to %d×%d: %d nodes are ours, want %d to %d", s, h, w, n, least, most)
			}
		}
	}
}
