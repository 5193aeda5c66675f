package nets

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

// The Mix Transformer encoder (SegFormer, section 3.1).

// Epsilons of the public models' layer norms.
const (
	blockEps = 1e-6 // block and stage norms
	embedEps = 1e-5 // patch embeddings and spatial reductions
)

// encoderSpecs adds the parameters of all four stages.
func encoderSpecs(l *specList, e encoder) {
	linear := truncatedNormal(e.linearStd)
	in := 3
	for s := range 4 {
		c, stage := e.widths[s], s+1
		embed := fmt.Sprintf("backbone.patch_embed%d", stage)
		l.convBias(embed+".proj", c, in, embeddings[s].kernel, 1)
		l.norm(embed+".norm", c)
		for i := range e.depths[s] {
			block := blockName(s, i)
			l.norm(block+".norm1", c)
			l.linear(block+".attn.q", c, c, linear)
			l.linear(block+".attn.kv", 2*c, c, linear)
			l.linear(block+".attn.proj", c, c, linear)
			if r := e.ratios[s]; r > 1 {
				l.convBias(block+".attn.sr", c, c, r, 1)
				l.norm(block+".attn.norm", c)
			}
			l.norm(block+".norm2", c)
			hidden := e.mlp[s] * c
			l.linear(block+".mlp.fc1", hidden, c, linear)
			l.convBias(block+".mlp.dwconv.dwconv", hidden, hidden, 3, hidden)
			l.linear(block+".mlp.fc2", c, hidden, linear)
		}
		l.norm(fmt.Sprintf("backbone.norm%d", stage), c)
		in = c
	}
}

func blockName(stage, i int) string { return fmt.Sprintf("backbone.block%d.%d", stage+1, i) }

// Encode returns the feature maps of the four stages, [N,C_s,h_s,w_s] at strides 4, 8, 16 and 32, for a normalised image x [N,3,H,W].
// It panics with *graphs.Error when x has other than three channels or is smaller than Arch.MinSize.
func (n *Net) Encode(x *graphs.Value) []*graphs.Value {
	n.checkImage("Encode", x)
	if least, _ := n.arch.MinSize(); x.Dim(2) < least || x.Dim(3) < least {
		panic(&graphs.Error{
			Op: "Encode", Node: x.Name(), Shapes: []graphs.Shape{x.Shape()},
			Message: fmt.Sprintf("the image is smaller than %s can take: %d×%d pixels at least", n.arch.Encoder, least, least),
		})
	}
	last := 0
	for _, d := range n.enc.depths {
		last += d
	}
	levels, done := make([]*value, 4), 0
	for s := range 4 {
		n.g.WithScope(fmt.Sprintf("encoder.stage%d", s+1), func() {
			x = n.stage(s, x, func(i int) float64 {
				return n.arch.DropPath * float64(done+i) / float64(max(last-1, 1))
			})
		})
		done += n.enc.depths[s]
		levels[s] = x
	}
	return levels
}

// stage maps [N,C,h,w] to the next level's map; drop gives the stochastic depth's rate of block i.
func (n *Net) stage(s int, x *value, drop func(i int) float64) *value {
	g, embed := n.g, fmt.Sprintf("backbone.patch_embed%d", s+1)
	e := embeddings[s]
	m := n.conv(x, embed+".proj", graphs.ConvAttrs{Strides: [2]int{e.stride, e.stride}, Pads: [4]int{e.pad, e.pad, e.pad, e.pad}})
	batch, c, h, w := m.Dim(0), m.Dim(1), m.Dim(2), m.Dim(3)
	t := g.Transpose(g.Reshape(m, batch, c, h*w), 0, 2, 1) // [N,L,C]
	t = n.layerNorm(t, embed+".norm", embedEps)
	for i := range n.enc.depths[s] {
		name := blockName(s, i)
		g.WithScope(fmt.Sprintf("block%d", i), func() {
			y := n.attention(n.layerNorm(t, name+".norm1", blockEps), s, name+".attn", h, w)
			t = g.Add(t, n.dropPath(y, name+".attn", drop(i)))
			y = n.mixFFN(n.layerNorm(t, name+".norm2", blockEps), name+".mlp", h, w)
			t = g.Add(t, n.dropPath(y, name+".mlp", drop(i)))
		})
	}
	t = n.layerNorm(t, fmt.Sprintf("backbone.norm%d", s+1), blockEps)
	return g.Reshape(g.Transpose(t, 0, 2, 1), batch, c, h, w)
}

// attention is multi-head self-attention of tokens x [N,L,C] with keys and values from the spatially reduced map. Everything between the projections is channel-major, so heads are split by Reshape alone.
func (n *Net) attention(x *value, s int, name string, h, w int) *value {
	g := n.g
	batch, l, c := x.Dim(0), x.Dim(1), x.Dim(2)
	heads := n.enc.heads[s]
	d := c / heads
	q := g.Reshape(n.linearToMap(x, name+".q"), batch, heads, d, l)

	reduced := n.reduce(x, n.enc.ratios[s], name, h, w) // [N,M,C]
	m := reduced.Dim(1)
	kv := g.Split(n.linearToMap(reduced, name+".kv"), 1, c, c)
	k, v := g.Reshape(kv[0], batch, heads, d, m), g.Reshape(kv[1], batch, heads, d, m)

	weights := g.Softmax(n.matmul(q, k, true, false, float32(1/math.Sqrt(float64(d)))), -1) // [N,heads,L,M]
	y := g.Reshape(n.matmul(v, weights, false, true, 1), batch, c, l)
	return n.linearToTokens(y, name+".proj")
}

// reduce is the spatial reduction of tokens [N,h·w,C] by a convolution whose kernel is its stride, as space-to-depth and a linear layer, then a layer norm. Rows and columns that do not fill a window are dropped, as the convolution does.
func (n *Net) reduce(x *value, r int, name string, h, w int) *value {
	if r == 1 {
		return x
	}
	g := n.g
	batch, c, hr, wr := x.Dim(0), x.Dim(2), h/r, w/r
	if h%r != 0 || w%r != 0 {
		x = g.Slice(g.Reshape(x, batch, h, w, c), []int{0, 0}, []int{hr * r, wr * r}, []int{1, 2}, nil)
	}
	x = g.Transpose(g.Reshape(x, batch*hr, r, wr, r*c), 0, 2, 1, 3) // blocks of r·C stay contiguous
	x = g.Reshape(x, batch, hr*wr, r*r*c)
	weight := g.Reshape(g.Transpose(n.param(name+".sr.weight"), 0, 2, 3, 1), c, r*r*c)
	x = g.Add(n.matmul(x, weight, false, true, 1), n.param(name+".sr.bias"))
	return n.layerNorm(x, name+".norm", embedEps)
}

// mixFFN is linear, depthwise 3×3, GELU, linear; the hidden map is channel-major from the first product to the last.
func (n *Net) mixFFN(x *value, name string, h, w int) *value {
	g := n.g
	y := n.linearToMap(x, name+".fc1") // [N,E,L]
	batch, hidden, l := y.Dim(0), y.Dim(1), y.Dim(2)
	y = n.conv(g.Reshape(y, batch, hidden, h, w), name+".dwconv.dwconv", graphs.ConvAttrs{Pads: [4]int{1, 1, 1, 1}, Group: hidden})
	y = n.gelu(y)
	return n.linearToTokens(g.Reshape(y, batch, hidden, l), name+".fc2")
}

// dropPath multiplies a residual branch [N,L,C] by stochastic depth's noise, one draw per image.
func (n *Net) dropPath(y *value, name string, rate float64) *value {
	return n.noisy(y, "drop_path."+name, rate, graphs.Shape{y.Dim(0), 1, 1})
}
