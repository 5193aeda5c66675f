package graphs

import "fmt"

// samples applies each of [NarrowOperators] to small operands, of such shapes that no optimiser takes
// the node for superfluous.
var samples = map[string]func(g *Graph) *Value{
	"Conv": func(g *Graph) *Value {
		return g.Conv(g.sample("x", 1, 8, 6, 6), g.sample("w", 8, 8, 3, 3), g.sample("b", 8), ConvAttrs{Pads: [4]int{1, 1, 1, 1}})
	},
	"ConvTranspose": func(g *Graph) *Value {
		return g.ConvTranspose(g.sample("x", 1, 8, 3, 3), g.sample("w", 8, 8, 3, 3), nil, ConvAttrs{Strides: [2]int{2, 2}, Pads: [4]int{1, 1, 1, 1}}, [2]int{1, 1})
	},
	"FusedMatMul": func(g *Graph) *Value {
		return g.FusedMatMul(g.sample("x", 2, 8, 16), g.sample("w", 8, 16), false, true, 0.5)
	},
	"Gemm": func(g *Graph) *Value {
		return g.Gemm(g.sample("x", 8, 16), g.sample("w", 16, 8), g.sample("b", 8), false, false)
	},
	"MatMul": func(g *Graph) *Value { return g.MatMul(g.sample("x", 2, 8, 16), g.sample("w", 16, 8)) },

	"Concat":  func(g *Graph) *Value { return g.Concat(0, g.sample("x", 2, 3), g.sample("w", 1, 3)) },
	"Expand":  func(g *Graph) *Value { return g.Expand(g.sample("x", 1, 3), 2, 3) },
	"Gather":  func(g *Graph) *Value { return g.Gather(g.sample("x", 4, 3), g.Ints([]int64{2, 0, 1}, 3), 0) },
	"Pad":     func(g *Graph) *Value { return g.Pad(g.sample("x", 2, 3), []int{0, 1, 1, 0}, 0) },
	"Reshape": func(g *Graph) *Value { return g.Reshape(g.sample("x", 2, 3), 3, 2) },
	"Slice": func(g *Graph) *Value {
		return g.Slice(g.sample("x", 4, 5), []int{1, 0}, []int{3, 5}, []int{0, 1}, []int{1, 2})
	},
	"Split":     func(g *Graph) *Value { return g.Split(g.sample("x", 4, 3), 0, 1, 3)[1] },
	"Transpose": func(g *Graph) *Value { return g.Transpose(g.sample("x", 2, 3), 1, 0) },
}

// sample declares an operand of a sample.
func (g *Graph) sample(name string, dims ...int) *Value { return g.Input(name, Float32, dims...) }

// Sample returns a graph of one of [NarrowOperators] in dt, with casts before and behind it: what a
// runtime is asked with whether a device has a kernel for it.
func Sample(op string, dt DType) (*Graph, error) {
	apply := samples[op]
	if apply == nil {
		return nil, fmt.Errorf("graphs: %s is never in a low precision", op)
	}
	return Build(op+" in "+dt.String(), func(g *Graph) {
		v := apply(g)
		l := &narrowing{Graph: g, carrier: dt, dt: dt, has: func(string) bool { return false }, low: map[*Value]*Value{}}
		g.Output("y", l.Cast(l.twin(v.node).outputs[v.index], Float32))
	})
}
