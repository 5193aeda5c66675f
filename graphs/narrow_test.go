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
)

// lowTypes are the low precisions with the relative error of one rounding.
var lowTypes = map[graphs.DType]float64{graphs.BFloat16: 0x1p-9 + 0x1p-20, graphs.Float16: 0x1p-11 + 0x1p-20}

// always says that there is every kernel.
func always(string) bool { return true }

// lowRows are the rows of operators that Narrow is about.
func lowRows() (rows []cases.Case) {
	products, movers := graphs.NarrowOperators()
	for _, w := range cases.All() {
		if slices.Contains(products, w.Op) || slices.Contains(movers, w.Op) {
			rows = append(rows, w)
		}
	}
	return rows
}

// TestNarrowGradients: results and gradients of every product, narrowed and rounded, are near those of
// float32, as near as rounding the operands and partial results lets them be.
func TestNarrowGradients(t *testing.T) {
	products, _ := graphs.NarrowOperators()
	for dt, unit := range lowTypes {
		for how, narrow := range map[string]func(g *graphs.Graph){
			"narrow": func(g *graphs.Graph) { g.Narrow(dt, always) },
			"round":  func(g *graphs.Graph) { g.Round(dt) },
		} {
			for _, w := range lowRows() {
				if !slices.Contains(products, w.Op) {
					continue
				}
				t.Run(fmt.Sprint(dt, how, w.Name()), func(t *testing.T) {
					inputs := inputsOf(w, rand.New(rand.NewPCG(6, 7)))
					exact := graphtest.Run(graphOf(t, w), inputs)
					g := graphOf(t, w)
					narrow(g)
					if n := count(g, dt); n == 0 {
						t.Error("nothing is cast")
					}
					near(t, graphtest.Run(g, inputs), exact, unit)
				})
			}
		}
	}
}

// near compares low with exact results by their largest element: sums of products of numbers below
// 1, of which each operand is rounded, and each result, and each part of a sum over taps.
func near(t *testing.T, have, want map[string]graphtest.Array, unit float64) {
	t.Helper()
	for name, a := range want {
		var most, diff float64
		for i, x := range a.Data {
			most, diff = max(most, math.Abs(x)), max(diff, math.Abs(x-have[name].Data[i]))
		}
		if !(diff <= 6*unit*max(most, 1)) {
			t.Errorf("%s is off by %g of %g", name, diff, most)
		}
		if diff == 0 && len(a.Data) > 4 && name != "d2" { // an addend's cotangent is a sum
			t.Errorf("%s: nothing was rounded", name)
		}
	}
}

// count counts the casts to dt that the outputs need.
func count(g *graphs.Graph, dt graphs.DType) (n int) {
	for _, k := range liveNodes(g) {
		if k.Op() == "Cast" && graphs.DType(k.Int("to")) == dt {
			n++
		}
	}
	return n
}

// liveNodes lists the nodes that the outputs need.
func liveNodes(g *graphs.Graph) (nodes []*graphs.Node) {
	needed := map[*graphs.Value]bool{}
	for _, o := range g.Outputs() {
		needed[o.Value] = true
	}
	for _, n := range slices.Backward(g.Nodes()) {
		if !slices.ContainsFunc(n.Outputs(), func(v *graphs.Value) bool { return needed[v] }) {
			continue
		}
		nodes = append(nodes, n)
		for _, v := range n.Inputs() {
			needed[v] = true
		}
	}
	slices.Reverse(nodes)
	return nodes
}

// TestNarrowCasts: a value is cast once however many products read it, also through what moves its
// elements; nothing is cast to float32 and back; what is no product, and what is exact, is float32.
// Every graph is a function of x and w with the gradient of Σ y² by w.
func TestNarrowCasts(t *testing.T) {
	type in = *graphs.Value
	for _, k := range []struct {
		what                   string
		f                      func(g *graphs.Graph, x, w in) in
		casts, products, moved int // to the low type; of low products and movers
	}{
		{"a product", func(g *graphs.Graph, x, w in) in { return g.MatMul(x, w) }, 3, 2, 0}, // x, w, 2y
		// What the first gives is an operand as it is, and so is its cotangent.
		{"two in a row", func(g *graphs.Graph, x, w in) in { return g.MatMul(g.MatMul(x, w), w) }, 3, 5, 0},
		{"elements moved between", func(g *graphs.Graph, x, w in) in {
			return g.MatMul(g.Transpose(g.MatMul(x, w), 1, 0), w)
		}, 3, 5, 2},
		{"a weight as it is, and moved", func(g *graphs.Graph, x, w in) in {
			return g.Add(g.MatMul(x, w), g.MatMul(x, g.Transpose(w, 1, 0)))
		}, 3, 3, 1},
		{"what is read in float32, too, is moved there", func(g *graphs.Graph, x, w in) in {
			m := g.Transpose(w, 1, 0)
			return g.Add(g.MatMul(x, m), m)
		}, 3, 2, 0},
		// The bias's gradient is a product with ones, and a sum.
		{"a sum", func(g *graphs.Graph, x, w in) in {
			return g.Add(g.MatMul(x, w), g.Slice(w, []int{0}, []int{1}, nil, nil))
		}, 3, 2, 0},
		{"exact", func(g *graphs.Graph, x, w in) (y in) {
			g.Exact(func() { y = g.MatMul(x, w) })
			return y
		}, 0, 0, 0},
		{"no product", func(g *graphs.Graph, x, w in) in { return g.Softmax(g.Mul(x, w), 1) }, 0, 0, 0},
		{"the gradient of no product", func(g *graphs.Graph, x, w in) in {
			m := g.Reshape(g.Mul(x, w), 1, 1, 4, 4)
			return g.Reshape(g.Resize(m, 2, 2, "linear"), 2, 2)
		}, 0, 0, 0},
	} {
		g, err := graphs.Build("casts", func(g *graphs.Graph) {
			x, w := g.Input("x", graphs.Float32, 4, 4), g.Param("w", 4, 4)
			y := k.f(g, x, w)
			g.Output("y", y)
			g.Output("dw", graphs.Gradients(g.ReduceSum(g.Mul(y, y), nil, false), w)[0])
		})
		if err != nil {
			t.Fatal(err)
		}
		g.Narrow(graphs.BFloat16, always)
		products, moved := lowNodes(t, g, graphs.BFloat16)
		if casts := count(g, graphs.BFloat16); casts != k.casts || products != k.products || moved != k.moved {
			t.Errorf("%s: %d casts, %d products, %d movers, want %d, %d, %d", k.what, casts, products, moved, k.casts, k.products, k.moved)
		}
	}
}

// lowNodes counts the nodes that give dt, less the casts, and fails where another than a product or
// a mover does, where operands differ in type, or where a value is cast back at once.
func lowNodes(t *testing.T, g *graphs.Graph, dt graphs.DType) (products, moved int) {
	t.Helper()
	productOps, moverOps := graphs.NarrowOperators()
	for _, n := range liveNodes(g) {
		if n.Op() == "Cast" {
			if from := n.Inputs()[0].Node(); from != nil && from.Op() == "Cast" {
				t.Errorf("%s casts what %s has cast", n.Name(), from.Name())
			}
			continue
		}
		low := n.Outputs()[0].DType() == dt
		for _, v := range n.Inputs() {
			if v != nil && (v.DType() == graphs.Float32 || v.DType() == dt) && (v.DType() == dt) != low {
				t.Errorf("%s: operand %v of a node that gives %v", n.Name(), v, n.Outputs()[0])
			}
		}
		switch {
		case !low:
		case slices.Contains(productOps, n.Op()):
			products++
		case slices.Contains(moverOps, n.Op()):
			moved++
		default:
			t.Errorf("%s is in %v", n.Name(), dt)
		}
	}
	return products, moved
}

// TestNarrowKernels: only operators with a kernel are narrowed, and a cast goes no further up than
// movers have one.
func TestNarrowKernels(t *testing.T) {
	for _, k := range []struct {
		lacks           string
		products, moved int
	}{{"", 2, 2}, {"Transpose", 2, 0}, {"MatMul", 1, 1}, {"Gemm", 1, 1}} {
		g, err := graphs.Build("kernels", func(g *graphs.Graph) {
			x, w := g.Input("x", graphs.Float32, 4, 4), g.Input("w", graphs.Float32, 4, 4)
			y := g.MatMul(g.Transpose(x, 1, 0), w)
			g.Output("y", g.Gemm(g.Transpose(y, 1, 0), w, nil, false, false))
		})
		if err != nil {
			t.Fatal(err)
		}
		g.Narrow(graphs.Float16, func(op string) bool { return op != k.lacks })
		if products, moved := lowNodes(t, g, graphs.Float16); products != k.products || moved != k.moved {
			t.Errorf("without %q: %d products, %d movers, want %d, %d", k.lacks, products, moved, k.products, k.moved)
		}
	}
}

// TestPointwise: where there is no kernel of Conv, convolutions of 1×1 are matrix products, with all
// their gradients; they compute the same.
func TestPointwise(t *testing.T) {
	noConv := func(op string) bool { return op != "Conv" }
	for _, w := range lowRows() {
		if w.Op != "Conv" {
			continue
		}
		g := graphOf(t, w)
		inputs := inputsOf(w, rand.New(rand.NewPCG(6, 7)))
		exact := graphtest.Run(graphOf(t, w), inputs)
		g.Narrow(graphs.Float16, noConv)
		lowNodes(t, g, graphs.Float16)
		convs, products := 0, 0
		for _, n := range liveNodes(g) {
			switch {
			case n.Op() == "Conv":
				convs++
			case n.Op() == "MatMul" && n.Outputs()[0].DType() == graphs.Float16:
				products++
			}
		}
		if strings.HasPrefix(w.Variant, "1×1") && w.Variant != "1×1 stride 2" && w.Variant != "1×1 padded" && (convs > 0 || products == 0) {
			t.Errorf("%s: %d convolutions, %d products", w.Name(), convs, products)
		}
		for name, a := range graphtest.Run(g, inputs) {
			for i, x := range exact[name].Data {
				if d := math.Abs(x - a.Data[i]); !(d <= 6*lowTypes[graphs.Float16]*max(1, math.Abs(x))) {
					t.Fatalf("%s: %s[%d] is %g, want %g", w.Name(), name, i, a.Data[i], x)
				}
			}
		}
	}
}

// TestNarrowMistake: float32 is no low precision.
func TestNarrowMistake(t *testing.T) {
	_, err := graphs.Build("mistake", func(g *graphs.Graph) { g.Round(graphs.Float32) })
	if err == nil {
		t.Error("accepted")
	}
}

// TestRoundAgainstRuntime: what rounding by casts gives on the CPU is what the interpreter gives,
// for every product and its gradients, to float32's accuracy of sums: the runtime's optimisers leave
// the casts in.
func TestRoundAgainstRuntime(t *testing.T) {
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1, Device: "cpu"})
	products, _ := graphs.NarrowOperators()
	for dt, unit := range lowTypes {
		for _, w := range lowRows() {
			if !slices.Contains(products, w.Op) {
				continue
			}
			t.Run(fmt.Sprint(dt, w.Name()), func(t *testing.T) {
				g := graphOf(t, w)
				g.Round(dt)
				inputs := inputsOf(w, rand.New(rand.NewPCG(8, 9)))
				have, want := runtimeRun(t, e, g, inputs), graphtest.Run(g, inputs)
				for name, a := range want {
					differ := 0
					for i, x := range a.Data {
						// A sum in another order may be rounded to the neighbouring value.
						d := math.Abs(x - have[name].Data[i])
						if d > 1e-6*max(1, math.Abs(x)) {
							differ++
						}
						if d > 4*unit*max(1, math.Abs(x)) {
							t.Errorf("%s[%d] is %g, %g in the interpreter", name, i, have[name].Data[i], x)
						}
					}
					if 20*differ > len(a.Data) {
						t.Errorf("%s: %d of %d values differ from the interpreter's", name, differ, len(a.Data))
					}
				}
			})
		}
	}
}

// kernels asks the runtime which operators the device has in dt.
func kernels(t *testing.T, e *engine.Engine, dt graphs.DType) (has func(op string) bool) {
	t.Helper()
	runs := map[string]bool{}
	products, movers := graphs.NarrowOperators()
	for _, op := range slices.Concat(products, movers) {
		g, err := graphs.Sample(op, dt)
		if err != nil {
			t.Fatal(err)
		}
		model, err := g.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var reason, again string
		if runs[op], reason, err = e.Runs(op, dt.String(), model); err != nil {
			t.Fatal(err)
		}
		if runs[op] != (reason == "") {
			t.Errorf("%s in %s: %v (%s)", op, dt, runs[op], reason)
		}
		if _, again, err = e.Runs(op, dt.String(), nil); err != nil || again != reason {
			t.Errorf("%s in %s, asked again: %q, %v, was %q", op, dt, again, err, reason)
		}
		t.Logf("%s in %s: %v %s", op, dt, runs[op], reason)
	}
	return func(op string) bool { return runs[op] }
}

// TestSamples: of every operator that may be in a low precision there is a sample, of which the
// runtime says whether the device runs it: in float32 it does, whatever is strict, and where it does
// not there is a reason.
func TestSamples(t *testing.T) {
	e := enginetest.Open(t, engine.Options{Strict: true})
	products, movers := graphs.NarrowOperators()
	for dt := range lowTypes {
		kernels(t, e, dt)
	}
	has := kernels(t, e, graphs.Float32)
	for _, op := range slices.Concat(products, movers) {
		if !has(op) {
			t.Errorf("%s is not run in float32", op)
		}
	}
	if _, err := graphs.Sample("Softmax", graphs.Float16); err == nil {
		t.Error("Softmax has a sample")
	}
}

// TestNarrowAgainstRuntime: on a device with kernels, products in a low precision and their gradients
// are what the interpreter makes of them, as near as partial sums may be rounded otherwise, and no
// node is left to the CPU.
func TestNarrowAgainstRuntime(t *testing.T) {
	var placement engine.Placement
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1, Placed: func(p engine.Placement) { placement = p }})
	products, _ := graphs.NarrowOperators()
	for dt, unit := range lowTypes {
		has := kernels(t, e, dt)
		for _, w := range lowRows() {
			if !slices.Contains(products, w.Op) || !has(w.Op) {
				continue
			}
			t.Run(fmt.Sprint(dt, w.Name()), func(t *testing.T) {
				g := graphOf(t, w)
				g.Narrow(dt, has)
				inputs := inputsOf(w, rand.New(rand.NewPCG(8, 9)))
				have, want := runtimeRun(t, e, g, inputs), graphtest.Run(g, inputs)
				for name, a := range want {
					for i, x := range a.Data {
						if d := math.Abs(x - have[name].Data[i]); !(d <= 6*unit*max(1, math.Abs(x))) {
							t.Errorf("%s[%d] is %g, %g in the interpreter", name, i, have[name].Data[i], x)
						}
					}
				}
				if len(placement.Fallback) > 0 {
					t.Errorf("the CPU runs %v (%s)", placement.Fallback, placement)
				}
			})
		}
	}
}
