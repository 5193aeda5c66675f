package export

import (
	"context"
	"errors"
	"fmt"
	"math"

	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/internal/raster"
)

// MinExact is the share of equal labels that a model in float32 reaches under the same statistics:
// other roundings decide single pixels.
const MinExact = 0.9999

// confidenceStep is by how much a confidence may differ and count as equal.
const confidenceStep = 0.01

// Checked says how one output of a model agrees with the training network.
type Checked struct {
	Output string `json:"output"`
	Agreement
}

// Worst returns the output that agrees least.
func Worst(all []Checked) Checked {
	var worst Checked
	for i, c := range all {
		if i == 0 || !(c.Share() >= worst.Share()) {
			worst = c
		}
	}
	return worst
}

// Check runs a finished model, one of this program's whatever was done to it since, on the
// references' images, and compares each of its outputs with what the training network says: labels,
// those that logits and softmax amount to, and confidences. The error is about the check failing to
// run; whether they agree is said by [Agreement.Reach].
func Check(ctx context.Context, e *engine.Engine, model []byte, refs []Reference) (all []Checked, err error) {
	s, err := e.NewSession("verify.model", model)
	if err != nil {
		return nil, fmt.Errorf("verify model: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	meta, err := predict.ParseMetadata(s.Metadata())
	if err != nil {
		return nil, fmt.Errorf("verify model: %w", err)
	}
	for _, o := range meta.Outputs {
		all = append(all, Checked{Output: o.Name})
	}
	for i, r := range refs {
		if err := r.check(ctx, s, meta, all); err != nil {
			return nil, fmt.Errorf("verify model: image %d of %d×%d pixels: %w", i, r.Image.W, r.Image.H, err)
		}
	}
	return all, nil
}

// check adds one image.
func (r Reference) check(ctx context.Context, s *engine.Session, meta predict.Metadata, all []Checked) error {
	in, err := feed(meta, r.Image)
	if err != nil {
		return err
	}
	results, err := s.Run(ctx, map[string]*engine.Tensor{meta.Input.Name: in})
	if err != nil {
		return err
	}
	for i, o := range meta.Outputs {
		if err := r.compare(o, results[o.Name], &all[i].Agreement); err != nil {
			return fmt.Errorf("output %s: %w", o.Name, err)
		}
	}
	return nil
}

// compare adds one output of one image.
func (r Reference) compare(o predict.OutputInfo, have *engine.Tensor, a *Agreement) error {
	name, err := predict.ParseOutput(o.Name)
	if err != nil {
		return err
	}
	w, h := r.Image.W, r.Image.H
	if name.Stride {
		w, h = r.Shape[2], r.Shape[1]
	}
	if d := have.Shape(); len(d) < 2 || d[len(d)-2] != h || d[len(d)-1] != w {
		return fmt.Errorf("it has shape %v, want height %d and width %d", d, h, w)
	}
	if o.Kind == predict.OutputConfidence {
		want := predict.Certainty(r.Logits, r.Shape, w, h)
		for i, c := range have.Floats() {
			a.Pixels++
			if math.Abs(float64(c-want[i])) <= confidenceStep {
				a.Equal++
			}
		}
		return nil
	}
	want, err := predict.Argmax(r.Logits, r.Shape, w, h)
	if err != nil {
		return fmt.Errorf("training network: %w", err)
	}
	labels, err := labelsOf(have, r.Shape[0], w, h)
	if err != nil {
		return err
	}
	return a.Add(want, labels)
}

// labelsOf returns what an output of h×w positions amounts to.
func labelsOf(t *engine.Tensor, classes, w, h int) (*raster.Labels, error) {
	l := raster.NewLabels(w, h)
	switch t.DType() {
	case engine.Uint8:
		ids, err := engine.Data[uint8](t)
		copy(l.Pix, ids)
		return l, err
	case engine.Int64:
		ids, err := engine.Data[int64](t)
		for i, id := range ids {
			l.Pix[i] = uint8(id)
		}
		return l, err
	}
	return predict.Argmax(t.Floats(), [3]int{classes, h, w}, w, h)
}

// feed makes the input of an image as a model of that metadata wants it.
func feed(meta predict.Metadata, img *raster.Image) (*engine.Tensor, error) {
	area := img.W * img.H
	shape, place := []int{1, 3, img.H, img.W}, func(c, i int) int { return c*area + i }
	if meta.Input.Layout == predict.NHWC {
		shape, place = []int{1, img.H, img.W, 3}, func(c, i int) int { return 3*i + c }
	}
	if meta.Input.Type == predict.InputUint8 {
		bytes := make([]uint8, 3*area)
		for c := range 3 {
			for i, v := range img.Plane(c) {
				bytes[place(c, i)] = uint8(v)
			}
		}
		return engine.NewTensor(bytes, shape...)
	}
	floats := make([]float32, 3*area)
	for c := range 3 {
		for i, v := range img.Plane(c) {
			floats[place(c, i)] = (v - meta.Outside.Mean[c]) / meta.Outside.Std[c]
		}
	}
	return engine.NewTensor(floats, shape...)
}
