package analyze

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"t2sda/internal/tsne"
)

// embedding is where a network's points lie in the plane, two ways.
type embedding struct {
	points   []point // of both domains
	pca      [][2]float64
	variance [2]float64 // shares of the whole variance along the two components
	tsne     *tsne.Layout
}

// embed lays the points of both domains out together: in their first two
// principal components, and by t-SNE from there. A perplexity that is too large for so few points is that of
// the default.
func embed(ctx context.Context, points []point, perplexity float64, seed uint64, progress func(done, total int)) (*embedding, error) {
	e := &embedding{points: points}
	x := make([][]float32, len(points))
	for i, p := range points {
		x[i] = p.unit
	}
	var err error
	if e.pca, e.variance, err = principal(x); err != nil {
		return nil, err
	}
	if perplexity >= float64(len(points)) {
		perplexity = 0
	}
	e.tsne, err = tsne.Embed(ctx, x, tsne.Options{Perplexity: perplexity, Start: e.pca, Seed: seed, Progress: progress})
	return e, err
}

// principal returns the points' first two principal components, centred, and
// their shares of the variance. The direction of a component is a matter of
// chance: here its largest loading is positive, so that equal points give equal
// pictures.
func principal(x [][]float32) ([][2]float64, [2]float64, error) {
	if len(x) < 3 || len(x[0]) < 2 {
		return nil, [2]float64{}, fmt.Errorf("principal components: %d points are too few, or have a single dimension", len(x))
	}
	data := mat.NewDense(len(x), len(x[0]), nil)
	for i, row := range x {
		for d, v := range row {
			data.Set(i, d, float64(v))
		}
	}
	var pc stat.PC
	if !pc.PrincipalComponents(data, nil) {
		return nil, [2]float64{}, fmt.Errorf("principal components of %d points do not converge", len(x))
	}
	var vectors mat.Dense
	pc.VectorsTo(&vectors)
	variances, total := pc.VarsTo(nil), 0.0
	for _, v := range variances {
		total += v
	}
	out, shares := make([][2]float64, len(x)), [2]float64{}
	for k := range 2 {
		direction := mat.Col(nil, k, &vectors)
		orient(direction)
		mean := 0.0
		for i := range out {
			out[i][k] = mat.Dot(mat.NewVecDense(len(direction), direction), data.RowView(i))
			mean += out[i][k] / float64(len(out))
		}
		for i := range out {
			out[i][k] -= mean
		}
		if total > 0 {
			shares[k] = variances[k] / total
		}
	}
	return out, shares, nil
}

// orient turns a direction so that its largest coordinate is positive.
func orient(v []float64) {
	largest := 0.0
	for _, x := range v {
		if x*x > largest*largest {
			largest = x
		}
	}
	if largest < 0 {
		for i := range v {
			v[i] = -v[i]
		}
	}
}
