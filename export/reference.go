package export

import (
	"context"
	"errors"

	"t2sda/export/predict"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/raster"
)

// Reference is an image and what the training network says of it.
type Reference struct {
	Image  *raster.Image
	Logits []float32 // planar, of Shape, as the head gives them
	Shape  [3]int    // [classes,rows,columns]
}

// References runs the network on images as it is trained (its operators, adapters apart from what
// they adapt) but under running statistics, which are what is deployed.
func References(ctx context.Context, e *engine.Engine, a nets.Arch, weights func(name string) ([]float32, error), images []*raster.Image) (refs []Reference, err error) {
	var t *trained
	defer func() {
		if t != nil {
			err = errors.Join(err, t.program.Close())
		}
	}()
	for _, img := range images {
		if t == nil || len(t.pixels) != len(img.Pix) || t.w != img.W {
			if t != nil {
				if err := t.program.Close(); err != nil {
					return nil, err
				}
			}
			if t, err = newTrained(e, a, weights, img.W, img.H); err != nil {
				return nil, err
			}
		}
		copy(t.pixels, img.Pix)
		if err := t.program.Run(ctx); err != nil {
			return nil, err
		}
		refs = append(refs, Reference{img, append([]float32(nil), t.logits...), t.shape})
	}
	return refs, nil
}

// trained is the network for images of one size.
type trained struct {
	program        *program.Program
	w              int
	pixels, logits []float32
	shape          [3]int
}

func newTrained(e *engine.Engine, a nets.Arch, weights func(name string) ([]float32, error), w, h int) (*trained, error) {
	t := &trained{w: w}
	p, err := program.New(e, "verify.settled", constant(weights), func(p *program.Program) {
		n := nets.New(p.Graph(), a, nets.Settled, nil)
		var image *graphs.Value
		image, t.pixels = program.Input[float32](p, imageInput, 1, 3, h, w)
		y := n.Logits(image)
		t.logits, t.shape = program.Output[float32](p, predict.OutputLogits, y), [3]int(y.Shape()[1:])
		p.Lend(n.Buffers(), constant(weights))
	})
	t.program = p
	return t, err
}
