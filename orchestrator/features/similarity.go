package features

import (
	"context"
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"

	"t2sda/graphs/engine"
)

// Similarity returns the cosine of each class's means in two domains; NaN where
// one of them has no positions, or a mean of length 0.
func Similarity(a, b [][]float64) []float64 {
	out := make([]float64, len(a))
	for c := range a {
		if out[c] = math.NaN(); a[c] != nil && b[c] != nil {
			out[c] = floats.Dot(a[c], b[c]) / (floats.Norm(a[c], 2) * floats.Norm(b[c], 2))
		}
	}
	return out
}

// Similarities runs a network on images of two domains and returns how alike
// each class's features are in them; see [Similarity].
func Similarities(ctx context.Context, e *engine.Engine, n Network, kind string, a, b *Images, workers int) ([]float64, error) {
	var means [2][][]float64
	for i, images := range []*Images{a, b} {
		var err error
		if means[i], err = classMeans(ctx, e, n, kind, images, workers); err != nil {
			return nil, err
		}
	}
	return Similarity(means[0], means[1]), nil
}

// classMeans returns the means [C][D] of a network's features by class.
func classMeans(ctx context.Context, e *engine.Engine, n Network, kind string, images *Images, workers int) (_ [][]float64, err error) {
	x, err := Open(e, n, kind, images.W, images.H)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	m := NewMoments(n.Arch.Classes, x.Depth())
	err = x.Pass(ctx, images, workers, func(s Seen) error {
		m.Add(s.Features, s.Labels)
		return nil
	})
	return m.Means(), err
}
