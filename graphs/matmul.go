package graphs

// Matrix products: MatMul, FusedMatMul (com.microsoft) and Gemm.

// MatMul returns the product of the last two dimensions, a [..,M,K] and b [..,K,N]; leading
// dimensions broadcast.
func (g *Graph) MatMul(a, b *Value) *Value {
	return g.add1("MatMul", []*Value{a, b}, Float32, g.matmulShape("MatMul", a, b, false, false))
}

// matMulGrad: ∂a = dy·bᵀ, ∂b = aᵀ·dy.
func matMulGrad(s *step) { s.productGrad(false, false, 1) }

// FusedMatMul returns alpha · op(a) · op(b), where op transposes the last two dimensions if asked
// to; leading dimensions broadcast.
func (g *Graph) FusedMatMul(a, b *Value, transA, transB bool, alpha float32) *Value {
	shape := g.matmulShape("FusedMatMul", a, b, transA, transB)
	if !transA && !transB && alpha == 1 {
		return g.MatMul(a, b)
	}
	attrs := []Attr{{"alpha", alpha}, {"transA", flag(transA)}, {"transB", flag(transB)}}
	return g.add("FusedMatMul", microsoft, []*Value{a, b}, attrs, 1, result{Float32, shape}).outputs[0]
}

// fusedMatMulGrad: for y = α·op(a)·op(b), ∂op(a) = α·dy·op(b)ᵀ and ∂op(b) = α·op(a)ᵀ·dy, each
// transposed back if op transposes.
func fusedMatMulGrad(s *step) {
	n := s.node
	s.productGrad(n.Int("transA") == 1, n.Int("transB") == 1, n.Float("alpha"))
}

// Gemm returns op(a) · op(b) + c for matrices a and b, where op transposes if asked to. c
// broadcasts to the product, or is nil.
func (g *Graph) Gemm(a, b, c *Value, transA, transB bool) *Value {
	in := []*Value{a, b}
	g.checkFloat("Gemm", in...)
	g.checkRank("Gemm", a, 2, in...)
	g.checkRank("Gemm", b, 2, in...)
	shape := g.matmulShape("Gemm", a, b, transA, transB)
	if c != nil {
		in = append(in, c)
		g.checkFloat("Gemm", in...)
		if !broadcastsTo(c.shape, shape) {
			g.fail("Gemm", in, "the third operand does not broadcast to %v", shape)
		}
	}
	return g.add1("Gemm", in, Float32, shape, Attr{"transA", flag(transA)}, Attr{"transB", flag(transB)})
}

// gemmGrad is fusedMatMulGrad with α = 1; ∂c = dy, summed over the axes along which c was
// broadcast.
func gemmGrad(s *step) {
	s.productGrad(s.node.Int("transA") == 1, s.node.Int("transB") == 1, 1)
	s.giveSum(2, s.dy)
}

// productGrad gives operands 0 and 1 of a matrix product their cotangents.
func (s *step) productGrad(transA, transB bool, alpha float32) {
	a, b, dy := s.in(0), s.in(1), s.fullDy(0)
	if s.needs(0) {
		var d *Value
		if transA {
			d = s.FusedMatMul(b, dy, transB, true, alpha)
		} else {
			d = s.FusedMatMul(dy, b, false, !transB, alpha)
		}
		s.give(0, s.sumTo(d, d.shape, a.shape))
	}
	if !s.needs(1) {
		return
	}
	if len(b.shape) == 2 && !transA { // leading dimensions of a are rows of one product: no sum over them
		a, dy = s.rows(a), s.rows(dy)
	}
	var d *Value
	if transB {
		d = s.FusedMatMul(dy, a, true, transA, alpha)
	} else {
		d = s.FusedMatMul(a, dy, !transA, false, alpha)
	}
	s.give(1, s.sumTo(d, d.shape, b.shape))
}

// rows flattens the leading dimensions of x [..,M,K] into one: [..·M,K].
func (g *Graph) rows(x *Value) *Value { return g.Reshape(x, -1, x.Dim(-1)) }

// matmulShape checks the operands of a product and returns its shape.
func (g *Graph) matmulShape(op string, a, b *Value, transA, transB bool) Shape {
	in := []*Value{a, b}
	g.checkFloat(op, in...)
	if len(a.shape) < 2 || len(b.shape) < 2 {
		g.fail(op, in, "operands need two dimensions or more")
	}
	m, ka := a.Dim(-2), a.Dim(-1)
	kb, n := b.Dim(-2), b.Dim(-1)
	if transA {
		m, ka = ka, m
	}
	if transB {
		kb, n = n, kb
	}
	if ka != kb {
		g.fail(op, in, "inner dimensions %d and %d differ", ka, kb)
	}
	lead := g.broadcast(op, leading(a), leading(b))
	return append(lead, m, n)
}

// leading returns a shape-only value with the leading dimensions of a matrix, for broadcast.
func leading(v *Value) *Value {
	return &Value{name: v.name, dtype: v.dtype, shape: v.shape[:len(v.shape)-2]}
}

// broadcastsTo reports whether numpy broadcasting turns s into t.
func broadcastsTo(s, t Shape) bool {
	if len(s) > len(t) {
		return false
	}
	for i, d := range s {
		if d != 1 && d != t[len(t)-len(s)+i] {
			return false
		}
	}
	return true
}
