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

// layerNormalizationGrad: with x̂ = (x − mean)·r, r = 1/σ and the mean ⟨·⟩ over the last axis,
// ∂x = r·(dy·scale − ⟨dy·scale⟩ − x̂·⟨dy·scale·x̂⟩), ∂scale = Σ dy·x̂, ∂bias = Σ dy.
// The means are products with the vector scale/D.
func layerNormalizationGrad(s *step) {
	scale, d := s.in(1), s.in(0).Dim(-1)
	s.giveSum(2, s.dy)
	if !s.needs(0) && !s.needs(1) {
		return
	}
	rows := func(v *Value, d int) *Value { return s.Reshape(v, -1, d) }
	dy, r := rows(s.fullDy(0), d), rows(s.node.outputs[2], 1)
	xhat := s.Mul(s.Sub(rows(s.in(0), d), rows(s.node.outputs[1], 1)), r)
	t := s.Mul(dy, xhat)
	if s.needs(1) {
		s.give(1, s.sumTo(t, t.shape, scale.shape))
	}
	if !s.needs(0) {
		return
	}
	weights := s.Reshape(s.Mul(scale, s.Scalar(1/float32(d))), d, 1)
	m := s.MatMul(dy, weights) // ⟨dy·scale⟩
	c := s.MatMul(t, weights)  // ⟨dy·scale·x̂⟩
	centred := s.Sub(s.Mul(dy, scale), s.Add(s.Mul(xhat, c), m))
	s.give(0, s.Reshape(s.Mul(centred, r), s.in(0).shape...))
}
