package graphtest

import (
	"math/rand/v2"
	"slices"

	"t2sda/graphs"
)

// Array is a dense tensor in row-major order. Elements of all types are held as float64: booleans
// as 0 and 1, integers exactly.
type Array struct {
	Shape graphs.Shape
	Data  []float64
}

// New returns an array of zeros.
func New(dims ...int) Array {
	s := graphs.Shape(dims).Clone()
	return Array{Shape: s, Data: make([]float64, s.Size())}
}

// Fill returns an array of the given shape whose elements f draws one after another.
func Fill(f func() float64, dims ...int) Array {
	a := New(dims...)
	for i := range a.Data {
		a.Data[i] = f()
	}
	return a
}

// Uniform returns an array drawn evenly from [lo, hi).
func Uniform(r *rand.Rand, lo, hi float64, dims ...int) Array {
	return Fill(func() float64 { return lo + (hi-lo)*r.Float64() }, dims...)
}

// Clone returns a copy that shares no memory with a.
func (a Array) Clone() Array { return Array{a.Shape.Clone(), slices.Clone(a.Data)} }

// At returns the element at an index of one number per dimension.
func (a Array) At(index ...int) float64 { return a.Data[a.offset(index)] }

func (a Array) offset(index []int) int {
	o := 0
	for i, d := range a.Shape {
		o = o*d + index[i]
	}
	return o
}

// broadcastAt returns the element of a for an index into a shape that a broadcasts to.
func (a Array) broadcastAt(index []int) float64 {
	o := 0
	skip := len(index) - len(a.Shape)
	for i, d := range a.Shape {
		o *= d
		if d != 1 {
			o += index[skip+i]
		}
	}
	return a.Data[o]
}

// each calls f with every index of the shape in row-major order; k counts them. f must not keep the
// slice.
func each(s graphs.Shape, f func(k int, index []int)) {
	index := make([]int, len(s))
	for k := range s.Size() {
		f(k, index)
		for i := len(s) - 1; i >= 0; i-- {
			if index[i]++; index[i] < s[i] {
				break
			}
			index[i] = 0
		}
	}
}

// ints returns the elements as ints.
func (a Array) ints() []int {
	out := make([]int, len(a.Data))
	for i, x := range a.Data {
		out[i] = int(x)
	}
	return out
}
