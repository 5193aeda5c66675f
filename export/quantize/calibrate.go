package quantize

import (
	"context"
	"fmt"
	"math"
	"strings"

	"t2sda/graphs/engine"
	"t2sda/internal/onnxmodel"
)

// Method says how the range of an activation follows from its values on samples.
type Method string

// The calibration methods.
const (
	MinMax     Method = "minmax"     // all values
	Percentile Method = "percentile" // all but the rarest 0.001 %, as ONNX Runtime's default has it
	Entropy    Method = "entropy"    // the clipping that loses least information (Migacz 2017, TensorRT's)
)

// Methods lists them.
func Methods() []string { return []string{string(MinMax), string(Percentile), string(Entropy)} }

// ParseMethod returns the method of that name.
func ParseMethod(name string) (Method, error) {
	for _, m := range Methods() {
		if m == name {
			return Method(m), nil
		}
	}
	return "", fmt.Errorf("calibration method %q does not exist; there are %s", name, strings.Join(Methods(), ", "))
}

// span is what an activation's values lie in.
type span struct{ Min, Max float64 }

// calibrate returns the ranges of values on samples.
func calibrate(ctx context.Context, e *engine.Engine, m *onnxmodel.Model, values []string, s Samples, by Method) (map[string]span, error) {
	ranges, err := minMax(ctx, e, m, values, s)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if r := ranges[v]; math.IsNaN(r.Min) || math.IsInf(r.Min, 0) || math.IsNaN(r.Max) || math.IsInf(r.Max, 0) {
			return nil, fmt.Errorf("activation %s is not finite on the calibration images", v)
		}
	}
	if by == MinMax {
		return ranges, nil
	}
	counts := map[string]*histogram{}
	for _, v := range values {
		counts[v] = newHistogram(ranges[v], by)
	}
	err = observe(ctx, e, m, values, s, func(v string, t *engine.Tensor) error {
		counts[v].add(t.Floats())
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if by == Percentile {
			ranges[v] = counts[v].percentile(rarest)
		} else {
			ranges[v] = clip(ranges[v], counts[v].entropy())
		}
	}
	return ranges, nil
}

// minMax returns the least and the largest of each value's elements.
func minMax(ctx context.Context, e *engine.Engine, m *onnxmodel.Model, values []string, s Samples) (map[string]span, error) {
	least, err := reduced(ctx, e, m, values, s, "ReduceMin")
	if err != nil {
		return nil, err
	}
	most, err := reduced(ctx, e, m, values, s, "ReduceMax")
	if err != nil {
		return nil, err
	}
	ranges := map[string]span{}
	for _, v := range values {
		r := span{math.Inf(1), math.Inf(-1)}
		for i := range least[v] {
			r.Min, r.Max = min(r.Min, least[v][i]), max(r.Max, most[v][i]) // NaN stays NaN
		}
		ranges[v] = r
	}
	return ranges, nil
}

// clip bounds a range to ±most.
func clip(r span, most float64) span {
	return span{max(r.Min, -most), min(r.Max, most)}
}
