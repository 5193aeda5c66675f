package datasets

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// RCSOptions are the numbers of rare class sampling (DAFormer, Hoyer et al.
// 2022, §3.3).
type RCSOptions struct {
	Stats *Stats // of the source data set

	// Temperature is T of P(c) = softmax((1 − f_c)/T). Smaller: rarer classes
	// are drawn more often.
	Temperature float64

	// MinPixels is how many pixels of a class an image of 2048×1024 must exceed
	// to be drawn for it; an image of W×H needs MinPixels · W·H/(2048·1024).
	MinPixels int

	// MinCropRatio is the share of that number which a crop should exceed, at
	// the size to which the image was resized; crops are drawn again up to ten
	// times for it. 0: a pixel of the class will do.
	MinCropRatio float64
}

// DefaultRCS returns DAFormer's numbers.
func DefaultRCS(s *Stats) RCSOptions {
	return RCSOptions{Stats: s, Temperature: 0.01, MinPixels: 3000, MinCropRatio: 0.5}
}

// referenceArea is the image area that RCSOptions.MinPixels refers to: that of
// Cityscapes, near which GTA5's lies (1914×1052).
const referenceArea = 2048 * 1024

// RCS is the distribution that rare class sampling draws files from.
type RCS struct {
	Frequency   []float64 // f_c: share of class c among the pixels that are not void
	Probability []float64 // P(c); 0 for classes that no file can be drawn for
	Files       [][]int   // per class, the files with more than the least number of its pixels
	Warnings    []string  // a sentence for each class without probability
	opts        RCSOptions
}

// NewRCS computes the distribution. A class that no file has enough pixels of
// gets no probability and a warning; it is an error when none is left.
func NewRCS(o RCSOptions) (*RCS, error) {
	if o.Stats == nil {
		return nil, errors.New("datasets: rare class sampling needs class statistics")
	}
	if !(o.Temperature > 0) || math.IsInf(o.Temperature, 0) {
		return nil, fmt.Errorf("datasets: rare class sampling: temperature %v is not positive", o.Temperature)
	}
	if o.MinPixels < 0 {
		return nil, fmt.Errorf("datasets: rare class sampling: min_pixels %d is negative", o.MinPixels)
	}
	if !(o.MinCropRatio >= 0) {
		return nil, fmt.Errorf("datasets: rare class sampling: min_crop_ratio %v is negative", o.MinCropRatio)
	}
	classes := len(o.Stats.Pixels)
	r := &RCS{Frequency: make([]float64, classes), Probability: make([]float64, classes), Files: make([][]int, classes), opts: o}
	var total int64
	for _, n := range o.Stats.Pixels {
		total += n
	}
	if total == 0 {
		return nil, fmt.Errorf("datasets: %s: every pixel of the %d label files is void", o.Stats.Root, len(o.Stats.Files))
	}
	for c, n := range o.Stats.Pixels {
		r.Frequency[c] = float64(n) / float64(total)
		r.findFiles(c)
	}
	if !r.softmax() {
		return nil, fmt.Errorf("datasets: %s: rare class sampling: no class has an image with more than %d pixels of it per 2048×1024 (lower min_pixels)", o.Stats.Root, o.MinPixels)
	}
	return r, nil
}

// findFiles lists the files to draw for class c, or warns.
func (r *RCS) findFiles(c int) {
	s := r.opts.Stats
	for i, f := range s.Files {
		if float64(f.Pixels[c]) > r.minPixels(f.W, f.H) {
			r.Files[c] = append(r.Files[c], i)
		}
	}
	switch {
	case s.Pixels[c] == 0:
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s: class %q occurs in none of the %d label files; rare class sampling leaves it out", s.Root, s.Classes[c], len(s.Files)))
	case len(r.Files[c]) == 0:
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s: no image has more than %d pixels per 2048×1024 of class %q; rare class sampling leaves it out (lower min_pixels)", s.Root, r.opts.MinPixels, s.Classes[c]))
	}
}

// softmax fills in P(c) over the classes that have files; false if none has.
func (r *RCS) softmax() bool {
	least := math.Inf(1)
	for c, f := range r.Frequency {
		if len(r.Files[c]) > 0 {
			least = min(least, f)
		}
	}
	sum := 0.0
	for c, f := range r.Frequency {
		if len(r.Files[c]) > 0 {
			r.Probability[c] = math.Exp((least - f) / r.opts.Temperature) // = exp((1−f)/T) up to a factor
			sum += r.Probability[c]
		}
	}
	for c := range r.Probability {
		if sum > 0 {
			r.Probability[c] /= sum
		}
	}
	return sum > 0
}

// minPixels scales the least number of pixels to an image's area.
func (r *RCS) minPixels(w, h int) float64 {
	return float64(r.opts.MinPixels) * float64(w) * float64(h) / referenceArea
}

// draw returns a class and a file that has it.
func (r *RCS) draw(rnd *rand.Rand) (class, file int) {
	u := rnd.Float64()
	for c, p := range r.Probability {
		if p == 0 {
			continue
		}
		class = c // rounding may leave u > 0: the last class takes it
		if u -= p; u < 0 {
			break
		}
	}
	files := r.Files[class]
	return class, files[rnd.IntN(len(files))]
}

// cropPixels returns how many pixels of the drawn class a crop should exceed,
// from an image that was resized to w×h.
func (r *RCS) cropPixels(w, h int) float64 {
	return r.opts.MinCropRatio * r.minPixels(w, h)
}
