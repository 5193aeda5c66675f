package graphs

// Convolutions over maps [N,C,H,W].

// ConvAttrs are the attributes of convolutions and poolings. Zero strides, dilations and group mean 1.
type ConvAttrs struct {
	Strides, Dilations [2]int // vertical, horizontal
	Pads               [4]int // top, left, bottom, right
	Group              int
}

func (a ConvAttrs) withDefaults() ConvAttrs {
	for i := range 2 {
		a.Strides[i] = max(a.Strides[i], 1)
		a.Dilations[i] = max(a.Dilations[i], 1)
	}
	a.Group = max(a.Group, 1)
	return a
}

// outSize returns the size of the output along axis i for an input of size n and a kernel of size k.
func (a ConvAttrs) outSize(i, n, k int) int {
	span := a.Dilations[i]*(k-1) + 1
	room := n + a.Pads[i] + a.Pads[i+2] - span
	if room < 0 {
		return 0
	}
	return room/a.Strides[i] + 1
}

// Conv returns the convolution of x [N,C,H,W] with w [M,C/group,kH,kW] plus the bias b [M], which may be nil.
func (g *Graph) Conv(x, w, b *Value, attrs ConvAttrs) *Value {
	a := attrs.withDefaults()
	in := g.convOperands("Conv", x, w, b)
	if x.shape[1] != w.shape[1]*a.Group || w.shape[0]%a.Group != 0 {
		g.fail("Conv", in, "channels do not fit %d groups", a.Group)
	}
	if b != nil && !b.shape.Equal(Shape{w.shape[0]}) {
		g.fail("Conv", in, "the bias must be [%d]", w.shape[0])
	}
	h, wd := a.outSize(0, x.shape[2], w.shape[2]), a.outSize(1, x.shape[3], w.shape[3])
	if h <= 0 || wd <= 0 {
		g.fail("Conv", in, "the kernel is larger than the padded map")
	}
	return g.add1("Conv", in, Float32, Shape{x.shape[0], w.shape[0], h, wd}, a.list(w.shape, nil)...)
}

// ConvTranspose returns the transposed convolution (the adjoint of Conv) of x [N,C,H,W] with w [C,M/group,kH,kW] plus the bias b [M], which may be nil.
// outputPadding rows and columns are added at the bottom and right.
func (g *Graph) ConvTranspose(x, w, b *Value, attrs ConvAttrs, outputPadding [2]int) *Value {
	a := attrs.withDefaults()
	in := g.convOperands("ConvTranspose", x, w, b)
	m := w.shape[1] * a.Group
	if x.shape[1] != w.shape[0] || w.shape[0]%a.Group != 0 {
		g.fail("ConvTranspose", in, "channels do not fit %d groups", a.Group)
	}
	if b != nil && !b.shape.Equal(Shape{m}) {
		g.fail("ConvTranspose", in, "the bias must be [%d]", m)
	}
	shape := Shape{x.shape[0], m, 0, 0}
	for i := range 2 {
		if outputPadding[i] < 0 || outputPadding[i] >= max(a.Strides[i], a.Dilations[i]) {
			g.fail("ConvTranspose", in, "output padding %v must be below stride or dilation", outputPadding)
		}
		shape[2+i] = a.Strides[i]*(x.shape[2+i]-1) + outputPadding[i] + a.Dilations[i]*(w.shape[2+i]-1) + 1 - a.Pads[i] - a.Pads[i+2]
		if shape[2+i] <= 0 {
			g.fail("ConvTranspose", in, "pads %v leave nothing", a.Pads)
		}
	}
	return g.add1("ConvTranspose", in, Float32, shape, a.list(w.shape, outputPadding[:])...)
}

// convOperands checks types and ranks and returns the operands that are there.
func (g *Graph) convOperands(op string, x, w, b *Value) []*Value {
	in := []*Value{x, w}
	if b != nil {
		in = append(in, b)
	}
	g.checkFloat(op, in...)
	g.checkRank(op, x, 4, in...)
	g.checkRank(op, w, 4, in...)
	return in
}

// list returns the attributes of Conv or, with output padding, of ConvTranspose.
func (a ConvAttrs) list(w Shape, outputPadding []int) []Attr {
	l := []Attr{
		{"dilations", a.Dilations[:]},
		{"group", a.Group},
		{"kernel_shape", []int{w[2], w[3]}},
		{"pads", a.Pads[:]},
		{"strides", a.Strides[:]},
	}
	if outputPadding != nil {
		l = append(l, Attr{"output_padding", outputPadding})
	}
	return l
}

// convAttrs reads the attributes of a convolution or pooling node.
func convAttrs(n *Node) ConvAttrs {
	a := ConvAttrs{Group: 1, Strides: [2]int(n.Ints("strides")), Dilations: [2]int{1, 1}, Pads: [4]int(n.Ints("pads"))}
	for _, at := range n.attrs {
		switch at.Name {
		case "group":
			a.Group = at.Value.(int)
		case "dilations":
			a.Dilations = [2]int(at.Value.([]int))
		}
	}
	return a
}
