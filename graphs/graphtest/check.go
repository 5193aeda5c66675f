package graphtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"t2sda/graphs"
)

// Option refines CheckGradients.
type Option func(*options)

type options struct {
	dtypes  map[string]graphs.DType
	seed    uint64
	step    float64
	samples int
	derive  func(loss *graphs.Value, wrt ...*graphs.Value) []*graphs.Value
}

// Typed declares the element type of an input that is not float32, such as labels.
func Typed(name string, dt graphs.DType) Option {
	return func(o *options) { o.dtypes[name] = dt }
}

// Seed sets the seed of the random cotangent and of the sampled elements (default 1).
func Seed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// Step sets the step of the central differences (default 1e-5).
func Step(h float64) Option { return func(o *options) { o.step = h } }

// Samples sets how many elements of an input are checked one by one (default 64; inputs with fewer
// are checked completely).
// The others are checked together, by the derivative along one random direction.
func Samples(n int) Option { return func(o *options) { o.samples = n } }

// By sets what takes the derivatives (default graphs.Gradients).
func By(derive func(loss *graphs.Value, wrt ...*graphs.Value) []*graphs.Value) Option {
	return func(o *options) { o.derive = derive }
}

// CheckGradients builds a graph with the given inputs, multiplies what build returns by a random
// cotangent, and compares the gradients by the inputs named in wrt with central differences in
// float64.
// An element passes when |analytic − numeric| ≤ tol·max(1, |numeric|). Inputs named in wrt are
// declared as parameters, the others as inputs of type float32 unless Typed says otherwise.
func CheckGradients(t testing.TB, build func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value, inputs map[string]Array, wrt []string, tol float64, opts ...Option) {
	t.Helper()
	o := options{dtypes: map[string]graphs.DType{}, seed: 1, step: 1e-5, samples: 64, derive: graphs.Gradients}
	for _, f := range opts {
		f(&o)
	}
	c := &checker{TB: t, inputs: inputs, options: o, rand: rand.New(rand.NewPCG(o.seed, 0x67726164))}
	grads := c.build(build, wrt)
	analytic := Evaluate(c.graph, inputs, grads...)
	for i, name := range wrt {
		c.elements(name, analytic[i], tol)
		c.direction(name, analytic[i], tol)
	}
}

// checker compares the gradients of one graph.
type checker struct {
	testing.TB
	options
	inputs map[string]Array
	rand   *rand.Rand
	graph  *graphs.Graph
	loss   *graphs.Value
}

func (c *checker) build(build func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value, wrt []string) (grads []*graphs.Value) {
	c.Helper()
	g, err := graphs.Build("check", func(g *graphs.Graph) {
		in := map[string]*graphs.Value{}
		for _, name := range sortedKeys(c.inputs) {
			in[name] = c.declare(g, name, slices.Contains(wrt, name))
		}
		y := build(g, in)
		cotangent := make([]float32, y.Shape().Size())
		for i := range cotangent {
			cotangent[i] = float32(c.rand.Float64()*2 - 1)
		}
		c.loss = g.ReduceSum(g.Mul(y, g.Floats(cotangent, y.Shape()...)), nil, false)
		targets := make([]*graphs.Value, len(wrt))
		for i, name := range wrt {
			if targets[i] = in[name]; targets[i] == nil {
				c.Fatalf("no input %q", name)
			}
		}
		grads = c.derive(c.loss, targets...)
	})
	if err != nil {
		c.Fatal(err)
	}
	c.graph = g
	return grads
}

func (c *checker) declare(g *graphs.Graph, name string, param bool) *graphs.Value {
	shape := c.inputs[name].Shape
	if param {
		return g.Param(name, shape...)
	}
	dt := graphs.Float32
	if d, ok := c.dtypes[name]; ok {
		dt = d
	}
	return g.Input(name, dt, shape...)
}

// difference returns the central difference of the loss when input name moves along d.
func (c *checker) difference(name string, d []float64) float64 {
	moved := make(map[string]Array, len(c.inputs))
	for k, v := range c.inputs {
		moved[k] = v
	}
	at := func(h float64) float64 {
		x := c.inputs[name].Clone()
		for i := range d {
			x.Data[i] += h * d[i]
		}
		moved[name] = x
		return Evaluate(c.graph, moved, c.loss)[0].Data[0]
	}
	return (at(c.step) - at(-c.step)) / (2 * c.step)
}

// elements checks the derivative by single elements.
func (c *checker) elements(name string, analytic Array, tol float64) {
	c.Helper()
	n := len(analytic.Data)
	list := c.rand.Perm(n)[:min(n, c.samples)]
	for _, i := range list {
		d := make([]float64, n)
		d[i] = 1
		c.compare(fmt.Sprintf("%s[%d]", name, i), analytic.Data[i], c.difference(name, d), tol)
	}
}

// direction checks the derivative along a random direction, in which every element takes part, when
// not all were checked singly.
func (c *checker) direction(name string, analytic Array, tol float64) {
	c.Helper()
	n := len(analytic.Data)
	if n <= c.samples {
		return
	}
	d, sum := make([]float64, n), 0.0
	for i := range d {
		d[i] = c.rand.NormFloat64() / math.Sqrt(float64(n))
		sum += d[i] * analytic.Data[i]
	}
	c.compare(name+" along a random direction", sum, c.difference(name, d), tol)
}

func (c *checker) compare(what string, analytic, numeric, tol float64) {
	c.Helper()
	if diff := math.Abs(analytic - numeric); !(diff <= tol*max(1, math.Abs(numeric))) {
		c.Errorf("derivative by %s: %.9g, by differences %.9g (seed %d)", what, analytic, numeric, c.seed)
	}
}

func sortedKeys(m map[string]Array) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
