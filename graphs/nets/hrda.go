package nets

import (
	"errors"
	"fmt"
	"slices"

	"t2sda/graphs"
)

// HRDA (Hoyer et al., "HRDA: Context-Aware High-Resolution Domain-Adaptive Semantic Segmentation",
// ECCV 2022): one encoder and one head look at the whole image at half its size, the context, and
// at details of it at full size. A second, lighter head says for each class and each position of
// the context how much the details count there.

// HasDetails reports whether the architecture is HRDA's, of two resolutions.
func (a Arch) HasDetails() bool { return a.DetailWidth != 0 || a.DetailHeight != 0 }

// checkDetails refuses what HRDA cannot be built with.
func (a Arch) checkDetails() error {
	switch {
	case !a.HasDetails():
		return nil
	case a.DetailWidth < 1 || a.DetailHeight < 1:
		return fmt.Errorf("details have %d×%d pixels: give both width and height, or 0×0 for none", a.DetailWidth, a.DetailHeight)
	case a.AttentionWidth < 1:
		return fmt.Errorf("attention width is %d, must be at least 1", a.AttentionWidth)
	}
	return nil
}

// DetailStep returns what HRDA's images, details and places of details must be multiples of, in px:
// twice the stride of the logits, so that details lie on whole positions of the context's. It is an
// error where the network has no details, or a stride that is no whole number.
func (a Arch) DetailStep() (int, error) {
	if err := a.Validate(); err != nil {
		return 0, err
	}
	if !a.HasDetails() {
		return 0, errors.New("the network has no details")
	}
	const side = 512 // of the context: a multiple of all strides
	var logits graphs.Shape
	_, err := graphs.Build("stride", func(g *graphs.Graph) {
		n := newNet(g, a, encoders[a.Encoder], teacher{})
		logits = n.Segment(n.Encode(g.Input("image", graphs.Float32, 1, 3, side, side))).Shape()
	})
	if err != nil {
		return 0, err
	}
	if side%logits[2] != 0 {
		return 0, fmt.Errorf("details need logits of a whole stride; those of %s with head %s have %d positions of %d pixels", a.Encoder, a.Head, logits[2], side)
	}
	return 2 * side / logits[2], nil
}

// CheckDetails returns an error where an image of width × height pixels is none that details can be
// cut from and put back into; nil for networks without details.
func (a Arch) CheckDetails(width, height int) error {
	if !a.HasDetails() {
		return nil
	}
	step, err := a.DetailStep()
	if err != nil {
		return err
	}
	least := encoders[a.Encoder].least()
	switch w, h := a.DetailWidth, a.DetailHeight; {
	case min(w, h) < least:
		return fmt.Errorf("details have %d×%d pixels, %s takes %d×%[4]d at least", w, h, a.Encoder, least)
	case min(width, height) < 2*least:
		return fmt.Errorf("an image of %d×%d pixels: %s takes %d×%[4]d at least, of half of it", width, height, a.Encoder, least)
	case w%step != 0 || h%step != 0:
		return fmt.Errorf("details have %d×%d pixels, want multiples of %d (twice the stride of the logits)", w, h, step)
	case width%step != 0 || height%step != 0:
		return fmt.Errorf("an image of %d×%d pixels: want multiples of %d (twice the stride of the logits) where there are details", width, height, step)
	case w > width || h > height:
		return fmt.Errorf("details of %d×%d pixels are larger than an image of %d×%d", w, h, width, height)
	}
	return nil
}

// Context returns what the encoder sees of an image x [N,3,H,W]: in HRDA its half, the means of 2×2
// pixels, else the image.
func (n *Net) Context(x *graphs.Value) *graphs.Value {
	checkImage("Context", x)
	if !n.arch.HasDetails() {
		return x
	}
	h, w := x.Dim(2), x.Dim(3)
	if h%2 != 0 || w%2 != 0 {
		panic(&graphs.Error{Op: "Context", Node: x.Name(), Shapes: []graphs.Shape{x.Shape()}, Message: "want an even height and width"})
	}
	return n.g.Resize(x, h/2, w/2, "linear")
}

// Predict returns the logits [N,Classes,h,w] for a normalised image x [N,3,H,W] and Encode's levels
// of its Context: Segment of these; in HRDA, fused with those of details everywhere. These are
// predicted in windows of which each covers half of the last one again, and averaged (HRDA,
// "Pseudo-Label Generation with Overlapping Sliding Window"). All windows are one batch, as in the
// public code.
//
// It panics with *graphs.Error for images that [Arch.CheckDetails] refuses.
func (n *Net) Predict(x *graphs.Value, levels []*graphs.Value) *graphs.Value {
	context := n.Segment(levels)
	if !n.arch.HasDetails() {
		return context
	}
	g, a, h, w := n.g, n.arch, x.Dim(2), x.Dim(3)
	if err := a.CheckDetails(w, h); err != nil {
		panic(&graphs.Error{Op: "Predict", Node: x.Name(), Shapes: []graphs.Shape{x.Shape()}, Message: err.Error()})
	}
	rows, columns := halfOver(h, a.DetailHeight), halfOver(w, a.DetailWidth)
	var windows []*value
	for _, top := range rows {
		for _, left := range columns {
			windows = append(windows, g.Slice(x, []int{top, left}, []int{top + a.DetailHeight, left + a.DetailWidth}, []int{2, 3}, nil))
		}
	}
	detail := n.Segment(n.Encode(g.Concat(0, windows...)))
	n.batch = g.SizeOf(x, 0)
	whole := averaged(detail, rows, columns, [2]int{a.DetailHeight, a.DetailWidth}, [2]int{h, w})
	return blend(context, whole, n.Attention(levels, context))
}

// halfOver places windows of n pixels along an axis of size pixels, each over half of the last one;
// the last of all ends with the axis.
func halfOver(size, n int) []int {
	var all []int
	for at := 0; at+n < size; at += n / 2 {
		all = append(all, at)
	}
	return append(all, size-n)
}

// averaged returns the logits [N,C,h,w] of images of size px (height, width), of those of windows
// [rows·columns·N,C,k,l] of window px that begin there: the mean of all windows at each position.
func averaged(x *value, rows, columns []int, window, size [2]int) *value {
	g, c, k, l := x.Graph(), x.Dim(1), x.Dim(2), x.Dim(3)
	images := x.Dim(0) / (len(rows) * len(columns))
	x = g.Transpose(g.Reshape(x, len(rows), len(columns), images, c, k, l), 2, 3, 0, 4, 1, 5)
	x = g.Reshape(x, images, c, len(rows)*k, len(columns)*l) // side by side
	down, right := means(g, rows, size[0], window[0], k), means(g, columns, size[1], window[1], l)
	g.Exact(func() { x = g.MatMul(g.MatMul(down, x), g.Transpose(right, 1, 0)) })
	return x
}

// means is the matrix that brings n positions for each window, of size px and beginning there, to
// those of the whole axis of total px.
func means(g *graphs.Graph, windows []int, total, size, n int) *value {
	stride, from := size/n, len(windows)*n
	m := make([]float32, total/stride*from)
	for i, at := range windows {
		for k := range n {
			m[(at/stride+k)*from+i*n+k] = 1
		}
	}
	for row := range slices.Chunk(m, from) {
		count := float32(0)
		for _, v := range row {
			count += v
		}
		for k := range row {
			row[k] /= count
		}
	}
	return g.Floats(m, total/stride, from)
}

// Placement says where in the logits of a whole image, [2h,2w] for a context of h×w positions,
// those of a detail [k,l] belong: Rows · detail · Columns.
type Placement struct {
	Rows    *graphs.Value // [2h,k]
	Columns *graphs.Value // [l,2w]
	Inside  *graphs.Value // [1,1,h,w], 1 where the detail is, 0 elsewhere
}

// Fuse returns the logits [N,C,2h,2w] of an image, of those of its context [N,C,h,w] and of a detail
// [N,C,k,l], and the attention [N,C,h,w], which counts inside of the detail (HRDA,
// "Multi-Resolution Fusion"):
//
//	up((1 − a) · context) + up(a) · placed(detail)
//
// with up to twice the size, linearly.
func Fuse(context, detail, attention *graphs.Value, p Placement) *graphs.Value {
	g := context.Graph()
	var placed *value
	g.Exact(func() { placed = g.MatMul(g.MatMul(p.Rows, detail), p.Columns) })
	return blend(context, placed, g.Mul(attention, p.Inside))
}

// blend is Fuse with a detail that is placed already.
func blend(context, placed, attention *value) *value {
	g := context.Graph()
	up := func(x *value) *value { return g.Resize(x, 2*context.Dim(2), 2*context.Dim(3), "linear") }
	return g.Add(up(g.Mul(g.Sub(g.Scalar(1), attention), context)), g.Mul(up(attention), placed))
}

// Attention returns the scale attention σ(head(levels)), [N,C,h,w] at the size of the context's
// logits, for Encode's levels of the context: how much details count there, class by class. Its
// head is the public one beside head daformer: like that, but with a 1×1 fusion in place of views
// of several sizes.
func (n *Net) Attention(levels []*graphs.Value, context *graphs.Value) *graphs.Value {
	n.checkLevels("Attention", levels)
	return n.part(Head, "attention", func() *value {
		const name = "scale_attention."
		d := n.arch.AttentionWidth
		embeds := n.embeddings(levels, d, func(level int) string { return fmt.Sprintf("%sembed_layers.%d.proj", name, level) })
		fuse := n.convBN(name+"fuse_layer", d, len(levels)*d, 1, graphs.ConvAttrs{})
		y := n.classifier(name+"conv_seg", n.mlp(levels, embeds, fuse, inOrder))
		return n.g.Sigmoid(n.resizedTo(y, context))
	})
}
