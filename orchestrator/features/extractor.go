package features

import (
	"context"
	"errors"

	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// The kinds of features.
const (
	// Head: what the classifier reads.
	Head = "head"
	// Encoder: what the projector reads or would read, by the architecture's
	// ProjectorInput: all levels resized to the first one's size and concatenated,
	// or the last level.
	Encoder = "encoder"
	// Projector: what the pull acts on, of unit length; only in networks that
	// have one.
	Projector = "projector"
)

// Kinds lists the kinds of features.
func Kinds() []string { return []string{Head, Encoder, Projector} }

// Network is what features are taken of.
type Network struct {
	Arch   nets.Arch
	Lookup func(name string) ([]float32, error) // parameters and running statistics
	Rule   losses.GridRule                      // brings labels to the features' grid
}

// Extractor runs a network on one image after the other.
type Extractor struct {
	*program.Program
	rule losses.GridRule

	image    []float32 // [3,H,W]
	logits   []float32 // [C,H,W]
	features []float32 // [D,h,w]

	classes, height, width int // of the logits
	depth, h, w            int // of the features
}

// Open builds the network as it is deployed, under running statistics, for
// images of width × height pixels. The projector's features are an error of a
// network without one. Of HRDA's networks it takes the context alone: features and
// predictions are of the image at half its size.
func Open(e *engine.Engine, n Network, kind string, width, height int) (*Extractor, error) {
	if kind == Projector && n.Arch.ProjectorWidth == 0 {
		return nil, errors.New("the network has no projector: look at the features of " + Head + " or " + Encoder)
	}
	x := &Extractor{rule: n.Rule, classes: n.Arch.Classes, height: height, width: width}
	var err error
	x.Program, err = program.New(e, "features", nil, func(p *program.Program) {
		g := p.Graph()
		net := nets.New(g, n.Arch, nets.Deploy, n.Lookup)
		image, pixels := program.Input[float32](p, "image", 1, 3, height, width)
		levels := net.Encode(net.Context(net.Normalize(image)))
		decoded := net.Decode(levels)
		f := decoded
		switch kind {
		case Projector:
			f = net.Project(levels)
		case Encoder:
			f = net.Encoded(levels)
		}
		x.depth, x.h, x.w = f.Dim(1), f.Dim(2), f.Dim(3)
		logits := g.Resize(net.Classify(decoded), height, width, "linear")
		x.image, x.logits, x.features = pixels, program.Output[float32](p, "logits", logits), program.Output[float32](p, "features", f)
	})
	if err != nil {
		return nil, err
	}
	return x, nil
}

// Depth is the number of features at a position.
func (x *Extractor) Depth() int { return x.depth }

// Seen is an image that the network was run on. The next one overwrites
// Features and Labels.
type Seen struct {
	Features []float32      // [D,h,w]
	Labels   []uint8        // [h,w]
	Truth    *raster.Labels // at the label file's size if [Images.Truth] asks for it
}

// Pass runs the network on every chosen image, in order, and calls f after each.
// Up to workers goroutines read images meanwhile. The images must have the
// extractor's size.
func (x *Extractor) Pass(ctx context.Context, images *Images, workers int, f func(Seen) error) error {
	s := Seen{Features: x.features, Labels: make([]uint8, x.h*x.w)}
	return images.each(ctx, workers, func(l loaded) error {
		if err := losses.GridLabels(s.Labels, l.labels.Pix, 1, images.H, images.W, x.h, x.w, x.rule); err != nil {
			return err
		}
		copy(x.image, l.image.Pix)
		if err := x.Run(ctx); err != nil {
			return err
		}
		s.Truth = l.truth
		return f(s)
	})
}

// Predicted returns the last image's prediction at w × h pixels.
func (x *Extractor) Predicted(w, h int) (*raster.Labels, error) {
	return predict.Argmax(x.logits, [3]int{x.classes, x.height, x.width}, w, h)
}
