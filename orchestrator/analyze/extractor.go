package analyze

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"t2sda/export/predict"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/internal/raster"
	"t2sda/orchestrator"
)

// The kinds of features.
const (
	// Head: the last layer before the classifier, stride 4.
	Head = "head"
	// Encoder: what the projector reads or would read, by
	// model.projector_input: all levels resized to stride 4 and concatenated, or
	// the last level at stride 32.
	Encoder = "encoder"
	// Projector: what the pull acts on, of unit length; only in networks that
	// were trained with it.
	Projector = "projector"
)

// Features lists the kinds.
func Features() []string { return []string{Head, Encoder, Projector} }

// checkFeatures reports a kind that does not exist or that the network lacks.
func checkFeatures(kind string, n *orchestrator.Network) error {
	switch {
	case !slices.Contains(Features(), kind):
		return fmt.Errorf("features %q are none of %s", kind, strings.Join(Features(), ", "))
	case kind == Projector && n.Arch.ProjectorWidth == 0:
		return fmt.Errorf("%s: method %s trains no projector: look at the features of %s or %s", n.Dir, n.Config.Method, Head, Encoder)
	}
	return nil
}

// extractor runs a network on one image after the other.
type extractor struct {
	session *engine.Session
	binding *engine.Binding

	image    []float32 // [3,H,W]
	logits   []float32 // [C,H,W]
	features []float32 // [D,h,w]

	classes, height, width int // of the logits
	depth, h, w            int // of the features
}

// newExtractor builds the network as it is deployed, under running statistics,
// for images of width × height pixels.
func newExtractor(e *engine.Engine, n *orchestrator.Network, kind string, width, height int) (*extractor, error) {
	x := &extractor{classes: n.Arch.Classes, height: height, width: width}
	g, err := graphs.Build("features", func(g *graphs.Graph) {
		net := nets.New(g, n.Arch, nets.Deploy, n.Lookup)
		levels := net.Encode(net.Normalize(g.Input("image", graphs.Float32, 1, 3, height, width)))
		decoded := net.Decode(levels)
		f := decoded
		switch kind {
		case Projector:
			f = net.Project(levels)
		case Encoder:
			f = encoded(g, n.Config.Model.ProjectorInput, levels)
		}
		x.depth, x.h, x.w = f.Dim(1), f.Dim(2), f.Dim(3)
		g.Output("logits", g.Resize(net.Classify(decoded), height, width, "linear"))
		g.Output("features", f)
	})
	if err != nil {
		return nil, err
	}
	if err := x.open(e, g); err != nil {
		return nil, errors.Join(err, x.close())
	}
	return x, nil
}

// encoded returns the encoder's features [1,D,h,w] as the projector reads them.
func encoded(g *graphs.Graph, input string, levels []*graphs.Value) *graphs.Value {
	if input == nets.ProjectLast {
		return levels[3]
	}
	resized := make([]*graphs.Value, len(levels))
	for i, l := range levels {
		resized[i] = g.Resize(l, levels[0].Dim(2), levels[0].Dim(3), "linear")
	}
	return g.Concat(1, resized...)
}

// open creates the session and binds its tensors.
func (x *extractor) open(e *engine.Engine, g *graphs.Graph) error {
	model, err := g.Marshal()
	if err != nil {
		return err
	}
	if x.session, err = e.NewSession(g.Name(), model); err != nil {
		return err
	}
	x.image = make([]float32, 3*x.height*x.width)
	x.logits = make([]float32, x.classes*x.height*x.width)
	x.features = make([]float32, x.depth*x.h*x.w)
	image, errImage := engine.NewTensor(x.image, 1, 3, x.height, x.width)
	logits, errLogits := engine.NewTensor(x.logits, 1, x.classes, x.height, x.width)
	features, errFeatures := engine.NewTensor(x.features, 1, x.depth, x.h, x.w)
	if err := errors.Join(errImage, errLogits, errFeatures); err != nil {
		return err
	}
	x.binding, err = x.session.Bind(map[string]*engine.Tensor{"image": image}, map[string]*engine.Tensor{"logits": logits, "features": features})
	return err
}

// run fills logits and features.
func (x *extractor) run(ctx context.Context, img *raster.Image) error {
	copy(x.image, img.Pix)
	return x.binding.Run(ctx)
}

// labels returns the last image's prediction at w × h pixels.
func (x *extractor) labels(w, h int) (*raster.Labels, error) {
	return predict.Argmax(x.logits, [3]int{x.classes, x.height, x.width}, w, h)
}

func (x *extractor) close() error {
	var errs []error
	if x.binding != nil {
		errs = append(errs, x.binding.Close())
	}
	if x.session != nil {
		errs = append(errs, x.session.Close())
	}
	return errors.Join(errs...)
}
