package quantize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"t2sda/graphs/engine"
	"t2sda/internal/onnxmodel"
)

// Options of [Int8].
type Options struct {
	By          Method
	For         Target
	ReduceRange bool    // weights of 7 bits, for CPUs without VNNI, see [HasVNNI]
	MaxDrop     float64 // percentage points that Drop may say
	// Drop says what a model loses against the float32 one, in percentage points.
	Drop func(ctx context.Context, model []byte) (float64, error)
	// Told of every model that was tried: how many layers it keeps in float32, and what it loses. May
	// be nil.
	Tried func(kept, layers int, drop float64)
}

// Quantised is an int8 model.
type Quantised struct {
	Model  []byte
	Layers int     // that could be quantised
	Kept   []Layer // those that were kept in float32, worst first
	Drop   float64 // percentage points
}

// Layer says what quantisation does to one layer.
type Layer struct {
	Node string `json:"node"`
	// SQNR is the ratio of the float32 output's power to that of the difference, dB: of the model
	// with all layers quantised, so with what layers before have lost.
	SQNR float64 `json:"sqnr_db"`
	// Added is the noise that the layer itself adds to that of its input, dB of its output's power.
	Added float64 `json:"added_db"`
}

// Int8 quantises a float32 model with ranges from samples. Layers stay in float32, those first that
// add most noise, until Drop is at most MaxDrop.
func Int8(ctx context.Context, e *engine.Engine, model []byte, s Samples, o Options) (*Quantised, error) {
	q, err := int8Of(ctx, e, model, s, o)
	if err != nil {
		return nil, fmt.Errorf("int8: %w", err)
	}
	return q, nil
}

func int8Of(ctx context.Context, e *engine.Engine, model []byte, s Samples, o Options) (*Quantised, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if s.Len == 0 {
		return nil, errors.New("there are no calibration images")
	}
	m, err := parse(model)
	if err != nil {
		return nil, err
	}
	if err := fold(ctx, e, m, s); err != nil {
		return nil, err
	}
	q := &quantisation{engine: e, m: m, samples: s, o: o, layers: layers(m)}
	if len(q.layers) == 0 {
		return nil, errors.New("the model has no convolution or matrix product whose weights are constants")
	}
	// Ranges of all activations that any choice of layers quantises.
	values := newPlan(m, nil).values
	if q.ranges, err = calibrate(ctx, e, m, values, s, o.By); err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	return q.search(ctx)
}

// Validate returns an error that names the option at fault.
func (o Options) Validate() error {
	if _, err := ParseMethod(string(o.By)); err != nil {
		return err
	}
	switch {
	case o.For != CPU && o.For != GPU:
		return fmt.Errorf("target %q does not exist; there are %s and %s", o.For, CPU, GPU)
	case !(o.MaxDrop >= 0):
		return fmt.Errorf("the largest drop, %v points, is negative", o.MaxDrop)
	}
	return nil
}

// quantisation is one call of [Int8].
type quantisation struct {
	engine  *engine.Engine
	m       *onnxmodel.Model // constants folded
	samples Samples
	o       Options
	layers  []*onnxmodel.Node
	ranges  map[string]Range
}

// search finds how many of the worst layers have to stay in float32: twice as many as before until
// it is enough, then by bisection.
func (q *quantisation) search(ctx context.Context) (*Quantised, error) {
	best, err := q.try(ctx, nil)
	if err != nil || best.Drop <= q.o.MaxDrop {
		return best, err
	}
	worst, err := q.rank(ctx)
	if err != nil {
		return nil, fmt.Errorf("comparing layers: %w", err)
	}
	few, enough := 0, 0 // too few; enough, 0: not known yet
	for k := 1; enough == 0; k = min(2*k, len(worst)-1) {
		t, err := q.try(ctx, worst[:k])
		switch {
		case err != nil:
			return nil, err
		case t.Drop <= q.o.MaxDrop:
			best, enough = t, k
		case k >= len(worst)-1:
			return nil, fmt.Errorf("even with %d of %d layers in float32 the model loses %.2f points (at most %g are allowed): take float16, or allow more", k, len(worst), t.Drop, q.o.MaxDrop)
		default:
			few = k
		}
	}
	for enough-few > 1 {
		k := (few + enough) / 2
		t, err := q.try(ctx, worst[:k])
		if err != nil {
			return nil, err
		}
		if t.Drop <= q.o.MaxDrop {
			best, enough = t, k
		} else {
			few = k
		}
	}
	return best, nil
}

// try makes and measures the model that keeps some layers in float32.
func (q *quantisation) try(ctx context.Context, kept []Layer) (*Quantised, error) {
	names := map[string]bool{}
	for _, l := range kept {
		names[l.Node] = true
	}
	m := newPlan(q.m, names).write(q.ranges, q.o)
	m.SetMeta("precision", "int8")
	m.SetMeta("calibration", fmt.Sprintf("%s on %d images, for %s", q.o.By, q.samples.Len, q.o.For))
	m.SetMeta("reduce_range", strconv.FormatBool(q.o.ReduceRange))
	if len(kept) > 0 {
		list := make([]string, len(kept))
		for i, l := range kept {
			list[i] = l.Node
		}
		text, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		m.SetMeta("kept_float32", string(text))
	}
	model, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	t := &Quantised{Model: model, Layers: len(q.layers), Kept: kept}
	if t.Drop, err = q.o.Drop(ctx, model); err != nil {
		return nil, fmt.Errorf("measuring with %d of %d layers in float32: %w", len(kept), len(q.layers), err)
	}
	if q.o.Tried != nil {
		q.o.Tried(len(kept), len(q.layers), t.Drop)
	}
	return t, nil
}
