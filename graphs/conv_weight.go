package graphs

// The weight gradient of convolutions: for x padded and every tap (i,j) of the kernel,
// ∂w[m,c,i,j] = Σ over n,h,w of dy[n,m,h,w] · x[n, c, h·stride+i·dilation, w·stride+j·dilation].
// The benchmarks in conv_bench_test.go stand behind the choice among the ways below.

// fewChannels is the number of input channels up to which dy is best used as a kernel itself: a
// product per tap has too few columns then.
const fewChannels = 4

// manyChannels is the number of input channels from which on it matters what is copied for a product
// per tap.
const manyChannels = 256

// convWeightGrad returns ∂w, of shape w, for the input x and the cotangent dy.
func (g *Graph) convWeightGrad(x, dy *Value, w Shape, a ConvAttrs) *Value {
	d := g.weightGrad(x, dy, w, a)
	if sizes, ok := depthwise(x.shape, w, dy.shape, a); ok {
		sizes = append(sizes, dy.shape[0], dy.shape[2], dy.shape[3])
		g.shortcuts = append(g.shortcuts, shortcut{op: "DepthwiseWeightGrad", in: []*Value{x, dy}, out: []*Value{d}, sizes: sizes, product: true})
	}
	return d
}

func (g *Graph) weightGrad(x, dy *Value, w Shape, a ConvAttrs) *Value {
	kernel := [2]int{w[2], w[3]}
	switch {
	case a.Group == 1 && a.Strides == kernel && a.Dilations == [2]int{1, 1} && a.Pads == [4]int{}:
		return g.weightGradOfPatches(x, dy, w)
	case a.Group == 1 && w[1] <= fewChannels:
		return g.weightGradByConv(x, dy, w, a)
	case a.Group == w[0] && w[1] == 1 && byBlocks(x.shape, dy.shape, w, a):
		return g.weightGradDepthwise(x, dy, w, a)
	case a.Group == w[0] && w[1] == 1 && a.Strides != [2]int{1, 1}:
		return g.weightGradByChannels(x, dy, w, a)
	case a.Group == 1 && a.Strides == [2]int{1, 1} && w[1] >= manyChannels && 2*w[0] <= w[1]:
		return g.weightGradByShifts(x, dy, w, a)
	}
	return g.weightGradByTaps(x, dy, w, a)
}

// weightGradOfPatches is for kernels that tile the map: x cut into patches is a matrix, and ∂w one
// product per image.
func (g *Graph) weightGradOfPatches(x, dy *Value, w Shape) *Value {
	n, m, c, kh, kw := x.shape[0], w[0], w[1], w[2], w[3]
	h, wd := dy.shape[2], dy.shape[3]
	rows := g.Reshape(dy, n, m, h*wd)
	var d *Value // [N,M,C·kH·kW]
	if kh*kw == 1 {
		d = g.FusedMatMul(rows, g.Reshape(x, n, c, h*wd), false, true, 1)
	} else {
		used := g.Slice(x, []int{0, 0}, []int{h * kh, wd * kw}, []int{2, 3}, nil)
		patches := g.Transpose(g.Reshape(used, n, c, h, kh, wd, kw), 0, 2, 4, 1, 3, 5) // [N,h,w,C,kH,kW]
		d = g.MatMul(rows, g.Reshape(patches, n, h*wd, c*kh*kw))
	}
	return g.Reshape(g.sumAxes(d, []int{0}), w...)
}

// weightGradByConv is one convolution, of x with dy as kernel; batch and channels change places,
// and so do stride and dilation.
func (g *Graph) weightGradByConv(x, dy *Value, w Shape, a ConvAttrs) *Value {
	a.Strides, a.Dilations = a.Dilations, a.Strides
	d := g.Conv(g.Transpose(x, 1, 0, 2, 3), g.Transpose(dy, 1, 0, 2, 3), nil, a) // [C,M,kH+,kW+]
	d = g.Slice(d, []int{0, 0}, []int{w[2], w[3]}, []int{2, 3}, nil)
	return g.Transpose(d, 1, 0, 2, 3)
}

// weightGradByTaps multiplies, for every tap, dy with the elements of x that the tap sees, and sums
// over the batch.
// With channels last, slices copy long runs and the product needs no transposition.
func (g *Graph) weightGradByTaps(x, dy *Value, w Shape, a ConvAttrs) *Value {
	n, group := x.shape[0], a.Group
	m, c := w[0]/group, w[1]
	size := dy.shape[2] * dy.shape[3]
	last := g.Transpose(g.Reshape(x, n, group, c, x.shape[2], x.shape[3]), 0, 1, 3, 4, 2) // [N,G,H,W,C]
	padded := g.Pad(last, []int{0, 0, a.Pads[0], a.Pads[1], 0, 0, 0, a.Pads[2], a.Pads[3], 0}, 0)
	rows := g.Reshape(dy, n, group, m, size)
	parts := make([]*Value, 0, w[2]*w[3])
	for i := range w[2] {
		for j := range w[3] {
			top, left := i*a.Dilations[0], j*a.Dilations[1]
			ends := []int{top + (dy.shape[2]-1)*a.Strides[0] + 1, left + (dy.shape[3]-1)*a.Strides[1] + 1}
			seen := g.Slice(padded, []int{top, left}, ends, []int{2, 3}, a.Strides[:])
			product := g.MatMul(rows, g.Reshape(seen, n, group, size, c)) // [N,G,M,C]
			parts = append(parts, g.Reshape(product, n, group*m, c, 1))
		}
	}
	return g.Reshape(g.sumAxes(g.Concat(3, parts...), []int{0}), w...)
}

// weightGradByShifts is [Graph.weightGradByTaps] the other way round, for a convolution of stride 1 from
// many channels to few: dy is shifted, which is less to copy, and x is taken as it is.
func (g *Graph) weightGradByShifts(x, dy *Value, w Shape, a ConvAttrs) *Value {
	n, m, c, size := x.shape[0], w[0], w[1], x.shape[2:]
	var front, back [2]int // rows and columns of zeros around dy
	for k := range 2 {
		front[k] = max(0, (w[2+k]-1)*a.Dilations[k]-a.Pads[k])
		back[k] = max(0, size[k]+a.Pads[k]-dy.shape[2+k])
	}
	padded := g.Pad(dy, []int{0, 0, front[0], front[1], 0, 0, back[0], back[1]}, 0)
	all := g.Reshape(x, n, c, size[0]*size[1])
	parts := make([]*Value, 0, w[2]*w[3])
	for i := range w[2] {
		for j := range w[3] {
			top, left := front[0]+a.Pads[0]-i*a.Dilations[0], front[1]+a.Pads[1]-j*a.Dilations[1]
			shifted := g.Slice(padded, []int{top, left}, []int{top + size[0], left + size[1]}, []int{2, 3}, nil)
			product := g.FusedMatMul(g.Reshape(shifted, n, m, size[0]*size[1]), all, false, true, 1) // [N,M,C]
			parts = append(parts, g.Reshape(product, n, m, c, 1))
		}
	}
	return g.Reshape(g.sumAxes(g.Concat(3, parts...), []int{0}), w...)
}
