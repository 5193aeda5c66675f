package translate

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"t2sda/internal/raster"
)

// Luma is gray(R, G, B); the two chroma axes are U = B − Y and V = R − Y, in
// grey levels. What is linear in RGB is linear in them.

const (
	levels     = 256 // grey levels of luma
	noiseBands = 16  // bands of luma for which noise is measured, 16 levels each
	axes       = 3   // Y, U, V
)

// Appearance describes how the images of one domain look, with no regard to
// what they show: everything that [FitCamera] compares. It is plain data, to be
// kept as JSON.
type Appearance struct {
	Images  int `json:"images"`  // images that were measured
	Skipped int `json:"skipped"` // images without content, such as black frames

	Luma   []float64    `json:"luma"`   // [256] share of the pixels per luma level
	Chroma [2]Moments   `json:"chroma"` // of U and V per luma level
	Noise  [axes]Levels `json:"noise"`  // of Y, U and V

	// Spectrum is the power of luma, and of U and V together, at k/32 cycles per
	// pixel, k = 1…16, as a variance in grey levels²: white noise of deviation σ
	// has σ² everywhere.
	Spectrum [2][]float64 `json:"spectrum"`

	// Vignette is v of the gain 1 − v·ρ² that light seems to fall off with, ρ the
	// distance from the middle in half diagonals.
	Vignette float64 `json:"vignette"`
}

// Moments are a mean and a variance per luma level, [256] each; levels that no
// pixel has hold 0.
type Moments struct {
	Mean     []float64 `json:"mean"`
	Variance []float64 `json:"variance"`
}

// Levels are a noise's deviations per luma band, [16] each, in grey levels.
type Levels struct {
	Fine   []float64 `json:"fine"`   // in the finest diagonal wavelet band
	Coarse []float64 `json:"coarse"` // in the next one; equal to Fine for white noise

	known []bool // measured; the others are those of the nearest measured band
}

// Images are the pictures of a domain. Load may be called from several
// goroutines at once; what it returns is not modified.
type Images struct {
	Len  int
	Load func(ctx context.Context, i int) (*raster.Image, error)
}

// MeasureOptions bound the work of [Measure].
type MeasureOptions struct {
	Images  int // most images to read, evenly spaced; 0: all
	Workers int // goroutines; 0: one per core. The result does not depend on it
}

// batchImages is how many images' sums are held before they are added up, in
// the images' order: results then do not depend on who was first.
const batchImages = 16

// Measure reads the images and sums up how they look. Images without content
// (black frames) are left out; it is an error when nothing else is there, or
// when an image is smaller than 32×32 pixels.
func Measure(ctx context.Context, images Images, o MeasureOptions) (*Appearance, error) {
	a, _, err := measure(ctx, images, o)
	return a, err
}

// measure returns each image's colours too, of those with content.
func measure(ctx context.Context, images Images, o MeasureOptions) (*Appearance, []*colours, error) {
	n := images.Len
	if o.Images > 0 {
		n = min(n, o.Images)
	}
	if n == 0 {
		return nil, nil, errors.New("translate: camera: there are no images to measure")
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	total := new(tally)
	var each []*colours
	batch := make([]*tally, batchImages)
	for first := 0; first < n; first += batchImages {
		part := batch[:min(batchImages, n-first)]
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(o.Workers)
		for k := range part {
			g.Go(func() error {
				if err := gctx.Err(); err != nil {
					return err
				}
				i := (first + k) * images.Len / n
				m, err := images.Load(gctx, i)
				if err != nil {
					return err
				}
				if part[k] == nil {
					part[k] = new(tally)
				}
				if err := part[k].measure(m); err != nil {
					return fmt.Errorf("translate: camera: image %d: %w", i, err)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return nil, nil, err
		}
		for _, t := range part {
			total.add(t)
			if t.images > 0 {
				c := t.colours // alone, not the whole tally, stays in memory
				each = append(each, &c)
			}
		}
	}
	if total.images == 0 {
		return nil, nil, fmt.Errorf("translate: camera: none of the %d images has any content (all are of one colour)", n)
	}
	return total.appearance(), each, nil
}
