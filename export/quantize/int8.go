package quantize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	// Feeding are those that stay in float32 because a kept one reads what they give.
	Feeding []string
	Drop    float64 // percentage points
	// Calibration says how ranges were had, in words.
	Calibration string
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
	q := &quantisation{engine: e, m: m, samples: s, o: o, layers: layers(m)}
	if len(q.layers) == 0 {
		return nil, errors.New("the model has no convolution or matrix product whose weights are constants")
	}
	if err := equalise(ctx, e, m, s); err != nil {
		return nil, fmt.Errorf("ranges of channels: %w", err)
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
	m       *onnxmodel.Model
	samples Samples
	o       Options
	layers  []*onnxmodel.Node
	ranges  map[string]span
}

// search finds layers to keep in float32: the worst one, then as many more as there are already, by a
// new comparison each time, as noise hides what comes behind it; once that is enough, fewer of them.
func (q *quantisation) search(ctx context.Context) (*Quantised, error) {
	var kept []Layer
	best, err := q.try(ctx, nil)
	for err == nil && best.Drop > q.o.MaxDrop {
		worst, rankErr := q.rank(ctx, kept)
		if rankErr != nil {
			return nil, fmt.Errorf("comparing layers: %w", rankErr)
		}
		few := len(kept)
		if len(worst) < 2 {
			return nil, fmt.Errorf("with %d of %d layers in int8 the model still loses %.2f points (at most %g are allowed): take float16, or allow more", len(worst), len(q.layers), best.Drop, q.o.MaxDrop)
		}
		kept = append(kept, worst[:min(max(1, few), len(worst)-1)]...)
		if best, err = q.try(ctx, kept); err == nil && best.Drop <= q.o.MaxDrop {
			return q.fewer(ctx, best, few)
		}
	}
	return best, err
}

// fewer makes do with fewer layers in float32 than best keeps, by bisection: with fewer of the last
// ones, which are more than few, and then with fewer of the first, worst ones, which do not always
// matter most to labels.
func (q *quantisation) fewer(ctx context.Context, best *Quantised, few int) (*Quantised, error) {
	halve := func(low, high int, kept func(k int) []Layer) error {
		for high-low > 1 {
			k := (low + high) / 2
			t, err := q.try(ctx, kept(k))
			if err != nil {
				return err
			}
			if t.Drop > q.o.MaxDrop {
				low = k
			} else {
				best, high = t, k
			}
		}
		return nil
	}
	all := best.Kept
	if err := halve(few, len(all), func(k int) []Layer { return all[:k] }); err != nil {
		return nil, err
	}
	all = best.Kept
	return best, halve(0, len(all), func(k int) []Layer { return all[len(all)-k:] })
}

// plan quantises all layers but kept ones.
func (q *quantisation) plan(kept []Layer) *plan {
	names := map[string]bool{}
	for _, l := range kept {
		names[l.Node] = true
	}
	return newPlan(q.m, names)
}

// try makes and measures the model that keeps some layers in float32.
func (q *quantisation) try(ctx context.Context, kept []Layer) (*Quantised, error) {
	p := q.plan(kept)
	t := &Quantised{Layers: len(q.layers), Kept: slices.Clone(kept)}
	var float []string
	for _, n := range q.layers {
		if p.in[n] {
			continue
		}
		float = append(float, n.Name)
		if !slices.ContainsFunc(kept, func(l Layer) bool { return l.Node == n.Name }) {
			t.Feeding = append(t.Feeding, n.Name)
		}
	}
	m := p.write(q.ranges, q.o)
	m.SetMeta("precision", "int8")
	t.Calibration = fmt.Sprintf("%s on %d images, for %s", q.o.By, q.samples.Len, q.o.For)
	m.SetMeta("calibration", t.Calibration)
	m.SetMeta("reduce_range", strconv.FormatBool(q.o.ReduceRange))
	if len(float) > 0 {
		text, err := json.Marshal(float)
		if err != nil {
			return nil, err
		}
		m.SetMeta("kept_float32", string(text))
	}
	var err error
	if t.Model, err = m.Bytes(); err != nil {
		return nil, err
	}
	if t.Drop, err = q.o.Drop(ctx, t.Model); err != nil {
		return nil, fmt.Errorf("measuring with %d of %d layers in float32: %w", len(float), len(q.layers), err)
	}
	if q.o.Tried != nil {
		q.o.Tried(len(float), len(q.layers), t.Drop)
	}
	return t, nil
}
