package orchestrator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"t2sda/datasets"
	"t2sda/export"
	"t2sda/export/predict"
	"t2sda/export/quantize"
	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/internal/imagefile"
	"t2sda/internal/plural"
	"t2sda/internal/raster"
)

// Precisions of exported models.
const (
	FP32 = "fp32"
	FP16 = "fp16"
	INT8 = "int8"
)

// PrecisionOptions say in which numbers an exported model computes.
type PrecisionOptions struct {
	Precision string // [FP32], [FP16] or [INT8]
	Calibrate string // folder of images; empty: the run's target images, of which imported weights have none
	Images    int    // of them at most, spread over all
	quantize.Options
}

// Validate returns an error that names what is wrong.
func (o PrecisionOptions) Validate() error {
	switch o.Precision {
	case FP32:
		return nil
	case FP16, INT8:
	default:
		return fmt.Errorf("precision %q does not exist; there are %s, %s and %s", o.Precision, FP32, FP16, INT8)
	}
	if o.Images < 1 {
		return fmt.Errorf("calibration on %d images: at least one is needed", o.Images)
	}
	if o.Precision == FP16 {
		return nil
	}
	return o.Options.Validate()
}

// Narrowed is a model of fewer bits, and what was measured.
type Narrowed struct {
	Model []byte
	// Agreement of labels with the float32 model, on the images that it was measured on.
	Agreement export.Agreement
	// Half says which nodes float16 could not take.
	Half []quantize.Kept
	// Int8 is set for int8.
	Int8 *quantize.Quantised
	// Before and After are the scores on the evaluation split, 0–1; NaN without labels.
	Before, After float64
	Images        int // that both were measured on
	// Slow and Fast are the medians of one run of the float32 model and of this one, alternating.
	Slow, Fast time.Duration
}

// narrowing is one call of [Narrow].
type narrowing struct {
	engine *engine.Engine
	o      PrecisionOptions
	model  []byte // float32
	wide   *predict.Predictor
	eval   *datasets.Dataset // what models are measured on
	// calibrate is set for imported weights, see openHalves.
	calibrate *datasets.Dataset
	labels    bool             // whether it has labels
	truth     []*raster.Labels // the float32 model's labels
	// measured is the model that result's Agreement and After are of.
	measured []byte
	result   Narrowed
}

// Narrow makes a finished float32 model of a run one of float16 or int8, see [quantize]. It is
// calibrated on the run's target images or those of a folder and measured on its evaluation images.
// Of imported weights every other image of the folder is for the one, the rest for the other.
// tell is told of progress; it may be nil.
func Narrow(ctx context.Context, e *engine.Engine, n *Network, model []byte, o PrecisionOptions, tell func(string)) (_ *Narrowed, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if tell != nil {
		o.Tried = func(kept, layers int, drop float64) {
			tell(fmt.Sprintf("int8 with %d of %d layers in float32: %+.2f points", kept, layers, -drop))
		}
	}
	w := &narrowing{engine: e, o: o, model: export.Unsealed(model)}
	if w.wide, err = predict.OpenBytes(e, "float32", w.model); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.wide.Close()) }()
	if err := w.openEval(ctx, n); err != nil {
		return nil, err
	}
	samples, err := w.samples(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("calibration images: %w", err)
	}
	if err := w.narrow(ctx, samples); err != nil {
		return nil, err
	}
	return &w.result, w.time(ctx, samples)
}

func (w *narrowing) narrow(ctx context.Context, s quantize.Samples) error {
	if w.o.Precision == FP16 {
		h, err := quantize.Float16(ctx, w.engine, w.model, s, func(ctx context.Context, model []byte) (bool, error) {
			_, err := w.drop(ctx, model)
			return w.result.Agreement.Share() >= export.MinAgreement, err
		})
		if err != nil {
			return err
		}
		w.result.Model, w.result.Half = export.Seal(h.Model), h.Kept
		return nil
	}
	o := w.o.Options
	o.Drop = w.drop
	q, err := quantize.Int8(ctx, w.engine, w.model, s, o)
	if err != nil {
		return err
	}
	w.result.Model, w.result.Int8 = export.Seal(q.Model), q
	if !bytes.Equal(w.measured, q.Model) { // the last one that was tried is another one
		_, err = w.drop(ctx, q.Model)
	}
	return err
}

// measureImages is on how many evaluation images, spread over the split, models are measured.
const measureImages = 200

// openEval opens the images that models are measured on and notes what the float32 model says.
func (w *narrowing) openEval(ctx context.Context, n *Network) (err error) {
	if n.Dir == "" {
		err = w.openHalves(ctx)
	} else if w.eval, err = openDataset(ctx, "data.eval", n.Config.Data.Eval, n.Config, nil, false); err != nil {
		err = fmt.Errorf("a model of fewer bits is measured on the run's evaluation images: %w", err)
	}
	if err != nil {
		return err
	}
	w.labels = w.eval.Space().Equal(n.Space) && !slices.ContainsFunc(w.eval.Items(), func(it datasets.Item) bool { return it.Label == "" })
	w.eval = w.eval.With(spread(w.eval.Items(), measureImages))
	if width, height := w.wide.ImageSize(); width > 0 { // else at that which the run evaluates at
		w.eval = w.eval.AtSize(width, height)
	}
	w.result.Before, w.result.After, w.result.Images = math.NaN(), math.NaN(), w.eval.Len()
	w.truth = make([]*raster.Labels, w.eval.Len())
	w.result.Before, err = w.score(ctx, w.wide, func(i int, l *raster.Labels) error {
		w.truth[i] = l
		return nil
	})
	return err
}

// openHalves takes every other image of the calibration folder to calibrate on, and leaves
// the others to be measured on.
func (w *narrowing) openHalves(ctx context.Context) error {
	if w.o.Calibrate == "" {
		return errors.New("weights without a run have no images that a model of fewer bits is calibrated and measured on: name a folder of at least two")
	}
	d, err := datasets.OpenContext(ctx, datasets.Options{Root: w.o.Calibrate, Images: "."})
	if err != nil {
		return err
	}
	if d.Len() < 2 {
		return fmt.Errorf("%s: %s: one image at least calibrates, and another one is measured on", w.o.Calibrate, plural.Of(d.Len(), "image", "images"))
	}
	var halves [2][]datasets.Item
	for i, it := range d.Items() {
		halves[i%2] = append(halves[i%2], it)
	}
	w.calibrate, w.eval = d.With(halves[0]), d.With(halves[1])
	return nil
}

// spread returns n of all, evenly spaced, in order.
func spread[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	some := make([]T, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}

// score predicts all images and calls each with the labels, one after the other; it returns the
// mean IoU, NaN without labels to compare with.
func (w *narrowing) score(ctx context.Context, p *predict.Predictor, each func(i int, l *raster.Labels) error) (float64, error) {
	if !w.labels {
		return math.NaN(), w.predict(ctx, p, each)
	}
	var mu sync.Mutex
	r, err := score.Evaluate(ctx, p, w.eval, score.Options{Each: func(one score.Prediction) error {
		mu.Lock()
		defer mu.Unlock()
		return each(one.Index, one.Labels)
	}})
	if err != nil {
		return 0, err
	}
	return float64(r.MIoU), nil
}

// predict is score for images without labels.
func (w *narrowing) predict(ctx context.Context, p *predict.Predictor, each func(i int, l *raster.Labels) error) error {
	for i := range w.eval.Len() {
		s, err := w.eval.LoadImage(ctx, i)
		if err != nil {
			return err
		}
		l, err := p.PredictAt(ctx, s.Image, s.Image.W, s.Image.H)
		if err == nil {
			err = each(i, l)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.eval.Item(i).Image, err)
		}
	}
	return nil
}

// drop measures a model: what it loses of mean IoU or, without labels, of agreement with the
// float32 model, in percentage points.
func (w *narrowing) drop(ctx context.Context, model []byte) (points float64, err error) {
	p, err := predict.OpenBytes(w.engine, w.o.Precision, model)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	var a export.Agreement
	after, err := w.score(ctx, p, func(i int, l *raster.Labels) error { return a.Add(w.truth[i], l) })
	if err != nil {
		return 0, err
	}
	w.result.Agreement, w.result.After, w.measured = a, after, model
	if !w.labels {
		return 100 * (1 - a.Share()), nil
	}
	return 100 * (w.result.Before - after), nil
}

// samples returns the calibration images as inputs of the model.
func (w *narrowing) samples(ctx context.Context, n *Network) (quantize.Samples, error) {
	load, all, err := w.calibration(ctx, n)
	if err != nil {
		return quantize.Samples{}, err
	}
	numbers := make([]int, all)
	for i := range numbers {
		numbers[i] = i
	}
	numbers = spread(numbers, w.o.Images)
	return quantize.Samples{Len: len(numbers), At: func(ctx context.Context, i int) (map[string]*engine.Tensor, error) {
		img, err := load(ctx, numbers[i])
		if err != nil {
			return nil, err
		}
		return w.wide.Feed(img)
	}}, nil
}

// calibration lists the calibration images: how many there are, and how to read one.
func (w *narrowing) calibration(ctx context.Context, n *Network) (load func(context.Context, int) (*raster.Image, error), all int, err error) {
	d := w.calibrate
	if d == nil && w.o.Calibrate == "" {
		if d, err = openDataset(ctx, "data.target", n.Config.Data.Target, n.Config, nil, false); err != nil {
			return nil, 0, fmt.Errorf("%w (a folder of images may be named instead)", err)
		}
	}
	if d != nil {
		return func(ctx context.Context, i int) (*raster.Image, error) {
			s, err := d.LoadImage(ctx, i)
			return s.Image, err
		}, d.Len(), nil
	}
	files, _, _, err := datasets.ListImages(w.o.Calibrate, nil, nil)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s holds no images", filepath.Clean(w.o.Calibrate))
	}
	return func(_ context.Context, i int) (*raster.Image, error) { return imagefile.Read(files[i]) }, len(files), err
}

// timedRuns is how often each model runs for its time.
const timedRuns = 15

// time runs the float32 model and the narrow one by turns.
func (w *narrowing) time(ctx context.Context, s quantize.Samples) (err error) {
	in, err := s.At(ctx, 0)
	if err != nil {
		return err
	}
	var took [2][]time.Duration
	var sessions [2]*engine.Session
	for i, model := range [][]byte{w.model, w.result.Model} {
		if sessions[i], err = w.engine.NewSession("precision", model); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, sessions[i].Close()) }()
	}
	for turn := range timedRuns + 2 {
		for i, session := range sessions {
			start := time.Now()
			if _, err := session.Run(ctx, in); err != nil {
				return err
			}
			if turn >= 2 { // the first ones prepare weights
				took[i] = append(took[i], time.Since(start))
			}
		}
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	w.result.Slow, w.result.Fast = took[0][timedRuns/2], took[1][timedRuns/2]
	return nil
}

// Narrow puts a model of fewer bits in the place of the float32 one that it was made of.
func (x *Exported) Narrow(r *Narrowed, o PrecisionOptions) {
	p := &export.Precision{Name: o.Precision, Labels: r.Agreement, Images: r.Images}
	if !math.IsNaN(r.Before) {
		p.MIoUBefore, p.MIoU = &r.Before, &r.After
	}
	for _, k := range r.Half {
		p.KeptFloat32 = append(p.KeptFloat32, k.Node)
	}
	if r.Int8 != nil {
		p.Calibration = r.Int8.Calibration
		for _, k := range r.Int8.Kept {
			p.KeptFloat32 = append(p.KeptFloat32, k.Node)
		}
		p.KeptFloat32 = append(p.KeptFloat32, r.Int8.Feeding...)
	}
	x.Model, x.verified.Precision = r.Model, p
}

// Lines says what was made and measured, for people.
func (r *Narrowed) Lines(o PrecisionOptions) []string {
	lines := []string{fmt.Sprintf("labels as the float32 model's on %.3f %% of pixels of %s", 100*r.Agreement.Share(), plural.Of(r.Images, "image that it was measured on", "images that it was measured on"))}
	if !math.IsNaN(r.Before) {
		lines = append(lines, fmt.Sprintf("mIoU %.2f → %.2f (%+.2f points)", 100*r.Before, 100*r.After, 100*(r.After-r.Before)))
	}
	lines = append(lines, fmt.Sprintf("one run %.1f ms → %.1f ms (%.2f×)", ms(r.Slow), ms(r.Fast), float64(r.Slow)/float64(r.Fast)))
	for _, k := range r.Half {
		lines = append(lines, fmt.Sprintf("kept in float32: %s (%s)", k.Node, k.Why))
	}
	if r.Int8 == nil {
		return lines
	}
	lines = append(lines, fmt.Sprintf("%d of %d layers in int8", r.Int8.Layers-len(r.Int8.Kept)-len(r.Int8.Feeding), r.Int8.Layers))
	for _, k := range r.Int8.Kept {
		lines = append(lines, fmt.Sprintf("kept in float32: %s (SQNR %.1f dB)", k.Node, k.SQNR))
	}
	for _, node := range r.Int8.Feeding {
		lines = append(lines, fmt.Sprintf("kept in float32: %s (feeds one of those)", node))
	}
	if o.For == quantize.CPU && !o.ReduceRange && !quantize.HasVNNI() {
		lines = append(lines, "this CPU has no VNNI: sums may saturate, --reduce-range avoids that")
	}
	return lines
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }
