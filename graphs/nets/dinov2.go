package nets

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

// dinov2 is a Vision Transformer as DINOv2 has it (Oquab et al., 2023; with registers Darcet et
// al., 2023): patches of 14×14 px, a class token, positions on a square grid, LayerScale. Its
// levels are the patch tokens of four depths, all at one stride, under the final norm, as
// get_intermediate_layers(norm=True) of the public code gives them.
//
// The residual stream is tokens, and what lies between two products with weights is channel-major,
// as in mit: a block has no Transpose.
type dinov2 struct {
	width, heads, depth int
	registers           int
	grid                int // side of the positions' square
	linearStd           float64
}

const (
	patchPx   = 14
	vitMLP    = 4 // hidden width of the MLP, in widths
	vitEps    = 1e-6
	publicPos = 37   // DINOv2's grid: images of 518 px
	nanoPos   = 16   // ours: images of 224 px
	tokenStd  = 1e-6 // of class token and registers at the start, as in the public code
)

// newDINOv2 returns a public variant. Heads are 64 channels wide.
func newDINOv2(width, depth, registers int) dinov2 {
	return dinov2{width, width / 64, depth, registers, publicPos, publicLinearStd}
}

// dinov2Nano is narrow and shallow, for tests and training on a CPU.
var dinov2Nano = dinov2{width: 64, heads: 4, depth: 4, grid: nanoPos, linearStd: nanoLinearStd}

// least: one patch.
func (dinov2) least() int { return patchPx }

func (dinov2) check(a Arch) error {
	if err := oneOf("stem", a.Stem); err != nil {
		return err
	}
	return oneOf("encoder_bn", a.EncoderBN)
}

func (dinov2) attends() {}

// depths returns the blocks, counted from 1, after which levels are taken: those of the released
// depth estimators, 3, 6, 9, 12 of 12 and 5, 12, 18, 24 of 24.
func (v dinov2) depths() [4]int {
	if v.depth == 24 {
		return [4]int{5, 12, 18, 24}
	}
	return [4]int{v.depth / 4, v.depth / 2, 3 * v.depth / 4, v.depth}
}

// encode resizes the image to the next multiples of 14 px, so that levels cover all of it and
// nothing else; VFM-UDA's networks do the same (Englert et al., 2024).
func (v dinov2) encode(n *Net, x *value) []*value {
	g, depths := n.g, v.depths()
	h, w := patches(g.SizeOf(x, 2)), patches(g.SizeOf(x, 3))
	var t *value
	px := graphs.Fixed(patchPx)
	g.WithScope("encoder.embed", func() { t = v.embed(n, g.ResizeTo(x, h.Times(px), w.Times(px), "linear"), h, w) })
	var levels []*value
	for i := range v.depth {
		g.WithScope(fmt.Sprintf("encoder.block%d", i), func() { g.Block(func() { t = v.block(n, t, i) }) })
		if i+1 == depths[len(levels)] {
			g.WithScope(fmt.Sprintf("encoder.level%d", len(levels)), func() { levels = append(levels, v.level(n, t, h, w)) })
		}
	}
	return levels
}

// patches is the number of patches that cover px pixels.
func patches(px graphs.Size) graphs.Size {
	return px.Plus(graphs.Fixed(patchPx - 1)).Over(graphs.Fixed(patchPx))
}

// embed returns the tokens [N,1+R+h·w,C] of an image [N,3,14·h,14·w]: class, registers, patches.
// The convolution whose kernel is its stride is a product with blocks of pixels.
func (v dinov2) embed(n *Net, x *value, h, w graphs.Size) *value {
	g, c, area := n.g, v.width, 3*patchPx*patchPx
	px := graphs.Fixed(patchPx)
	class := n.param("backbone.cls_token", false, normal(tokenStd), 1, 1, c)
	positions := n.param("backbone.pos_embed", false, truncatedNormal(publicLinearStd), 1, 1+v.grid*v.grid, c)
	weight := n.param("backbone.patch_embed.proj.weight", true, defaultLinear(area), c, 3, patchPx, patchPx)
	bias := n.param("backbone.patch_embed.proj.bias", true, fill(0), c)

	x = g.Transpose(g.ReshapeTo(x, n.batch, graphs.Fixed(3), h, px, w, px), 0, 2, 4, 1, 3, 5)
	x = n.product(g.ReshapeTo(x, n.batch, h.Times(w), graphs.Fixed(area)), g.Reshape(weight.value(), c, area), false, true, 1)
	at := g.Split(positions.value(), 1, 1, v.grid*v.grid)
	x = g.Add(g.Add(x, bias.value()), v.positions(n, at[1], h, w))
	first := []*value{g.Add(class.value(), at[0])}
	if v.registers > 0 {
		first = append(first, n.param("backbone.register_tokens", false, normal(tokenStd), 1, v.registers, c).value())
	}
	tokens := make([]*value, 0, len(first)+1)
	for _, t := range first {
		tokens = append(tokens, g.ExpandTo(t, n.batch, graphs.Fixed(t.Dim(1)), graphs.Fixed(c)))
	}
	return g.Concat(1, append(tokens, x)...)
}

// block is x + γ₁·attention(norm x), then x + γ₂·MLP(norm x).
func (v dinov2) block(n *Net, x *value, i int) *value {
	g, name := n.g, fmt.Sprintf("backbone.blocks.%d", i)
	rate := n.arch.DropPath * float64(i) / float64(max(v.depth-1, 1))
	y := v.scaled(n, v.attention(n, n.layerNorm(x, name+".norm1", vitEps), name+".attn"), name+".ls1")
	x = g.Add(x, n.dropPath(y, name+".attn", rate))
	y = v.scaled(n, v.mlp(n, n.layerNorm(x, name+".norm2", vitEps), name+".mlp"), name+".ls2")
	return g.Add(x, n.dropPath(y, name+".mlp", rate))
}

// scaled is LayerScale (Touvron et al., CaiT, 2021): a factor per channel, which starts at 1 as in
// the public models' definition.
func (v dinov2) scaled(n *Net, y *value, name string) *value {
	return n.g.Mul(y, n.param(name+".gamma", false, fill(1), v.width).value())
}

// attention is multi-head self-attention of tokens x [N,L,C].
func (v dinov2) attention(n *Net, x *value, name string) *value {
	g, l, c := n.g, n.g.SizeOf(x, 1), v.width
	init := truncatedNormal(v.linearStd)
	qkv := n.linear(name+".qkv", 3*c, c, init)
	out := n.linear(name+".proj", c, c, init)

	parts, heads, d := g.Split(qkv.toMap(x), 1, c, c, c), graphs.Fixed(v.heads), graphs.Fixed(c/v.heads)
	parts[0] = n.adapted(parts[0], x, name+".q", qkv.weight, 0)
	parts[2] = n.adapted(parts[2], x, name+".v", qkv.weight, 2*c)
	for i, p := range parts {
		parts[i] = g.ReshapeTo(p, n.batch, heads, d, l)
	}
	weights := g.Softmax(n.product(parts[0], parts[1], true, false, float32(1/math.Sqrt(float64(d.Int())))), -1) // [N,heads,L,L]
	return out.toTokens(g.ReshapeTo(n.product(parts[2], weights, false, true, 1), n.batch, graphs.Fixed(c), l))
}

// mlp is linear, GELU, linear on tokens.
func (v dinov2) mlp(n *Net, x *value, name string) *value {
	init := truncatedNormal(v.linearStd)
	in := n.linear(name+".fc1", vitMLP*v.width, v.width, init)
	out := n.linear(name+".fc2", v.width, vitMLP*v.width, init)
	return out.toTokens(n.low.gelu(n.g, in.toMap(x)))
}

// level returns the map [N,C,h,w] of the patch tokens among tokens x under the final norm.
func (v dinov2) level(n *Net, x *value, h, w graphs.Size) *value {
	g, first := n.g, 1+v.registers
	x = g.SliceTo(x, []int{first}, []graphs.Size{h.Times(w).Plus(graphs.Fixed(first))}, []int{1})
	x = g.Transpose(n.layerNorm(x, "backbone.norm", vitEps), 0, 2, 1)
	return g.ReshapeTo(x, n.batch, graphs.Fixed(v.width), h, w)
}
