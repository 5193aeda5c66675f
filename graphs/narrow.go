package graphs

import "slices"

// Products in a low precision (Micikevicius et al., "Mixed Precision Training", ICLR 2018): their
// operands are rounded to it by casts, and so are their results; all else stays float32. What is
// rounded once is not rounded again, so a pair of casts with nothing between them is left out,
// and a value is cast once however many products read it.
//
// Between two products only what moves elements is in the low precision, too ([moverOps]). There
// rounding first or last gives the same bits, so these operators cost no accuracy. Arithmetic
// would: each sum or GELU in a low precision is one more rounding, and in float16 one more chance
// to overflow.

// productOps are the operators that Narrow is about.
var productOps = []string{"Conv", "ConvTranspose", "FusedMatMul", "Gemm", "MatMul"}

// moverOps are operators of which every element of the result is one of an operand, or a
// constant.
var moverOps = []string{"Concat", "Expand", "Gather", "Pad", "Reshape", "Slice", "Split", "Transpose"}

// NarrowOperators lists the operators that Narrow may put into a low precision: products, and
// those that move elements between them.
func NarrowOperators() (products, movers []string) {
	return slices.Clone(productOps), slices.Clone(moverOps)
}

// Exact lets f create nodes that stay float32 whatever the precision of products, and so do their
// gradients: products that are sums, means or interpolations, arithmetic of weights alone,
// losses.
func (g *Graph) Exact(f func()) {
	outer := g.exact
	defer func() { g.exact = outer }()
	g.exact = true
	f()
}

// exactly reports whether the gradient of n stays float32: that of all that is no product does.
func exactly(n *Node) bool { return n.exact || !slices.Contains(productOps, n.op) }

// Narrow puts the products that are not [Graph.Exact] into dt, Float16 or BFloat16, where has
// tells that there is a kernel of their operator in that type; they take and give it, and so do
// operators between them that move elements and for which has holds. Inputs and outputs of the
// graph keep their types.
//
// It is the last thing that is done to a graph: nodes created later are not narrowed, and there
// is no gradient through a cast.
func (g *Graph) Narrow(dt DType, has func(op string) bool) {
	g.narrow(&narrowing{carrier: dt, dt: dt, has: has})
}

// Round makes the products that are not [Graph.Exact] compute in float32 what Narrow would make
// them compute in dt but for the order in which a kernel adds up: operands and results are
// rounded to dt and back. It serves devices that lack the type, and is slower there than float32
// alone.
func (g *Graph) Round(dt DType) {
	g.narrow(&narrowing{carrier: Float32, dt: dt, has: func(string) bool { return true }})
}

func (g *Graph) narrow(l *narrowing) {
	if l.dt != Float16 && l.dt != BFloat16 {
		g.fail("Narrow", nil, "%s is no low precision: float16 or bfloat16", l.dt)
	}
	l.Graph, l.low, l.direct = g, map[*Value]*Value{}, map[*Value]bool{}
	outer := g.scope
	g.seen = map[string]*Node{} // no node of before is one of those that are built here
	defer func() { g.scope, g.seen = outer, map[string]*Node{} }()
	g.shortcuts = slices.DeleteFunc(g.shortcuts, func(s shortcut) bool { return s.product })
	if !l.has("Conv") && l.has("MatMul") {
		l.multiply()
	}
	l.live = g.live()
	l.sole = l.soleReaders()
	old := g.nodes
	g.nodes = nil
	for _, n := range old {
		if l.narrows(n) {
			l.product(n)
		} else {
			g.nodes = append(g.nodes, n)
		}
	}
}

// narrowing is the state of one Narrow or Round.
type narrowing struct {
	*Graph
	dt      DType // to which values are rounded
	carrier DType // that rounded values have: dt, or Float32
	has     func(op string) bool

	live   map[*Value]bool
	low    map[*Value]*Value // what stands for a value in products
	direct map[*Value]bool   // operands of narrowed products
	sole   map[*Value]bool   // values that only narrowed nodes read
}

// narrows reports whether n is a product that is put into the low precision.
func (l *narrowing) narrows(n *Node) bool {
	return slices.Contains(productOps, n.op) && !n.exact && l.live[n.outputs[0]] && l.has(n.op)
}

// moves reports whether n moves float32 elements and may do so in the low precision.
func (l *narrowing) moves(n *Node) bool {
	return slices.Contains(moverOps, n.op) && n.outputs[0].dtype == Float32 && l.has(n.op)
}

// soleReaders finds the values that nothing reads but narrowed products and movers whose results
// are such values, and notes the products' operands.
func (l *narrowing) soleReaders() map[*Value]bool {
	other := map[*Value]bool{} // values that something reads in float32
	for _, o := range l.outputs {
		other[o.Value] = true
	}
	isLive := func(v *Value) bool { return l.live[v] }
	inFloat := func(v *Value) bool { return other[v] }
	for _, n := range slices.Backward(l.nodes) {
		if !slices.ContainsFunc(n.outputs, isLive) {
			continue
		}
		product := l.narrows(n)
		low := product || l.moves(n) && !slices.ContainsFunc(n.outputs, inFloat)
		for _, v := range n.inputs {
			if v != nil && !low {
				other[v] = true
			}
			if v != nil && product {
				l.direct[v] = true
			}
		}
	}
	sole := map[*Value]bool{}
	for v := range l.live {
		sole[v] = !other[v]
	}
	return sole
}

// product replaces n by its twin; n's result becomes the twin's in float32.
func (l *narrowing) product(n *Node) {
	v, t := n.outputs[0], l.twin(n)
	t.name = n.name
	raw := t.outputs[0]
	if l.carrier == Float32 {
		raw = l.Cast(raw, l.dt)
	}
	c := l.append("Cast", "", []*Value{raw}, []Attr{{"to", int(Float32)}}, 1)
	c.outputs, v.node, v.index = []*Value{v}, c, 0
	if l.low[v] = raw; l.carrier == Float32 {
		l.low[v] = v
	}
}

// twin appends a node that does what n does on rounded operands. Its results stand for n's.
func (l *narrowing) twin(n *Node) *Node {
	in := slices.Clone(n.inputs)
	for i, v := range in {
		if v != nil && v.dtype == Float32 {
			in[i] = l.rounded(v, n)
		}
	}
	out := make([]result, len(n.outputs))
	for i, v := range n.outputs {
		out[i] = result{l.carrier, v.shape}
	}
	l.scope = n.name + ".narrow"
	t := l.append(n.op, n.domain, in, n.attrs, n.optional, out...)
	for i, v := range n.outputs {
		l.low[v] = t.outputs[i]
	}
	return t
}

// rounded returns what stands for v in products, of which n is the first to ask.
//
// Where v is what a mover made, the cast goes before it if nothing else reads v, or if the
// mover's operands are rounded for others anyway: movers in half the bytes, and one cast for all
// that is cut out of one value.
func (l *narrowing) rounded(v *Value, n *Node) *Value {
	if low := l.low[v]; low != nil {
		return low
	}
	if m := v.node; m != nil && l.moves(m) && l.movesLow(m) {
		l.twin(m)
		return l.low[v]
	}
	l.scope = n.name + ".narrow"
	low := l.Cast(v, l.dt)
	if l.carrier == Float32 {
		low = l.Cast(low, Float32)
	}
	l.low[v] = low
	return low
}

// movesLow reports whether mover m is better done in the low precision.
func (l *narrowing) movesLow(m *Node) bool {
	if !slices.ContainsFunc(m.outputs, func(v *Value) bool { return !l.sole[v] && l.live[v] }) {
		return true
	}
	for _, v := range m.inputs {
		if v != nil && v.dtype == Float32 && l.low[v] == nil && !l.direct[v] {
			return false
		}
	}
	return true
}

// multiply writes convolutions of 1×1 and stride 1 as the matrix products that they are, where
// only those have a kernel: ONNX has no Conv of bfloat16 before opset 22, and in many networks
// most of the arithmetic is in such convolutions.
func (l *narrowing) multiply() {
	old := l.nodes
	l.nodes = nil
	for _, n := range old {
		if n.exact || !pointwise(n) {
			l.nodes = append(l.nodes, n)
			continue
		}
		l.scope = n.name + ".narrow"
		x, w, v := n.inputs[0], n.inputs[1], n.outputs[0]
		batch, in, out := x.shape[0], x.shape[1], w.shape[0]
		y := l.MatMul(l.Reshape(w, out, in), l.Reshape(x, batch, in, -1)) // [N,out,h·w]
		y = l.Reshape(y, v.shape...)
		if len(n.inputs) > 2 {
			y = l.Add(y, l.Reshape(n.inputs[2], 1, out, 1, 1))
		}
		y.node.outputs[y.index], v.node, v.index = v, y.node, y.index
	}
}

// pointwise reports whether n is a convolution of 1×1, stride 1 and no padding.
func pointwise(n *Node) bool {
	if n.op != "Conv" {
		return false
	}
	a, w := convAttrs(n), n.inputs[1].shape
	return w[2] == 1 && w[3] == 1 && a.Group == 1 && a.Strides == [2]int{1, 1} && a.Pads == [4]int{}
}
