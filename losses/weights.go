package losses

import (
	"fmt"
	"math"

	"t2sda/internal/raster"
)

// Denominator is what a mean over pixels divides by.
type Denominator string

// The denominators of the cross-entropy terms.
const (
	// AllPixels divides by N·H·W: void pixels contribute 0 and stay in the
	// denominator (the paper's and DAFormer's convention).
	AllPixels Denominator = "all"
	// ValidPixels divides by the number of pixels whose label is not void.
	ValidPixels Denominator = "valid"
)

// Validate reports an unknown denominator.
func (d Denominator) Validate() error {
	switch d {
	case AllPixels, ValidPixels:
		return nil
	}
	return fmt.Errorf("losses: denominator %q is neither %q nor %q", d, AllPixels, ValidPixels)
}

// Pixels returns how many of the labelled pixels a mean divides by.
func (d Denominator) Pixels(labels []uint8) (int, error) {
	if err := d.Validate(); err != nil {
		return 0, err
	}
	count := len(labels)
	if d == ValidPixels {
		for _, label := range labels {
			if label == raster.Void {
				count--
			}
		}
	}
	return count, nil
}

// reciprocal returns 1/pixels, or 0 where there are none.
func reciprocal(pixels int) float64 {
	if pixels == 0 {
		return 0
	}
	return 1 / float64(pixels)
}

// Encode prepares the operands of [CrossEntropy] for labelled images (L_S):
// ids receives the labels with void mapped to 0, weights scale/denominator,
// or 0 at void pixels. All three slices are [N,H,W]; a label that is neither
// below classes nor void is an error.
func Encode(ids []uint8, weights []float32, labels []uint8, classes int, d Denominator, scale float64) error {
	pixels, err := d.Pixels(labels)
	if err != nil {
		return err
	}
	return EncodeOver(ids, weights, labels, classes, pixels, scale)
}

// EncodeOver is [Encode] with a denominator that is known: that of a batch of which the
// labels are a part.
func EncodeOver(ids []uint8, weights []float32, labels []uint8, classes, pixels int, scale float64) error {
	if len(ids) != len(labels) || len(weights) != len(labels) {
		return fmt.Errorf("losses: encode: %d ids and %d weights for %d labels", len(ids), len(weights), len(labels))
	}
	var weightOf [256]float32
	for c := range classes {
		weightOf[c] = float32(scale * reciprocal(pixels))
	}
	if err := encode(ids, weights, labels, classes, &weightOf); err != nil {
		return fmt.Errorf("losses: encode: %w", err)
	}
	return nil
}

// encode copies labels, void as 0, looks their weights up and fails on a label that is not a
// class.
func encode(ids []uint8, weights []float32, labels []uint8, classes int, weightOf *[256]float32) error {
	weights = weights[:len(labels)]
	ids = ids[:len(labels)]
	for i, label := range labels {
		id := label
		if int(label) >= classes {
			if label != raster.Void {
				return labelError(label, classes)
			}
			id = 0
		}
		ids[i], weights[i] = id, weightOf[label]
	}
	return nil
}

func labelError(label uint8, classes int) error {
	return fmt.Errorf("label %d is neither one of %d classes nor void (%d)", label, classes, raster.Void)
}

// Mix describes mixed images (ClassMix) and the pixel weights of L_T.
type Mix struct {
	N, H, W int
	Classes int
	Labels  []uint8  // [N,H,W] source labels where pasted, pseudo-labels elsewhere
	Pasted  [][]bool // per image [H,W]: pixels that come from the source image
	// Quality weighs the target pixels of each image, see [Quality].
	Quality []float64 // [N]
	// Rims are the rows of each image's target pixels that weigh 0: sky rim and
	// ego bonnet. Nil for none.
	Rims []Rim // [N]
	// Weight multiplies all weights.
	Weight float64
	// ClassWeights multiplies each pixel by the weight of its label: [Confidences.DRW] on
	// L_T. Nil for none.
	ClassWeights []float64 // [Classes]
	Denominator  Denominator
	// Pixels is the denominator where it is known, as that of a batch of which the images
	// are a part; 0: as Denominator has it.
	Pixels int
}

// Rim counts the rows of a crop, at its top and bottom, that lie in the rims of
// the image that it was cut from.
type Rim struct{ Top, Bottom int }

// Holds reports whether row y of an image of so many rows is in the rim.
func (r Rim) Holds(y, rows int) bool { return y < r.Top || y >= rows-r.Bottom }

// HoldsCell reports whether row y of a grid of h rows, which stands for the row in its middle of
// an image of so many, is in the rim.
func (r Rim) HoldsCell(y, h, rows int) bool { return r.Holds((2*y+1)*rows/(2*h), rows) }

// CropRim returns the rim of a crop of rows from row y on of an image of height
// rows whose share top at the top and bottom at the bottom are rim (DAFormer:
// 15 and 120 of 512).
func CropRim(y, rows, height int, top, bottom float64) Rim {
	first := int(math.Round(top * float64(height)))
	end := height - int(math.Round(bottom*float64(height)))
	return Rim{Top: min(max(first-y, 0), rows), Bottom: min(max(y+rows-end, 0), rows)}
}

// Encode prepares the operands of [CrossEntropy] for mixed images: ids receives
// the labels with void mapped to 0; weights, over the denominator, 1 at pasted
// pixels, q of the image at target pixels, 0 at target pixels of the rims and
// at void; times the class weight of the label and Weight. Rim pixels stay in
// the denominator under both conventions, since they have labels.
func (m *Mix) Encode(ids []uint8, weights []float32) error {
	if err := m.check(len(ids), len(weights)); err != nil {
		return fmt.Errorf("losses: mix: %w", err)
	}
	pixels := m.Pixels
	if pixels == 0 {
		var err error
		if pixels, err = m.Denominator.Pixels(m.Labels); err != nil {
			return err
		}
	}
	each := reciprocal(pixels) * m.Weight
	var weightOf [256]float32
	for c := range m.Classes {
		weightOf[c] = float32(each)
		if m.ClassWeights != nil {
			weightOf[c] = float32(each * m.ClassWeights[c])
		}
	}
	if err := encode(ids, weights, m.Labels, m.Classes, &weightOf); err != nil {
		return fmt.Errorf("losses: mix: %w", err)
	}
	for n, pasted := range m.Pasted {
		var rim Rim
		if m.Rims != nil {
			rim = m.Rims[n]
		}
		m.weighTarget(weights[n*m.H*m.W:(n+1)*m.H*m.W], pasted, float32(m.Quality[n]), rim)
	}
	return nil
}

// weighTarget multiplies the weights of one image's target pixels by q, or by
// 0 in its rim.
func (m *Mix) weighTarget(weights []float32, pasted []bool, q float32, rim Rim) {
	for y := range m.H {
		factor := q
		if rim.Holds(y, m.H) {
			factor = 0
		}
		row, mask := weights[y*m.W:(y+1)*m.W], pasted[y*m.W:(y+1)*m.W]
		for x, fromSource := range mask {
			if !fromSource {
				row[x] *= factor
			}
		}
	}
}

func (m *Mix) check(ids, weights int) error {
	pixels := m.N * m.H * m.W
	switch {
	case pixels == 0 || len(m.Labels) != pixels || ids != pixels || weights != pixels:
		return fmt.Errorf("%d labels, %d ids and %d weights do not fill [%d,%d,%d]", len(m.Labels), ids, weights, m.N, m.H, m.W)
	case len(m.Pasted) != m.N || len(m.Quality) != m.N:
		return fmt.Errorf("%d masks and %d qualities for %d images", len(m.Pasted), len(m.Quality), m.N)
	case m.Rims != nil && len(m.Rims) != m.N:
		return fmt.Errorf("%d rims for %d images", len(m.Rims), m.N)
	case !(m.Weight >= 0) || math.IsInf(m.Weight, 1):
		return fmt.Errorf("weight %g", m.Weight)
	case m.ClassWeights != nil && len(m.ClassWeights) != m.Classes:
		return fmt.Errorf("%d class weights for %d classes", len(m.ClassWeights), m.Classes)
	}
	for n, pasted := range m.Pasted {
		if len(pasted) != m.H*m.W {
			return fmt.Errorf("mask %d holds %d pixels of %d×%d", n, len(pasted), m.H, m.W)
		}
	}
	return nil
}

// Quality fills q [N] with the fraction of each image's confidences [N,H,W]
// (the teacher's softmax maximum on target images) that are at least threshold.
// It panics when the confidences do not divide into len(q) images.
func Quality(q []float64, confidence []float32, threshold float32) {
	if len(q) == 0 || len(confidence) == 0 || len(confidence)%len(q) != 0 {
		panic(fmt.Sprintf("losses: quality: %d confidences for %d images", len(confidence), len(q)))
	}
	pixels := len(confidence) / len(q)
	for n := range q {
		q[n] = float64(Confident(confidence[n*pixels:(n+1)*pixels], threshold)) / float64(pixels)
	}
}

// Confident counts the confidences that are at least threshold.
func Confident(confidence []float32, threshold float32) int {
	count := 0
	for _, c := range confidence {
		if c >= threshold {
			count++
		}
	}
	return count
}
