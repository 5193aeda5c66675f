package cases

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"t2sda/graphs"
)

// Case is one way of applying an operator.
type Case struct {
	Op, Variant string
	Args        []Arg
	Build       func(g *graphs.Graph, v []*graphs.Value) *graphs.Value
	Tol         float64 // of a check of the gradient by differences in float64; 0: 1e-6
}

// builder is what Case.Build is.
type builder = func(g *graphs.Graph, v []*graphs.Value) *graphs.Value

// All returns the cases of all families.
func All() []Case {
	return slices.Concat(elementwiseCases(), logicCases(), layoutCases(), reduceCases(), matmulCases(), convCases(), poolCases(), normCases(), resizeCases(), gatherCases())
}

// Name is operator and variant; no two cases have the same.
func (c Case) Name() string { return c.Op + "/" + c.Variant }

// Inputs draws the operands, by the names that [Case.Graph] gives them. They are float32
// exactly, so that all who compute see the same numbers.
func (c Case) Inputs(r *rand.Rand) map[string][]float64 {
	m := map[string][]float64{}
	for i, a := range c.Args {
		x := a.draw(r, graphs.Shape(a.Dims).Size())
		for j, v := range x {
			x[j] = float64(float32(v))
		}
		m[InputName(i)] = x
	}
	return m
}

// InputName is how operand i is called in a graph.
func InputName(i int) string { return fmt.Sprintf("x%d", i) }

// Apply builds the operator on inputs by name.
func (c Case) Apply(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
	v := make([]*graphs.Value, len(c.Args))
	for i := range v {
		v[i] = in[InputName(i)]
	}
	return c.Build(g, v)
}

// Graph builds the operator with its result as the output "y", and where it has a
// gradient rule those by the float operands, of a fixed cotangent, as "d0", "d1", ….
func (c Case) Graph() (*graphs.Graph, error) {
	return graphs.Build(c.Name(), func(g *graphs.Graph) {
		in := map[string]*graphs.Value{}
		var wrt []*graphs.Value
		for i, a := range c.Args {
			name := InputName(i)
			in[name] = g.Input(name, a.DType, a.Dims...)
			if a.DType == graphs.Float32 {
				wrt = append(wrt, in[name])
			}
		}
		y := c.Apply(g, in)
		g.Output("y", y)
		if !graphs.Differentiable(c.Op) {
			return
		}
		cotangent := make([]float32, y.Shape().Size())
		for i := range cotangent {
			cotangent[i] = float32(math.Cos(float64(i)))
		}
		loss := g.ReduceSum(g.Mul(y, g.Floats(cotangent, y.Shape()...)), nil, false)
		for i, d := range graphs.Gradients(loss, wrt...) {
			g.Output(fmt.Sprintf("d%d", i), d)
		}
	})
}
