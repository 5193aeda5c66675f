package graphs

import (
	"fmt"
	"math"
)

// Resize samples the maps x [N,C,H,W] at another size h×w, with half-pixel centres (align_corners
// false).
// mode is "linear" (bilinear, no antialiasing, clamped at the border) or "nearest" (round half
// down).
func (g *Graph) Resize(x *Value, h, w int, mode string) *Value {
	in := []*Value{x}
	g.checkFloat("Resize", x)
	g.checkRank("Resize", x, 4, in...)
	if h <= 0 || w <= 0 {
		g.fail("Resize", in, "size %d×%d", h, w)
	}
	if mode != "linear" && mode != "nearest" {
		g.fail("Resize", in, "unknown mode %q", mode)
	}
	if x.shape[2] == h && x.shape[3] == w {
		return x
	}
	shape := Shape{x.shape[0], x.shape[1], h, w}
	attrs := []Attr{{"coordinate_transformation_mode", "half_pixel"}, {"mode", mode}}
	if mode == "nearest" {
		attrs = append(attrs, Attr{"nearest_mode", "round_prefer_floor"})
	}
	return g.add1("Resize", []*Value{x, nil, nil, g.ints1(shape)}, Float32, shape, attrs...)
}

// resizeGrad: y = A·x·Bᵀ with constant interpolation matrices along each axis, so ∂x = Aᵀ·dy·B.
func resizeGrad(s *step) {
	x, y, mode := s.in(0).shape, s.out().shape, s.node.Text("mode")
	a := s.interpolation(x[2], y[2], mode)
	b := s.interpolation(x[3], y[3], mode)
	d := s.separable(a, s.fullDy(0), b)
	if mode == "linear" && max(x[2], x[3], y[2], y[3], x[2]*y[3]) <= mostElements {
		s.shortcuts = append(s.shortcuts, shortcut{op: "ResizeGrad", in: []*Value{s.fullDy(0)}, out: []*Value{d}, sizes: []int{y[2], y[3]}})
	}
	s.give(0, d)
}

// separable returns aᵀ·x·b for every map of x [N,C,H,W], with matrices a [H,h] and b [W,w].
func (g *Graph) separable(a, x, b *Value) *Value {
	return g.FusedMatMul(a, g.MatMul(x, b), true, false, 1)
}

// interpolation returns the matrix [to, from] that Resize applies along an axis.
func (g *Graph) interpolation(from, to int, mode string) *Value {
	m := make([]float32, to*from)
	scale := float64(from) / float64(to)
	for i := range to {
		at := (float64(i)+0.5)*scale - 0.5
		if mode == "nearest" {
			at = math.Ceil(at - 0.5) // round half down
		}
		at = min(max(at, 0), float64(from-1))
		j := int(at)
		frac := float32(at - float64(j))
		m[i*from+j] = 1 - frac
		if frac > 0 {
			m[i*from+j+1] = frac
		}
	}
	return g.fold(fmt.Sprint("interpolation ", mode, from, to), "interpolation", Float32, Shape{to, from}, &constant{floats: m})
}
