package cases

import (
	"math/rand/v2"

	"t2sda/graphs"
)

// Arg describes an operand: shape, element type and how its elements are drawn.
type Arg struct {
	Dims  []int
	DType graphs.DType
	draw  func(r *rand.Rand, n int) []float64
}

// each draws elements one after another.
func each(draw func(r *rand.Rand) float64) func(r *rand.Rand, n int) []float64 {
	return func(r *rand.Rand, n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = draw(r)
		}
		return out
	}
}

// in is a float operand drawn evenly from [lo, hi).
func in(lo, hi float64, dims ...int) Arg {
	return Arg{dims, graphs.Float32, each(func(r *rand.Rand) float64 { return lo + (hi-lo)*r.Float64() })}
}

// f is a float operand from [−1, 1).
func f(dims ...int) Arg { return in(-1, 1, dims...) }

// apart is a float operand whose elements are spaced evenly, in random order and symmetric to 0: no
// two are equal, none is zero, so that kinks are far. Operands of different offset (a fraction of
// the spacing) have no element in common.
func apart(offset float64, dims ...int) Arg {
	return Arg{dims, graphs.Float32, func(r *rand.Rand, n int) []float64 {
		out := make([]float64, n)
		for i, p := range r.Perm(n) {
			out[i] = (float64(p) - float64(n/2) + 0.25 + offset) / 8
		}
		return out
	}}
}

// index is an integer operand from [lo, hi).
func index(dt graphs.DType, lo, hi int, dims ...int) Arg {
	return Arg{dims, dt, each(func(r *rand.Rand) float64 { return float64(lo + r.IntN(hi-lo)) })}
}

// permutation is an int64 operand with lines of different indices along the first axis.
func permutation(n, columns int) Arg {
	return Arg{[]int{n, columns}, graphs.Int64, func(r *rand.Rand, _ int) []float64 {
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
func mask(dims ...int) Arg { return index(graphs.Bool, 0, 2, dims...) }
