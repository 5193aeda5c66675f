package graphs

// The weight gradient of convolutions. All ways compute, for x padded and every tap (i,j) of the kernel,
// ∂w[m,c,i,j] = Σ over n,h,w of dy[n,m,h,w] · x[n, c, h·stride+i·dilation, w·stride+j·dilation].

// convWeightGrad returns ∂w, of shape w, for the input x and the cotangent dy.
func (g *Graph) convWeightGrad(x, dy *Value, w Shape, a ConvAttrs) *Value {
	return g.weightGradByTaps(x, dy, w, a)
}

// weightGradByTaps multiplies, for every tap, dy with the slice of x that the tap sees, and sums over the batch.
func (g *Graph) weightGradByTaps(x, dy *Value, w Shape, a ConvAttrs) *Value {
	n, group := x.shape[0], a.Group
	m, c, taps := w[0]/group, w[1], w[2]*w[3]
	size := dy.shape[2] * dy.shape[3]
	padded := g.padMap(x, a.Pads)
	rows := g.Reshape(dy, n, group, m, size)
	parts := make([]*Value, 0, taps)
	for i := range w[2] {
		for j := range w[3] {
			seen := g.Reshape(g.tap(padded, i, j, dy.shape, a), n, group, c, size)
			product := g.FusedMatMul(rows, seen, false, true, 1) // [N,G,M,C]
			parts = append(parts, g.Reshape(product, n, group*m, c, 1))
		}
	}
	return g.Reshape(g.ReduceSum(g.Concat(3, parts...), []int{0}, false), w...)
}

// tap returns the elements of the padded map that tap (i,j) of the kernel multiplies, one for every output position.
func (g *Graph) tap(padded *Value, i, j int, out Shape, a ConvAttrs) *Value {
	top, left := i*a.Dilations[0], j*a.Dilations[1]
	ends := []int{top + (out[2]-1)*a.Strides[0] + 1, left + (out[3]-1)*a.Strides[1] + 1}
	return g.Slice(padded, []int{top, left}, ends, []int{2, 3}, a.Strides[:])
}

// padMap surrounds maps by zeros: top, left, bottom, right.
func (g *Graph) padMap(x *Value, pads [4]int) *Value {
	return g.Pad(x, []int{0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]}, 0)
}
