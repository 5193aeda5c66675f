package graphs

// Convolutions over maps [N,C,H,W].

// ConvAttrs are the attributes of convolutions and poolings. Zero strides, dilations and group mean
// 1.
type ConvAttrs struct {
	Strides, Dilations [2]int // vertical, horizontal
	Pads               [4]int // top, left, bottom, right
	Group              int
	// SameUpper stands for Pads that depend on the map's size, as TensorFlow's SAME.
	SameUpper bool
}

func (a ConvAttrs) withDefaults() ConvAttrs {
	for i := range 2 {
		a.Strides[i] = max(a.Strides[i], 1)
		a.Dilations[i] = max(a.Dilations[i], 1)
	}
	a.Group = max(a.Group, 1)
	return a
}

// outSize returns the size of the output along axis i for an input of size n and a kernel of size
// k.
func (a ConvAttrs) outSize(i, n, k int) int {
	span := a.Dilations[i]*(k-1) + 1
	room := n + a.Pads[i] + a.Pads[i+2] - span
	if room < 0 {
		return 0
	}
	return room/a.Strides[i] + 1
}

// Conv returns the convolution of x [N,C,H,W] with w [M,C/group,kH,kW] plus the bias b [M], which
// may be nil.
func (g *Graph) Conv(x, w, b *Value, attrs ConvAttrs) *Value {
	a := attrs.withDefaults()
	in := g.convOperands("Conv", x, w, b)
	if x.shape[1] != w.shape[1]*a.Group || w.shape[0]%a.Group != 0 {
		g.fail("Conv", in, "channels do not fit %d groups", a.Group)
	}
	if b != nil && !b.shape.Equal(Shape{w.shape[0]}) {
		g.fail("Conv", in, "the bias must be [%d]", w.shape[0])
	}
	if a.SameUpper {
		a.Pads, a.SameUpper = a.sameUpper(x.shape, w.shape), g.free
	}
	h, wd := a.outSize(0, x.shape[2], w.shape[2]), a.outSize(1, x.shape[3], w.shape[3])
	if h <= 0 || wd <= 0 {
		g.fail("Conv", in, "the kernel is larger than the padded map")
	}
	return g.add1("Conv", in, Float32, Shape{x.shape[0], w.shape[0], h, wd}, a.list(w.shape, nil)...)
}

// convGrad: ∂b = Σ dy over batch and map; ∂x and ∂w as convInputGrad and convWeightGrad say.
func convGrad(s *step) {
	x, w, a := s.in(0), s.in(1), convAttrs(s.node)
	if s.needs(2) {
		s.give(2, s.ReduceSum(s.fullDy(0), []int{0, 2, 3}, false))
	}
	if s.needs(1) {
		s.give(1, s.convWeightGrad(x, s.fullDy(0), w.shape, a))
	}
	if s.needs(0) {
		s.give(0, s.convInputGrad(s.fullDy(0), w, x.shape, a))
	}
}

// convInputGrad returns the adjoint of x ↦ Conv(x, w) at dy.
func (g *Graph) convInputGrad(dy, w *Value, x Shape, a ConvAttrs) *Value {
	var extra [2]int // rows and columns of the padded input that no window reaches
	var pads [4]int
	flip := a.Strides == [2]int{1, 1}
	for i := range 2 {
		span := a.Dilations[i] * (w.shape[2+i] - 1)
		extra[i] = (x[2+i] + a.Pads[i] + a.Pads[i+2] - span - 1) % a.Strides[i]
		pads[i], pads[i+2] = span-a.Pads[i], span-a.Pads[i+2]
		flip = flip && pads[i] >= 0 && pads[i+2] >= 0
	}
	if !flip {
		return g.ConvTranspose(dy, w, nil, a, extra)
	}
	a.Pads = pads
	return g.Conv(dy, g.flipped(w, a.Group), nil, a)
}

// flipped returns the weights of the adjoint of a convolution with weights w [M,C/group,kH,kW] and
// stride 1: [C,M/group,kH,kW], turned by 180°.
func (g *Graph) flipped(w *Value, group int) *Value {
	m, c, kh, kw := w.shape[0]/group, w.shape[1], w.shape[2], w.shape[3]
	turn := make([]int64, kh*kw)
	for i := range turn {
		turn[i] = int64(kh*kw - 1 - i)
	}
	t := g.Transpose(g.Reshape(w, group, m, c, kh*kw), 0, 2, 1, 3)
	if kh*kw > 1 {
		t = g.Gather(t, g.Ints(turn, kh*kw), 3)
	}
	return g.Reshape(t, group*c, m, kh, kw)
}

// ConvTranspose returns the transposed convolution (the adjoint of Conv) of x [N,C,H,W] with w
// [C,M/group,kH,kW] plus the bias b [M], which may be nil.
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
		if outputPadding[i] < 0 || outputPadding[i] >= a.Strides[i] {
			g.fail("ConvTranspose", in, "output padding %v must be below the stride", outputPadding)
		}
		shape[2+i] = a.Strides[i]*(x.shape[2+i]-1) + outputPadding[i] + a.Dilations[i]*(w.shape[2+i]-1) + 1 - a.Pads[i] - a.Pads[i+2]
		if shape[2+i] <= 0 {
			g.fail("ConvTranspose", in, "pads %v leave nothing", a.Pads)
		}
	}
	return g.add1("ConvTranspose", in, Float32, shape, a.list(w.shape, outputPadding[:])...)
}

// convTransposeGrad: ConvTranspose is the adjoint of Conv, so ∂x = Conv(dy, w), ∂w is Conv's weight
// gradient for the input dy and the cotangent x, ∂b = Σ dy over batch and map.
func convTransposeGrad(s *step) {
	x, w, dy, a := s.in(0), s.in(1), s.fullDy(0), convAttrs(s.node)
	if s.needs(2) {
		s.give(2, s.ReduceSum(dy, []int{0, 2, 3}, false))
	}
	if s.needs(1) {
		s.give(1, s.convWeightGrad(dy, x, w.shape, a))
	}
	if s.needs(0) {
		s.give(0, s.Conv(dy, w, nil, a))
	}
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
	pads := Attr{"pads", a.Pads[:]}
	if a.SameUpper {
		pads = Attr{"auto_pad", "SAME_UPPER"}
	}
	l := []Attr{
		{"dilations", a.Dilations[:]},
		{"group", a.Group},
		{"kernel_shape", []int{w[2], w[3]}},
		pads,
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
