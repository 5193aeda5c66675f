package losses

import (
	"errors"
	"fmt"
	"math"

	"t2sda/graphs"
	"t2sda/internal/raster"
)

// SelfTraining returns the loss of self-training with regularisers as a scalar:
//
//	Σ weights·(−log p_label + smooth·(1/C)·Σ_c −log p_c) + Σ unlabelled·H(p)
//
// with p = softmax(logits) and H its entropy in nats. Smoothing keeps predictions of
// labelled pixels from certainty (Zou et al., "Confidence Regularized Self-Training", ICCV
// 2019, MRKLD; Mei et al., IAST, ECCV 2020, R_c), the entropy makes the unlabelled ones
// certain (IAST, R_i).
//
//	logits               float32 [N,C,h,w], brought to H×W linearly
//	labels               int64   [N,H,W], all in 0 … C−1
//	weights, unlabelled  float32 [N,H,W], denominators included; unlabelled may be nil
//
// [Selected.Encode] prepares the maps. It panics with *graphs.Error on operands of other
// shapes.
func SelfTraining(logits, labels, weights, unlabelled *graphs.Value, smooth float32) *graphs.Value {
	checkCrossEntropy(logits, labels, weights)
	if unlabelled != nil {
		checkCrossEntropy(logits, labels, unlabelled)
	}
	g := logits.Graph()
	var loss *graphs.Value
	inFloat32(g, "self_training", func() {
		p := softmaxOf(logits, labels.Dim(1), labels.Dim(2))
		each := p.nll(labels)
		if smooth > 0 {
			each = g.Add(each, g.Mul(g.Sub(p.logSum, g.ReduceMean(p.x, []int{1}, true)), g.Scalar(smooth)))
		}
		sum := g.Mul(each, p.order(weights))
		if unlabelled != nil {
			sum = g.Add(sum, g.Mul(p.entropy(), p.order(unlabelled)))
		}
		loss = g.ReduceSum(sum, []int{0, 1, 2}, false)
	})
	return loss
}

// FollowClasses moves each class's threshold [C] towards what the least confident of the
// most confident pixels of an image has that are predicted as it, where share says how many
// of them those are, as a function of the threshold:
//
//	θ_c ← momentum·θ_c + (1 − momentum)·(the (1 − share)-quantile of the confidences)
//
// A class that is not predicted keeps its threshold, and one of threshold 0 takes the
// quantile as it is. A confidence that is NaN is an error.
func FollowClasses(thresholds []float32, labels []uint8, confidence []float32, momentum float64, share func(threshold float64) float64) error {
	if len(labels) != len(confidence) {
		return fmt.Errorf("losses: thresholds: %d labels, %d confidences", len(labels), len(confidence))
	}
	byClass := make([][]float32, 256)
	for i, label := range labels {
		byClass[label] = append(byClass[label], confidence[i])
	}
	for label := len(thresholds); label < raster.Void; label++ {
		if len(byClass[label]) > 0 {
			return fmt.Errorf("losses: thresholds: %w", labelError(uint8(label), len(thresholds)))
		}
	}
	for c, have := range thresholds {
		if len(byClass[c]) == 0 {
			continue
		}
		q := Percentile(byClass[c], 100*(1-min(max(share(float64(have)), 0), 1)))
		switch {
		case q != q:
			return errors.New("losses: thresholds: a confidence is NaN")
		case have == 0:
			thresholds[c] = float32(q)
		default:
			thresholds[c] = float32(momentum*float64(have) + (1-momentum)*q)
		}
	}
	return nil
}

// TopShare returns the level that the least of the largest share of values has, of so many
// values at each of len(counts) levels; 0 where there are none. It is what a class's threshold is
// over a whole set (Zou et al., CBST, ECCV 2018, section 3.4).
func TopShare(counts []int64, share float64) int {
	var all int64
	for _, n := range counts {
		all += n
	}
	if all == 0 {
		return 0
	}
	want := max(int64(math.Ceil(share*float64(all))), 1)
	level, above := len(counts)-1, int64(0)
	for ; level > 0; level-- {
		if above += counts[level]; above >= want {
			break
		}
	}
	return level
}

// Selected describes images with labels for a part of their pixels, for [SelfTraining].
type Selected struct {
	N, H, W    int
	Classes    int
	Labels     []uint8 // [N,H,W]; void where there is none
	Rims       []Rim   // [N], rows without any weight
	Weight     float64 // of the mean over labelled pixels
	Unlabelled float64 // of the mean over the others
}

// Encode fills ids with the labels, void as 0, weights with Weight over the number of
// labelled pixels at these, and unlabelled, unless it is nil, with Unlabelled over the number
// of the others at those; both are 0 in the rims, which do not count. It returns the two
// numbers.
func (s *Selected) Encode(ids []uint8, weights, unlabelled []float32) (labelled, others int, err error) {
	pixels := s.N * s.H * s.W
	if pixels == 0 || len(s.Labels) != pixels || len(ids) != pixels || len(weights) != pixels || unlabelled != nil && len(unlabelled) != pixels || len(s.Rims) != s.N {
		return 0, 0, fmt.Errorf("losses: selected: %d labels, %d ids, %d weights and %d rims do not fill [%d,%d,%d]", len(s.Labels), len(ids), len(weights), len(s.Rims), s.N, s.H, s.W)
	}
	for i, label := range s.Labels {
		switch {
		case label != raster.Void && int(label) >= s.Classes:
			return 0, 0, fmt.Errorf("losses: selected: %w", labelError(label, s.Classes))
		case s.inRim(i):
		case label == raster.Void:
			others++
		default:
			labelled++
		}
	}
	per := float32(s.Weight / float64(max(labelled, 1)))
	perOther := float32(s.Unlabelled / float64(max(others, 1)))
	for i, label := range s.Labels {
		void := label == raster.Void
		ids[i], weights[i] = label, per
		if void {
			ids[i] = 0
		}
		if void || s.inRim(i) {
			weights[i] = 0
		}
		if unlabelled != nil {
			unlabelled[i] = 0
			if void && !s.inRim(i) {
				unlabelled[i] = perOther
			}
		}
	}
	return labelled, others, nil
}

// inRim reports whether pixel i of the batch is in its image's rim.
func (s *Selected) inRim(i int) bool {
	return s.Rims[i/(s.H*s.W)].Holds(i/s.W%s.H, s.H)
}
