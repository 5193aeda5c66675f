package quantize

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCalibrationOfKnownDistributions: a million values and one far outside.
func TestCalibrationOfKnownDistributions(t *testing.T) {
	const seed, n = 5, 1_000_000
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	uniform, normal := make([]float32, n), make([]float32, n)
	for i := range n {
		uniform[i], normal[i] = r.Float32(), float32(r.NormFloat64())
	}
	far := []float32{100}
	counted := func(by Method, data []float32, r span) *histogram {
		h := newHistogram(r, by)
		h.add(data)
		h.add(far)
		return h
	}
	bin := 100.0 / bins
	if got := counted(Percentile, uniform, span{0, 100}).percentile(rarest); got.Min != 0 || got.Max < 1-bin || got.Max > 1+2*bin {
		t.Errorf("percentile of values up to 1 and one of 100 is %v", got)
	}
	// Of a normal distribution 5 of a million values lie beyond 4.42.
	if got := counted(Percentile, normal, span{-6, 100}).percentile(rarest); math.Abs(got.Max-4.42) > 0.5 || math.Abs(got.Min+4.42) > 0.5 {
		t.Errorf("percentile of a normal distribution is %v", got)
	}
	if got := counted(Entropy, normal, span{-6, 100}).entropy(); got < 4 || got > 10 {
		t.Errorf("entropy clips a normal distribution with one value of 100 at %v", got)
	}
	h := newHistogram(span{0, 1}, Entropy)
	h.add(uniform)
	if got := h.entropy(); got < 0.9 {
		t.Errorf("entropy clips a uniform distribution at %v of 1", got)
	}
	// A hundred zeros for each other value change nothing.
	rectified := newHistogram(span{0, 1}, Entropy)
	rectified.add(uniform)
	rectified.add(make([]float32, 100*n))
	if got := rectified.entropy(); got < 0.9 {
		t.Errorf("entropy clips a uniform distribution with zeros at %v of 1", got)
	}
	constant := newHistogram(span{2, 2}, Percentile)
	constant.add([]float32{2, 2})
	if got := constant.percentile(rarest); got.Min != 2 || got.Max != 2 {
		t.Errorf("percentile of a constant is %v", got)
	}
	if got := clip(span{-1, 8}, 4); got != (span{-1, 4}) {
		t.Errorf("clipped to %v", got)
	}
}
