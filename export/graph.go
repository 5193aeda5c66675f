package export

import (
	"fmt"

	"t2sda/export/predict"
	"t2sda/graphs"
	"t2sda/graphs/nets"
)

// size is a batch of images.
type size struct{ n, w, h int }

// example is what graphs of free sizes are built for. Every map of a network is larger than one
// position for it, and maps of different strides have different sizes; no side is a multiple of 14
// px. See [graphs.Size].
var example = size{2, 366, 275}

// The names of free axes.
const (
	axisBatch   = "batch"
	axisHeight  = "height"
	axisWidth   = "width"
	axisRows    = "rows" // of the logits
	axisColumns = "columns"
)

// graph builds the model of valid options. A free size is built for the example.
func (o ModelOptions) graph(weights func(name string) ([]float32, error), example size) (*graphs.Graph, error) {
	if !o.Dynamic {
		example = size{1, o.Width, o.Height}
	}
	least, err := o.Arch.MinSize()
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	g, err := graphs.Build("t2sda", func(g *graphs.Graph) {
		b := &builder{g: g, o: o, net: nets.New(g, o.Arch, nets.Deploy, weights), least: least}
		b.build(b.image(example))
	})
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return g, nil
}

// builder is a model under construction.
type builder struct {
	g     *graphs.Graph
	o     ModelOptions
	net   *nets.Net
	least int // the smallest height and width that the network takes, px

	h, w             graphs.Size // of the image
	inH, inW         graphs.Size // of what the network sees
	stride, full     *graphs.Value
	strideS, fullS   *graphs.Value // their softmax
	strideID, fullID *graphs.Value // their labels, int64
}

// image declares the input and returns it as float32 [N,3,H,W], on the input's scale.
func (b *builder) image(example size) *graphs.Value {
	dt := graphs.Float32
	if b.o.Input == predict.InputUint8 {
		dt = graphs.Uint8
	}
	dims, axes := []int{example.n, 3, example.h, example.w}, []string{axisBatch, "", axisHeight, axisWidth}
	if b.o.Layout == predict.NHWC {
		dims, axes = []int{example.n, example.h, example.w, 3}, []string{axisBatch, axisHeight, axisWidth, ""}
	}
	x := b.g.Input(imageInput, dt, dims...)
	if b.o.Dynamic {
		b.g.Free(x, axes...)
	}
	if b.o.Layout == predict.NHWC {
		b.h, b.w = b.g.SizeOf(x, 1), b.g.SizeOf(x, 2)
		x = b.g.Transpose(x, 0, 3, 1, 2)
	} else {
		b.h, b.w = b.g.SizeOf(x, 2), b.g.SizeOf(x, 3)
	}
	return b.g.Cast(x, graphs.Float32)
}

// build makes the outputs of an image. One of free size that is smaller than the network takes is
// continued by its last row and column, and the outputs are cut back.
func (b *builder) build(x *graphs.Value) {
	b.inH, b.inW = b.h, b.w
	if b.cuts() {
		b.inH, b.inW = b.h.AtLeast(graphs.Fixed(b.least)), b.w.AtLeast(graphs.Fixed(b.least))
		x = b.g.Continue(x, b.inH, b.inW)
	}
	if !b.o.Outside {
		x = b.net.Normalize(x)
	}
	b.stride = b.net.Predict(x, b.net.Encode(b.net.Context(x)))
	for _, name := range b.o.Outputs {
		out, _ := predict.ParseOutput(name) // which validate has tried
		b.output(name, out)
	}
}

// cuts reports whether images may be smaller than the network takes.
func (b *builder) cuts() bool { return b.o.Dynamic && b.least > 1 }

// output makes one output.
func (b *builder) output(name string, out predict.Output) {
	g := b.g
	logits, softmax, ids := b.logits(out.Stride), &b.fullS, &b.fullID
	if out.Stride {
		softmax, ids = &b.strideS, &b.strideID
	}
	var y *graphs.Value
	switch out.Kind {
	case predict.OutputLogits:
		y = logits
	case predict.OutputLabels, predict.OutputLabels64:
		if *ids == nil {
			*ids = g.ArgMax(logits, 1, false)
		}
		if y = *ids; out.Kind == predict.OutputLabels {
			y = g.Cast(y, graphs.Uint8)
		}
	default:
		if *softmax == nil {
			*softmax = g.Softmax(logits, 1)
		}
		if y = *softmax; out.Kind == predict.OutputConfidence {
			y = g.ReduceMax(y, []int{1}, false)
		}
	}
	y = b.cut(y, out.Stride)
	g.Output(name, y)
	if b.o.Dynamic {
		b.free(out.Stride)
	}
}

// logits returns the logits as the network gives them, or at the size of what it sees.
func (b *builder) logits(stride bool) *graphs.Value {
	if stride {
		return b.stride
	}
	if b.full == nil {
		b.full = b.g.ResizeTo(b.stride, b.inH, b.inW, "linear")
	}
	return b.full
}

// cut takes from y, of what the network sees, what is the image's.
func (b *builder) cut(y *graphs.Value, stride bool) *graphs.Value {
	if !b.cuts() {
		return y
	}
	h, w, last := b.h, b.w, y.Rank()-1
	if stride {
		share := func(n, of, whole graphs.Size) graphs.Size { // ⌈n · of / whole⌉
			return n.Times(of).Plus(whole).Minus(graphs.Fixed(1)).Over(whole)
		}
		h = share(b.g.SizeOf(b.stride, 2), b.h, b.inH)
		w = share(b.g.SizeOf(b.stride, 3), b.w, b.inW)
	}
	return b.g.SliceTo(y, []int{0, 0}, []graphs.Size{h, w}, []int{last - 1, last})
}

// free names the axes of the output that was declared last.
func (b *builder) free(stride bool) {
	all := b.g.Outputs()
	y := all[len(all)-1].Value
	h, w := axisHeight, axisWidth
	if stride {
		h, w = axisRows, axisColumns
	}
	axes := []string{axisBatch, h, w}
	if y.Rank() == 4 {
		axes = []string{axisBatch, "", h, w}
	}
	b.g.Free(y, axes...)
}
