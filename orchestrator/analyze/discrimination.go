package analyze

import (
	"context"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/floats"

	"t2sda/internal/raster"
)

// discrimination adds up the ratios cos(x, μ_c) / Σ_{j≠c} cos(x, μ_j) that PDD
// averages, by the class c of the position. The length of x cancels out.
type discrimination struct {
	units [][]float64 // the domain's means at unit length; nil for absent classes
	sum   []float64   // [C]
	count []int64     // [C]
}

// newDiscrimination takes the domain's class means. A mean of length 0 has no
// direction: its cosines are 0.
func newDiscrimination(means [][]float64) *discrimination {
	d := &discrimination{units: make([][]float64, len(means)), sum: make([]float64, len(means)), count: make([]int64, len(means))}
	for c, mean := range means {
		if mean == nil {
			continue
		}
		d.units[c] = make([]float64, len(mean))
		if length := floats.Norm(mean, 2); length > 0 {
			floats.ScaleTo(d.units[c], 1/length, mean)
		}
	}
	return d
}

// stripe is how many positions are held against the means at a time: their
// products with 19 classes fit a core's cache.
const stripe = 256

// add takes one image's features [D,h,w] and the labels [h,w] of the same grid.
// A position whose cosines to the other classes sum to 0 (one whose features are
// all 0, say) has no ratio and is left out.
func (d *discrimination) add(ctx context.Context, features []float32, labels []uint8) error {
	parts := make([]*discrimination, (len(labels)+stripe-1)/stripe)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range parts {
		group.Go(func() error {
			parts[i] = &discrimination{units: d.units, sum: make([]float64, len(d.sum)), count: make([]int64, len(d.sum))}
			from := i * stripe
			parts[i].addStripe(features, labels, from, min(from+stripe, len(labels)))
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, p := range parts { // in order: the sum does not depend on the number of CPUs
		for c := range d.sum {
			d.sum[c] += p.sum[c]
			d.count[c] += p.count[c]
		}
	}
	return nil
}

// addStripe takes the positions from ≤ i < to.
func (d *discrimination) addStripe(features []float32, labels []uint8, from, to int) {
	var x [stripe]float64
	dots := make([][stripe]float64, len(d.units))
	for k := range len(features) / len(labels) {
		for i, v := range features[k*len(labels)+from : k*len(labels)+to] {
			x[i] = float64(v)
		}
		for c, unit := range d.units {
			if unit != nil {
				floats.AddScaled(dots[c][:], unit[k], x[:])
			}
		}
	}
	for i, c := range labels[from:to] {
		if c == raster.Void {
			continue
		}
		others := 0.0
		for j := range dots { // an absent class's products are 0
			if j != int(c) {
				others += dots[j][i]
			}
		}
		if others != 0 {
			d.sum[c] += dots[c][i] / others
			d.count[c]++
		}
	}
}

// pdd returns the pixel-wise discrimination distance of each class; NaN where
// no position has a ratio.
func (d *discrimination) pdd() []float64 {
	out := make([]float64, len(d.sum))
	for c, n := range d.count {
		if out[c] = math.NaN(); n > 0 {
			out[c] = 1 - d.sum[c]/float64(n)
		}
	}
	return out
}
