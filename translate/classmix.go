package translate

import (
	"fmt"
	"math/rand/v2"

	"t2sda/internal/raster"
)

// ClassMix draws ⌈k/2⌉ of the k distinct classes of the source labels (void
// is no class) and pastes their pixels and labels over the target image and
// its pseudo-labels (Olsson et al., WACV 2021, in the cross-domain form of
// DACS). It returns the mixed image, its labels and the mask [H,W] of pasted
// pixels. Source labels that are void everywhere paste nothing. All four
// inputs must have one size; none is modified.
func ClassMix(r *rand.Rand, source *raster.Image, sourceLabels *raster.Labels, target *raster.Image, pseudo *raster.Labels,
) (mixed *raster.Image, labels *raster.Labels, mask []bool, err error) {
	if err := checkMix(source, sourceLabels, target, pseudo); err != nil {
		return nil, nil, nil, fmt.Errorf("class mix: %w", err)
	}
	pasted := drawClasses(r, sourceLabels)
	mixed, labels, mask = target.Clone(), pseudo.Clone(), make([]bool, len(pseudo.Pix))
	for i, class := range sourceLabels.Pix {
		if pasted[class] {
			labels.Pix[i], mask[i] = class, true
		}
	}
	for c := range 3 {
		from, to := source.Plane(c), mixed.Plane(c)
		for i, p := range mask {
			if p {
				to[i] = from[i]
			}
		}
	}
	return mixed, labels, mask, nil
}

// drawClasses draws half of the labels' classes, rounded up.
func drawClasses(r *rand.Rand, l *raster.Labels) (drawn [256]bool) {
	var present [256]bool
	for _, class := range l.Pix {
		present[class] = true
	}
	var classes []int
	for class, p := range present {
		if p && class != raster.Void {
			classes = append(classes, class)
		}
	}
	for _, i := range r.Perm(len(classes))[:(len(classes)+1)/2] {
		drawn[classes[i]] = true
	}
	return drawn
}

func checkMix(source *raster.Image, sourceLabels *raster.Labels, target *raster.Image, pseudo *raster.Labels) error {
	if err := checkImage("source", source); err != nil {
		return err
	}
	if err := checkImage("target", target); err != nil {
		return err
	}
	if err := checkLabels("source", sourceLabels); err != nil {
		return err
	}
	if err := checkLabels("pseudo", pseudo); err != nil {
		return err
	}
	for _, o := range []struct {
		what string
		w, h int
	}{{"source labels", sourceLabels.W, sourceLabels.H}, {"target image", target.W, target.H}, {"pseudo-labels", pseudo.W, pseudo.H}} {
		if o.w != source.W || o.h != source.H {
			return fmt.Errorf("translate: %s of %d×%d do not fit the source image of %d×%d", o.what, o.w, o.h, source.W, source.H)
		}
	}
	return nil
}
