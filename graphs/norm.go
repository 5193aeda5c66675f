package graphs

// LayerNormalization normalises the last axis of x [..,D] to mean 0 and variance 1 (eps is added to the variance), then multiplies by scale [D] and adds bias [D].
func (g *Graph) LayerNormalization(x, scale, bias *Value, eps float32) *Value {
	in := []*Value{x, scale, bias}
	g.checkFloat("LayerNormalization", in...)
	if len(x.shape) == 0 || !scale.shape.Equal(Shape{x.Dim(-1)}) || !bias.shape.Equal(scale.shape) {
		g.fail("LayerNormalization", in, "scale and bias must be as long as the last axis")
	}
	stat := x.shape.Clone()
	stat[len(stat)-1] = 1
	attrs := []Attr{{"axis", -1}, {"epsilon", eps}, {"stash_type", 1}}
	n := g.add("LayerNormalization", "", in, attrs, 1,
		result{Float32, x.shape}, result{Float32, stat}, result{Float32, stat}) // y, mean, 1/σ
	return n.outputs[0]
}

// layerNormalizationGrad: with z = x − mean, r = 1/σ, u = dy·scale and means ⟨·⟩ over the last axis,
// ∂x = r·(u − ⟨u⟩ − z·r²·⟨u·z⟩), ∂scale = Σ dy·z·r, ∂bias = Σ dy.
// The means are products with the vector scale/D, the sums over rows products with r and with ones.
func layerNormalizationGrad(s *step) {
	scale, d := s.in(1), s.in(0).Dim(-1)
	s.giveSum(2, s.dy)
	if !s.needs(0) && !s.needs(1) {
		return
	}
	rows := func(v *Value, columns int) *Value { return s.Reshape(v, -1, columns) }
	dy, r := rows(s.fullDy(0), d), rows(s.node.outputs[2], 1)
	z := s.Sub(rows(s.in(0), d), rows(s.node.outputs[1], 1))
	t := s.Mul(dy, z)
	if s.needs(1) {
		s.give(1, s.Reshape(s.FusedMatMul(r, t, true, false, 1), d))
	}
	if !s.needs(0) {
		return
	}
	weights := s.Reshape(s.Mul(scale, s.Scalar(1/float32(d))), d, 1)
	pull := s.Mul(s.MatMul(t, weights), s.Mul(r, r)) // r²·⟨u·z⟩ [R,1]
	centred := s.Sub(s.Sub(s.Mul(dy, scale), s.Mul(z, pull)), s.MatMul(dy, weights))
	s.give(0, s.Reshape(s.Mul(centred, r), s.in(0).shape...))
}
