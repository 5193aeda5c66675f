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
