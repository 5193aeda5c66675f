package graphs

// Matrix products: MatMul, FusedMatMul (com.microsoft) and Gemm.

// MatMul returns the product of the last two dimensions, a [..,M,K] and b [..,K,N]; leading dimensions broadcast.
func (g *Graph) MatMul(a, b *Value) *Value {
	return g.add1("MatMul", []*Value{a, b}, Float32, g.matmulShape("MatMul", a, b, false, false))
}

// FusedMatMul returns alpha · op(a) · op(b), where op transposes the last two dimensions if asked to; leading dimensions broadcast.
func (g *Graph) FusedMatMul(a, b *Value, transA, transB bool, alpha float32) *Value {
	shape := g.matmulShape("FusedMatMul", a, b, transA, transB)
	if !transA && !transB && alpha == 1 {
		return g.MatMul(a, b)
	}
	attrs := []Attr{{"alpha", alpha}, {"transA", flag(transA)}, {"transB", flag(transB)}}
	return g.add("FusedMatMul", microsoft, []*Value{a, b}, attrs, 1, result{Float32, shape}).outputs[0]
}

// Gemm returns op(a) · op(b) + c for matrices a and b, where op transposes if asked to. c broadcasts to the product, or is nil.
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
	lead := g.broadcast(op, stub(a), stub(b))
	return append(lead, m, n)
}

// stub returns a shape-only value with the leading dimensions of a matrix, for broadcast.
func stub(v *Value) *Value {
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
