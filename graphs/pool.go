package graphs

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
