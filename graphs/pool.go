package graphs

import "fmt"

// Poolings over maps [N,C,H,W].

// MaxPool returns the largest element of every window.
func (g *Graph) MaxPool(x *Value, kernel [2]int, attrs ConvAttrs) *Value {
	a, shape := g.poolShape("MaxPool", x, kernel, attrs)
	list := []Attr{
		{"ceil_mode", 0},
		{"dilations", a.Dilations[:]},
		{"kernel_shape", kernel[:]},
		{"pads", a.Pads[:]},
		{"storage_order", 0},
		{"strides", a.Strides[:]},
	}
	return g.add("MaxPool", "", []*Value{x}, list, 1, result{Float32, shape}, result{Int64, shape}).outputs[0]
}

// maxPoolGrad: ∂x[argmax] += dy, scattered by the flat indices that MaxPool also returns.
func maxPoolGrad(s *step) {
	x := s.in(0).shape
	idx, dy := s.Reshape(s.node.outputs[1], -1), s.Reshape(s.fullDy(0), -1)
	a, k := convAttrs(s.node), s.node.Ints("kernel_shape")
	reduction := "none"
	if k[0] > a.Strides[0] || k[1] > a.Strides[1] || a.Dilations != [2]int{1, 1} { // windows overlap
		reduction = "add"
	}
	flat := s.ScatterElements(s.zeros(Shape{x.Size()}), idx, dy, 0, reduction)
	s.give(0, s.Reshape(flat, x...))
}

// AveragePool returns the mean of every window, not counting the padding. It knows no dilation.
func (g *Graph) AveragePool(x *Value, kernel [2]int, attrs ConvAttrs) *Value {
	a, shape := g.poolShape("AveragePool", x, kernel, attrs)
	if a.Dilations != [2]int{1, 1} {
		g.fail("AveragePool", []*Value{x}, "dilations %v", a.Dilations)
	}
	list := []Attr{
		{"ceil_mode", 0},
		{"count_include_pad", 0},
		{"kernel_shape", kernel[:]},
		{"pads", a.Pads[:]},
		{"strides", a.Strides[:]},
	}
	return g.add("AveragePool", "", []*Value{x}, list, 1, result{Float32, shape}).outputs[0]
}

// averagePoolGrad: the mean is separable, y = A·x·Bᵀ with the matrices of one-dimensional means, so
// ∂x = Aᵀ·dy·B.
func averagePoolGrad(s *step) {
	x, k, a := s.in(0).shape, s.node.Ints("kernel_shape"), convAttrs(s.node)
	if k[0] == x[2] && k[1] == x[3] && a.Pads == [4]int{} { // one window
		s.give(0, s.Mul(s.fullDy(0), s.Scalar(1/float32(k[0]*k[1]))))
		return
	}
	s.give(0, s.separable(s.means(a, 0, x[2], k[0]), s.fullDy(0), s.means(a, 1, x[3], k[1])))
}

// means returns the matrix [windows, n] that takes the means of windows of k elements along axis i
// of a map, not counting the padding.
func (g *Graph) means(a ConvAttrs, i, n, k int) *Value {
	out := a.outSize(i, n, k)
	m := make([]float32, out*n)
	for o := range out {
		from := o*a.Strides[i] - a.Pads[i]
		lo, hi := max(from, 0), min(from+k, n)
		for j := lo; j < hi; j++ {
			m[o*n+j] = 1 / float32(hi-lo)
		}
	}
	key := fmt.Sprint("means ", n, k, a.Strides[i], a.Pads[i], out)
	return g.fold(key, "means", Float32, Shape{out, n}, &constant{floats: m})
}

func (g *Graph) poolShape(op string, x *Value, kernel [2]int, attrs ConvAttrs) (ConvAttrs, Shape) {
	a := attrs.withDefaults()
	in := []*Value{x}
	g.checkFloat(op, x)
	g.checkRank(op, x, 4, in...)
	if a.Group != 1 {
		g.fail(op, in, "poolings have no groups")
	}
	shape := Shape{x.shape[0], x.shape[1], 0, 0}
	for i := range 2 {
		if kernel[i] < 1 || a.Pads[i] >= kernel[i] || a.Pads[i+2] >= kernel[i] {
			g.fail(op, in, "kernel %v with pads %v", kernel, a.Pads)
		}
		shape[2+i] = a.outSize(i, x.shape[2+i], kernel[i])
		if shape[2+i] <= 0 {
			g.fail(op, in, "the kernel %v is larger than the padded map", kernel)
		}
	}
	return a, shape
}
