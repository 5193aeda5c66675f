package nets

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

// mit is a Mix Transformer encoder (SegFormer, section 3.1): four levels at strides 4, 8, 16, 32.
//
// The residual stream is tokens, because LayerNormalization works on the last axis. Its branches
// compute channel-major [N,C,L], which FusedMatMul reads and writes without a Transpose: queries,
// keys, values, and the Mix-FFN's hidden map. So a stage transposes twice (after its patch
// embedding and at its end) and a block not at all, but for the spatial reduction.
type mit struct {
	widths, heads, depths, mlp [4]int // by stage
	ratios                     [4]int // spatial reduction of keys and values
	linearStd                  float64
}

// publicLinearStd is the standard deviation of linear weights in the public models.
const publicLinearStd = 0.02

// nanoLinearStd is mit_nano's: the public value suits widths of some hundreds, of which it is about
// half of 1/√width, and leaves the branches of a network this narrow nearly silent. On rendered
// streets, 300 iterations from scratch ended at a cross-entropy of 0.59 with 0.1, of 0.69 with 0.02
// and of 0.67 with 0.2.
const nanoLinearStd = 0.1

// mitNano is narrow and shallow, for training on a CPU.
var mitNano = mit{
	widths: [4]int{16, 32, 64, 128}, heads: [4]int{1, 2, 4, 8}, depths: [4]int{1, 2, 2, 2}, mlp: [4]int{4, 4, 4, 2},
	ratios: [4]int{8, 4, 2, 1}, linearStd: nanoLinearStd,
}

// newMiT returns a public variant, by the width of its first stage and its depths.
func newMiT(first int, depths [4]int) mit {
	widths := [4]int{64, 128, 320, 512}
	if first == 32 {
		widths = [4]int{32, 64, 160, 256}
	}
	return mit{
		widths: widths, heads: [4]int{1, 2, 5, 8}, depths: depths, mlp: [4]int{4, 4, 4, 4},
		ratios: [4]int{8, 4, 2, 1}, linearStd: publicLinearStd,
	}
}

// embedding is the geometry of a stage's overlapping patch embedding.
type embedding struct{ kernel, stride, pad int }

var embeddings = [4]embedding{{7, 4, 3}, {3, 2, 1}, {3, 2, 1}, {3, 2, 1}}

func (e embedding) outSize(n int) int { return (n+2*e.pad-e.kernel)/e.stride + 1 }

// Epsilons of the public models' layer norms.
const (
	blockEps = 1e-6 // block and stage norms
	embedEps = 1e-5 // patch embeddings and spatial reductions
)

// least: every stage's map must hold at least one window of its spatial reduction.
func (m mit) least() int {
	for size := 1; ; size++ {
		n, fits := size, true
		for s, e := range embeddings {
			n = e.outSize(n)
			fits = fits && n >= m.ratios[s]
		}
		if fits {
			return size
		}
	}
}

func (mit) check(a Arch) error {
	if err := oneOf("stem", a.Stem); err != nil {
		return err
	}
	return oneOf("encoder_bn", a.EncoderBN)
}

func (mit) attends() {}

func (m mit) encode(n *Net, x *value) []*value {
	last := -1
	for _, d := range m.depths {
		last += d
	}
	levels, done := make([]*value, len(m.depths)), 0
	for s, depth := range m.depths {
		n.g.WithScope(fmt.Sprintf("encoder.stage%d", s+1), func() {
			x = m.stage(n, s, x, func(i int) float64 {
				return n.arch.DropPath * float64(done+i) / float64(max(last, 1))
			})
		})
		done += depth
		levels[s] = x
	}
	return levels
}

// stage maps [N,C,h,w] to the next level's map; drop gives the stochastic depth's rate of block i.
func (m mit) stage(n *Net, s int, x *value, drop func(i int) float64) *value {
	g, embed, e := n.g, fmt.Sprintf("backbone.patch_embed%d", s+1), embeddings[s]
	y := n.conv(embed+".proj", m.widths[s], x.Dim(1), e.kernel, strided(e.stride, e.pad)).apply(x)
	c, h, w := graphs.Fixed(y.Dim(1)), g.SizeOf(y, 2), g.SizeOf(y, 3)
	t := g.Transpose(g.ReshapeTo(y, n.batch, c, h.Times(w)), 0, 2, 1) // [N,L,C]
	t = n.layerNorm(t, embed+".norm", embedEps)
	for i := range m.depths[s] {
		g.WithScope(fmt.Sprintf("block%d", i), func() { g.Block(func() { t = m.block(n, s, blockName(s, i), t, h, w, drop(i)) }) })
	}
	t = n.layerNorm(t, fmt.Sprintf("backbone.norm%d", s+1), blockEps)
	return g.ReshapeTo(g.Transpose(t, 0, 2, 1), n.batch, c, h, w)
}

// block is t + attention(norm t), then t + Mix-FFN(norm t), of tokens t; rate is stochastic
// depth's.
func (m mit) block(n *Net, s int, name string, t *value, h, w graphs.Size, rate float64) *value {
	y := m.attention(n, n.layerNorm(t, name+".norm1", blockEps), s, name+".attn", h, w)
	t = n.g.Add(t, n.dropPath(y, name+".attn", rate))
	y = m.mixFFN(n, n.layerNorm(t, name+".norm2", blockEps), s, name+".mlp", h, w)
	return n.g.Add(t, n.dropPath(y, name+".mlp", rate))
}

func blockName(stage, i int) string { return fmt.Sprintf("backbone.block%d.%d", stage+1, i) }

// attention is multi-head self-attention of tokens x [N,L,C] with keys and values from the
// spatially reduced map. Everything between the projections is channel-major, so heads are split by
// Reshape alone.
func (m mit) attention(n *Net, x *value, s int, name string, h, w graphs.Size) *value {
	g := n.g
	l, c := g.SizeOf(x, 1), x.Dim(2)
	init := truncatedNormal(m.linearStd)
	query := n.linear(name+".q", c, c, init)
	keyValue := n.linear(name+".kv", 2*c, c, init)
	out := n.linear(name+".proj", c, c, init)

	heads, d := graphs.Fixed(m.heads[s]), graphs.Fixed(c/m.heads[s])
	q := g.ReshapeTo(n.adapted(query.toMap(x), x, name+".q", query.weight, 0), n.batch, heads, d, l)
	reduced := n.reduce(x, m.ratios[s], name, h, w) // [N,M,C]
	r := g.SizeOf(reduced, 1)
	kv := g.Split(keyValue.toMap(reduced), 1, c, c)
	kv[1] = n.adapted(kv[1], reduced, name+".v", keyValue.weight, c)
	k, v := g.ReshapeTo(kv[0], n.batch, heads, d, r), g.ReshapeTo(kv[1], n.batch, heads, d, r)

	weights := g.Softmax(n.product(q, k, true, false, float32(1/math.Sqrt(float64(d.Int())))), -1) // [N,heads,L,M]
	y := g.ReshapeTo(n.product(v, weights, false, true, 1), n.batch, graphs.Fixed(c), l)
	return out.toTokens(y)
}

// reduce is the spatial reduction of tokens [N,h·w,C] by a convolution whose kernel is its stride,
// as space-to-depth and a linear layer, then a layer norm. Rows and columns that do not fill a
// window are dropped, as the convolution does.
func (n *Net) reduce(x *value, r int, name string, h, w graphs.Size) *value {
	if r == 1 {
		return x
	}
	g := n.g
	c, side := x.Dim(2), graphs.Fixed(r)
	hr, wr := h.Over(side), w.Over(side)
	rows, columns := hr.Times(side), wr.Times(side) // that fill windows
	sr := n.conv(name+".sr", c, c, r, strided(r, 0))
	if !rows.Same(h) || !columns.Same(w) {
		x = g.SliceTo(g.ReshapeTo(x, n.batch, h, w, graphs.Fixed(c)), []int{0, 0}, []graphs.Size{rows, columns}, []int{1, 2})
	}
	x = g.ReshapeTo(x, n.batch.Times(hr), side, wr, graphs.Fixed(r*c))
	x = g.Transpose(x, 0, 2, 1, 3) // blocks of r·C stay contiguous
	x = g.ReshapeTo(x, n.batch, hr.Times(wr), graphs.Fixed(r*r*c))
	weight := g.Reshape(g.Transpose(sr.weight.value(), 0, 2, 3, 1), c, r*r*c)
	x = g.Add(n.product(x, weight, false, true, 1), sr.bias.value())
	return n.layerNorm(x, name+".norm", embedEps)
}

// mixFFN is linear, depthwise 3×3, GELU, linear; the hidden map is channel-major from the first
// product to the last.
func (m mit) mixFFN(n *Net, x *value, s int, name string, h, w graphs.Size) *value {
	g, c := n.g, x.Dim(2)
	hidden, init := m.mlp[s]*c, truncatedNormal(m.linearStd)
	depthwise := same(1)
	depthwise.Group = hidden
	in := n.linear(name+".fc1", hidden, c, init)
	mix := n.conv(name+".dwconv.dwconv", hidden, hidden, 3, depthwise)
	out := n.linear(name+".fc2", c, hidden, init)

	y := in.toMap(x) // [N,E,L]
	l, wide := g.SizeOf(y, 2), graphs.Fixed(hidden)
	y = n.low.gelu(g, mix.apply(g.ReshapeTo(y, n.batch, wide, h, w)))
	return out.toTokens(g.ReshapeTo(y, n.batch, wide, l))
}
