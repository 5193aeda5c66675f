package graphs

// LayerNormalization normalises the last axis of x [..,D] to mean 0 and variance 1 (eps is added to
// the variance), then multiplies by scale [D] and adds bias [D].
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

// layerNormalizationGrad: with z = x − mean, r = 1/σ, u = dy·scale and means ⟨·⟩ over the last
// axis, ∂x = r·(u − ⟨u⟩ − z·r²·⟨u·z⟩), ∂scale = Σ dy·z·r, ∂bias = Σ dy.
// The means are products with the vector scale, times 1/D; the sums over rows are products with r
// and with ones.
func layerNormalizationGrad(s *step) {
	scale, d := s.in(1), s.in(0).Dim(-1)
	out := []*Value{nil, nil, nil} // as in s.in
	if s.needs(2) {
		out[2] = s.sumTo(s.dy(), s.out().shape, scale.shape)
		s.give(2, out[2])
	}
	if !s.needs(0) && !s.needs(1) {
		return
	}
	x, centre, r := s.in(0), s.node.outputs[1], s.node.outputs[2]
	dy := s.fullDy(0)
	if len(x.shape) == 1 { // products need rows
		x, centre, r, dy = s.Reshape(x, 1, d), s.Reshape(centre, 1, 1), s.Reshape(r, 1, 1), s.Reshape(dy, 1, d)
	}
	z := s.Sub(x, centre)
	t := s.Mul(dy, z)
	if s.needs(1) {
		out[1] = s.Reshape(s.FusedMatMul(s.Reshape(r, -1, 1), s.rows(t), true, false, 1), d)
		s.give(1, out[1])
	}
	if !s.needs(0) {
		return
	}
	column := s.Reshape(scale, d, 1)
	mean := func(v *Value) *Value { return s.FusedMatMul(v, column, false, false, 1/float32(d)) } // ⟨v·scale⟩ [..,1]
	pull := s.Mul(mean(t), s.Mul(r, r))
	centred := s.Sub(s.Sub(s.Mul(dy, scale), s.Mul(z, pull)), mean(dy))
	out[0] = s.Reshape(s.Mul(centred, r), s.in(0).shape...)
	s.give(0, out[0])
	if out[1] != nil && out[2] != nil && s.dy().shape.Equal(s.out().shape) {
		in := []*Value{s.dy(), s.in(0), s.node.outputs[1], s.node.outputs[2], scale}
		s.shortcuts = append(s.shortcuts, shortcut{op: "LayerNormGrad", in: in, out: out, sizes: []int{d}})
	}
}
