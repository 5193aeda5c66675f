package export

import (
	"context"
	"errors"
	"fmt"
	"math"

	"t2sda/export/predict"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/raster"
)

// MinAgreement is the share of equal labels from which on an exported model
// counts as equal to its network: rounding may decide single pixels on class
// borders differently.
const MinAgreement = 0.999

// Agreement compares the labels of two models.
type Agreement struct {
	Pixels int64 `json:"pixels"`
	Equal  int64 `json:"equal"`
}

// Add counts the pixels of one image. Void in the reference is left out.
func (a *Agreement) Add(reference, labels *raster.Labels) error {
	if reference.W != labels.W || reference.H != labels.H {
		return fmt.Errorf("compare labels of %d×%d pixels with %d×%d", labels.W, labels.H, reference.W, reference.H)
	}
	for i, id := range reference.Pix {
		if id == raster.Void {
			continue
		}
		a.Pixels++
		if labels.Pix[i] == id {
			a.Equal++
		}
	}
	return nil
}

// Share returns the share of equal labels, NaN without any.
func (a Agreement) Share() float64 {
	if a.Pixels == 0 {
		return math.NaN()
	}
	return float64(a.Equal) / float64(a.Pixels)
}

// Err returns nil from [MinAgreement] on.
func (a Agreement) Err() error { return a.Reach(MinAgreement) }

// Reach returns nil from a share of equal labels on.
func (a Agreement) Reach(least float64) error {
	if share := a.Share(); !(share >= least) {
		return fmt.Errorf("the exported model gives the same label as the training network at %d of %d pixels (%.3f %%, want %.4g %%)",
			a.Equal, a.Pixels, 100*share, 100*least)
	}
	return nil
}

// Compare predicts the images and counts how many labels equal the references,
// of the images' sizes. Its result may be below [MinAgreement]: see
// [Agreement.Err].
func Compare(ctx context.Context, p *predict.Predictor, images []*raster.Image, references []*raster.Labels) (Agreement, error) {
	var a Agreement
	if len(images) != len(references) {
		return a, fmt.Errorf("compare labels: %d images, %d references", len(images), len(references))
	}
	for i, img := range images {
		labels, err := p.Predict(ctx, img)
		if err == nil {
			err = a.Add(references[i], labels)
		}
		if err != nil {
			return a, fmt.Errorf("image %d: %w", i, err)
		}
	}
	return a, nil
}

// Verify checks the way from the training network to the exported model on a
// batch of images of o's size (W×H): it runs the network as it is trained, batch
// norm composed and over the batch's statistics, all noise at its mean, and then
// exports the same weights with those statistics in place of the running ones.
// Folding, names, normalisation, resize and output must then reproduce the
// network's labels. The running statistics themselves are weights like any
// other, so the check covers them as far as names and folding go. A head that sees
// two resolutions (HRDA) has two batches' statistics: such networks run under the
// running ones.
//
// The error is about the check failing to run; whether the labels agree is said
// by [Agreement.Err].
func Verify(ctx context.Context, e *engine.Engine, o ModelOptions, weights func(name string) ([]float32, error), images []*raster.Image) (Agreement, error) {
	a, err := verify(ctx, e, o.withDefaults(), weights, images)
	if err != nil {
		return a, fmt.Errorf("verify export: %w", err)
	}
	return a, nil
}

func verify(ctx context.Context, e *engine.Engine, o ModelOptions, weights func(name string) ([]float32, error), images []*raster.Image) (a Agreement, err error) {
	if err := o.validate(); err != nil {
		return a, err
	}
	if len(images) == 0 {
		return a, errors.New("no images")
	}
	for i, img := range images {
		if img.W != o.Width || img.H != o.Height {
			return a, fmt.Errorf("image %d has %d×%d pixels, the model takes %d×%d", i, img.W, img.H, o.Width, o.Height)
		}
	}
	o.Windows = predict.Windows{} // the images are inputs, not to be cut
	references, statistics, err := runTrained(ctx, e, o, weights, images)
	if err != nil {
		return a, err
	}
	model, err := Build(o, func(name string) ([]float32, error) {
		if s, ok := statistics[name]; ok {
			return s, nil
		}
		return weights(name)
	})
	if err != nil {
		return a, err
	}
	s, err := e.NewSession("verify.export", model)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p, err := predict.New(s)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return Compare(ctx, p, images, references)
}

// runTrained runs the training network once and returns its labels at the
// images' size, and the batch's statistics under the names of the running ones.
func runTrained(ctx context.Context, e *engine.Engine, o ModelOptions, weights func(name string) ([]float32, error), images []*raster.Image) (_ []*raster.Labels, _ map[string][]float32, err error) {
	var pixels, logits []float32
	var shape graphs.Shape // [N,C,h,w]
	statistics := map[string][]float32{}
	p, err := program.New(e, "verify.train", constant(weights), func(p *program.Program) {
		mode := nets.Train
		if o.Arch.HasDetails() {
			mode = nets.Settled
		}
		n := nets.New(p.Graph(), o.Arch, mode, nil)
		image, memory := program.Input[float32](p, imageInput, len(images), 3, o.Height, o.Width)
		y := n.Logits(image)
		pixels, logits, shape = memory, program.Output[float32](p, predict.OutputLogits, y), y.Shape()
		for _, s := range n.BatchStats() {
			mean, variance := s.Name+".running_mean", s.Name+".running_var"
			statistics[mean] = program.Output[float32](p, mean, s.Mean)
			statistics[variance] = program.Output[float32](p, variance, s.Var)
		}
		p.Lend(n.Buffers(), constant(weights))
		for _, noise := range n.Noise() { // that changes nothing
			ones := program.Feed[float32](p, noise.Input)
			for i := range ones {
				ones[i] = 1
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	for _, img := range images {
		pixels = pixels[copy(pixels, img.Pix):]
	}
	if err := p.Run(ctx); err != nil {
		return nil, nil, err
	}
	size := shape[1] * shape[2] * shape[3]
	labels := make([]*raster.Labels, len(images))
	for i := range labels {
		var err error
		labels[i], err = predict.Argmax(logits[i*size:(i+1)*size], [3]int(shape[1:]), o.Width, o.Height)
		if err != nil {
			return nil, nil, fmt.Errorf("training network: %w", err)
		}
	}
	return labels, statistics, nil
}

// constant gives a program's parameters and buffers the memory that weights returns.
func constant(weights func(name string) ([]float32, error)) program.Params {
	return func(name string, shape graphs.Shape) (*engine.Tensor, error) {
		data, err := weights(name)
		if err != nil {
			return nil, err
		}
		return engine.NewTensor(data, shape...)
	}
}
