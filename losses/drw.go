package losses

import (
	"fmt"
	"math"

	"t2sda/internal/raster"
)

// Reweighting says which term the weights of [Confidences.DRW] multiply.
type Reweighting string

// The terms that dynamic re-weighting can act on.
const (
	ReweightNone Reweighting = "none" // neither
	ReweightMix  Reweighting = "lt"   // L_T: give the weights to [Mix]
	ReweightPull Reweighting = "pull" // L_pull: give the weights to [Pull.Plan]
)

// Confidences are sums over target pixels by pseudo-label, of which the weights of
// dynamic re-weighting are made: those of parts of a batch may be added. The zero value
// is of no pixel.
type Confidences struct {
	Sums   [256]float64 // of confidences
	Counts [256]float64 // of pixels
}

// Add counts pixels: pseudo-labels and confidences [N,H,W] at any resolution.
func (s *Confidences) Add(pseudo []uint8, confidence []float32) error {
	if len(pseudo) != len(confidence) {
		return fmt.Errorf("losses: DRW: %d pseudo-labels, %d confidences", len(pseudo), len(confidence))
	}
	for i, label := range pseudo {
		s.Sums[label] += float64(confidence[i])
		s.Counts[label]++
	}
	return nil
}

// DRW fills weights [C] by dynamic re-weighting:
//
//	w_c = ((1 − conf_c) / max_c' (1 − conf_c'))^β
//
// where conf_c is the mean confidence over the pixels that are pseudo-labelled c. A
// class absent from the pseudo-labels takes the mean of the others' weights. Where the
// formula is 0/0 (no class present, or all of them at confidence 1) all weights are 1.
func (s *Confidences) DRW(weights []float64, beta float64) error {
	if !(beta >= 0) {
		return fmt.Errorf("losses: DRW: β = %g is negative", beta)
	}
	for label := len(weights); label < raster.Void; label++ {
		if s.Counts[label] > 0 {
			return fmt.Errorf("losses: DRW: %w", labelError(uint8(label), len(weights)))
		}
	}
	reweigh(weights, s.Sums[:len(weights)], s.Counts[:len(weights)], beta)
	return nil
}

func reweigh(weights, sums, counts []float64, beta float64) {
	largest := 0.0
	for c, count := range counts {
		weights[c] = 0
		if count > 0 {
			weights[c] = max(0, 1-sums[c]/count) // a float32 softmax may exceed 1 by rounding
			largest = max(largest, weights[c])
		}
	}
	if largest == 0 {
		for c := range weights {
			weights[c] = 1
		}
		return
	}
	sum, present := 0.0, 0
	for c, count := range counts {
		if count > 0 {
			weights[c] = math.Pow(weights[c]/largest, beta)
			sum += weights[c]
			present++
		}
	}
	for c, count := range counts {
		if count == 0 {
			weights[c] = sum / float64(present)
		}
	}
}
