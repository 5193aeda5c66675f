package losses

import (
	"fmt"
	"math"
)

// Discount selects labels by thresholds that are lower for classes that a teacher predicts
// seldom, and weighs those of such classes more (Araslanov and Roth, "Self-supervised
// Augmentation Consistency for Adapting Semantic Segmentation", CVPR 2021, section 3.3).
// How often, is the running mean χ of its probabilities, a number for each class.
type Discount struct {
	Upper float64 // ζ, of the largest confidence of the class in the image
	Lower float64 // no threshold is less
	Beta  float64 // β: of classes much more seldom the threshold goes to Lower
	Focal float64 // λ: weights are (1 − χ)^λ
}

// FollowPrior moves the running means χ [C] towards a batch's: momentum·χ + (1 −
// momentum)·mean. A class that is at begin, because it was not seen yet, takes the mean as
// it is.
func FollowPrior(prior []float32, mean []float64, momentum float64, begin float32) {
	const seen = 1e-8 // as in SAC's public code
	for c, m := range mean {
		if prior[c] == begin && m > seen {
			prior[c] = float32(m)
			continue
		}
		prior[c] = float32(momentum*float64(prior[c]) + (1-momentum)*m)
	}
}

// Thresholds returns the threshold of each class in an image of those labels and confidences,
// in rows of width:
//
//	θ_c = max(Lower, ζ·(1 − e^(−χ_c/β))·max of the confidences of pixels of class c)
//
// Pixels of the rim have no part.
func (d Discount) Thresholds(prior []float32, labels []uint8, confidence []float32, width int, rim Rim) ([]float64, error) {
	if len(labels) != len(confidence) || width < 1 || len(labels)%width != 0 {
		return nil, fmt.Errorf("losses: views: %d labels, %d confidences in rows of %d", len(labels), len(confidence), width)
	}
	thresholds := make([]float64, len(prior))
	for i, label := range labels {
		if int(label) >= len(prior) {
			return nil, fmt.Errorf("losses: views: %w", labelError(label, len(prior)))
		}
		if !rim.Holds(i/width, len(labels)/width) {
			thresholds[label] = max(thresholds[label], float64(confidence[i]))
		}
	}
	for c, most := range thresholds {
		thresholds[c] = max(d.Lower, d.Upper*(1-math.Exp(-float64(prior[c])/d.Beta))*most)
	}
	return thresholds, nil
}

// Encode fills ids with an image's labels [H,W] and weights with
// each·confidence·(1 − χ)^λ at pixels whose confidence is more than the threshold of their
// class, 0 elsewhere and in the rim. It returns how many have a weight.
func (d Discount) Encode(ids []uint8, weights []float32, labels []uint8, confidence, prior []float32, width int, rim Rim, each float64) (int, error) {
	if len(ids) != len(labels) || len(weights) != len(labels) {
		return 0, fmt.Errorf("losses: views: %d ids and %d weights for %d labels", len(ids), len(weights), len(labels))
	}
	thresholds, err := d.Thresholds(prior, labels, confidence, width, rim)
	if err != nil {
		return 0, err
	}
	focal := make([]float64, len(prior))
	for c, p := range prior {
		focal[c] = math.Pow(max(1-float64(p), 0), d.Focal) // float32 sums to more than 1, too
	}
	selected := 0
	for i, label := range labels {
		ids[i], weights[i] = label, 0
		p := float64(confidence[i])
		if p <= thresholds[label] || rim.Holds(i/width, len(labels)/width) {
			continue
		}
		weights[i] = float32(each * p * focal[label])
		selected++
	}
	return selected, nil
}
