package nets

import (
	"fmt"

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
		return 0, fmt.Errorf("the network has no details")
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
	switch w, h := a.DetailWidth, a.DetailHeight; {
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
	rowWise, columnWise := averaging(rows, h, a.DetailHeight, detail.Dim(2)), averaging(columns, w, a.DetailWidth, detail.Dim(3))
	return n.Fuse(levels, context, side(detail, len(rows), len(columns)), Placement{
		Rows:    g.Floats(rowWise.data, rowWise.to, rowWise.from),
		Columns: g.Transpose(g.Floats(columnWise.data, columnWise.to, columnWise.from), 1, 0),
	})
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

// side puts logits of windows [rows·columns·N,C,h,w] side by side, [N,C,rows·h,columns·w].
func side(x *value, rows, columns int) *value {
	g, images, c, h, w := x.Graph(), x.Dim(0)/(rows*columns), x.Dim(1), x.Dim(2), x.Dim(3)
	x = g.Transpose(g.Reshape(x, rows, columns, images, c, h, w), 2, 3, 0, 4, 1, 5)
	return g.Reshape(x, images, c, rows*h, columns*w)
}

// matrix is [to,from], row by row.
type matrix struct {
	data     []float32
	to, from int
}

// averaging brings what windows that begin at those pixels of an axis have to say, n positions for
// size pixels each, to the positions of the whole axis of total pixels: the mean of all windows
// there.
func averaging(windows []int, total, size, n int) matrix {
	stride := size / n
	m := matrix{to: total / stride, from: len(windows) * n}
	m.data = make([]float32, m.to*m.from)
	for i, at := range windows {
		for k := range n {
			m.data[(at/stride+k)*m.from+i*n+k] = 1
		}
	}
	for to := range m.to {
		row := m.data[to*m.from : (to+1)*m.from]
		count := float32(0)
		for _, v := range row {
			count += v
		}
		for k := range row {
			row[k] /= count
		}
	}
	return m
}

// Placement says where in the logits of a whole image those of details belong: they become
// Rows · detail · Columns, and the attention is multiplied by Inside.
type Placement struct {
	Rows    *graphs.Value // [2h,k] for a context of h×w positions and details of k×l
	Columns *graphs.Value // [l,2w]
	Inside  *graphs.Value // [1,1,h,w], 1 where the details are, 0 elsewhere; nil: they are everywhere
}

// Fuse returns the logits [N,Classes,2h,2w] of an image, of those of its context [N,Classes,h,w],
// Encode's levels of that, and those of details (HRDA, "Multi-Resolution Fusion"):
//
//	up((1 − a) · context) + up(a) · placed(detail)
//
// with up to twice the size, linearly, and the attention a = σ(head(levels)).
func (n *Net) Fuse(levels []*graphs.Value, context, detail *graphs.Value, p Placement) *graphs.Value {
	a := n.g.Sigmoid(n.attention(levels, context))
	return fuse(context, detail, a, p)
}

// fuse is Fuse with the attention given.
func fuse(context, detail, attention *value, p Placement) *value {
	g := context.Graph()
	up := func(x *value) *value { return g.Resize(x, 2*context.Dim(2), 2*context.Dim(3), "linear") }
	if p.Inside != nil {
		attention = g.Mul(attention, p.Inside)
	}
	var placed *value
	g.Exact(func() { placed = g.MatMul(g.MatMul(p.Rows, detail), p.Columns) })
	return g.Add(up(g.Mul(g.Sub(g.Scalar(1), attention), context)), g.Mul(up(attention), placed))
}

// attention returns the scale attention's logits [N,Classes,h,w] at the context's size. Its head is
// the public one beside head daformer, whose views of several sizes it lacks: it is all-MLP, like
// segformer, under other names.
func (n *Net) attention(levels []*value, context *value) *value {
	return n.part(Head, "attention", func() *value {
		const name = "scale_attention."
		d := n.arch.AttentionWidth
		embeds := n.embeddings(levels, d, func(level int) string { return fmt.Sprintf("%sembed_layers.%d.proj", name, level) })
		fuse := n.convBN(name+"fuse_layer", d, len(levels)*d, 1, graphs.ConvAttrs{})
		y := n.classifier(name+"conv_seg", n.mlp(levels, embeds, fuse, inOrder))
		return n.resizedTo(y, context)
	})
}
