package graphtest

import (
	"testing"

	"t2sda/graphs"
)

// Array is a dense tensor in row-major order. Elements of all types are held as float64 (booleans as 0 and 1, integers exactly).
type Array struct {
	Shape graphs.Shape
	Data  []float64
}

// Run evaluates the graph in float64 and returns its outputs by name. It panics when an input is missing or of another shape, and on operators it does not know.
func Run(g *graphs.Graph, inputs map[string]Array) map[string]Array {
	panic("not yet")
}

// CheckGradients builds a graph whose inputs are inputs (declared as float32 parameters where named in wrt, as float32 inputs otherwise; integer inputs by Ints),
// multiplies what build returns by a random cotangent, and compares the gradients by wrt with central differences: |analytic − numeric| ≤ tol · max(1, |numeric|) for every element.
func CheckGradients(t testing.TB, build func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value, inputs map[string]Array, wrt []string, tol float64, opts ...Option) {
	t.Helper()
	t.Fatal("not yet")
}

// Option refines CheckGradients.
type Option func(*options)

type options struct {
	dtypes map[string]graphs.DType
	seed   uint64
	step   float64
}

// Typed declares the element type of an input that is not float32, such as labels.
func Typed(name string, dt graphs.DType) Option {
	return func(o *options) { o.dtypes[name] = dt }
}

// Seed sets the seed of the random cotangent (default 1).
func Seed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// Step sets the step of the central differences (default 1e-5).
func Step(h float64) Option { return func(o *options) { o.step = h } }
