package tsne

import (
	"context"
	"math"
)

// matrix is n×n, row-major.
type matrix struct {
	n int
	v []float32
}

func newMatrix(n int) matrix { return matrix{n, make([]float32, n*n)} }

func (m matrix) row(i int) []float32 { return m.v[i*m.n : (i+1)*m.n] }

// affinities returns p_ij = (p_j|i + p_i|j)/2n, where p_·|i is a Gaussian
// around point i, as wide as makes its perplexity 2^H the one that is asked for.
// All elements sum to 1, the diagonal is 0.
func affinities(ctx context.Context, x [][]float32, perplexity float64) (matrix, error) {
	n := len(x)
	m := newMatrix(n)
	err := rows(ctx, n, func(i int) { // squared distances; each pair is one row's
		for j := i + 1; j < n; j++ {
			d := squaredDistance(x[i], x[j])
			m.v[i*n+j], m.v[j*n+i] = d, d
		}
	})
	if err != nil {
		return m, err
	}
	if err := rows(ctx, n, func(i int) { conditional(m.row(i), i, perplexity) }); err != nil {
		return m, err
	}
	return m, rows(ctx, n, func(i int) {
		for j := i + 1; j < n; j++ {
			p := (m.v[i*n+j] + m.v[j*n+i]) / float32(2*n)
			m.v[i*n+j], m.v[j*n+i] = p, p
		}
	})
}

func squaredDistance(a, b []float32) float32 {
	var sum float64
	b = b[:len(a)]
	for k, v := range a {
		d := float64(v - b[k])
		sum += d * d
	}
	return float32(sum)
}

// bisections bounds the search for a Gaussian's width. Points that coincide with
// more others than the perplexity asks for have none; they share evenly.
const bisections = 100

// conditional replaces row i's squared distances d_j by p_j|i ∝ exp(−β d_j), with
// β found by bisection on the entropy log(Σ exp(−β d)) + β Σ d p, in nats.
func conditional(row []float32, i int, perplexity float64) {
	want, nearest, mean := math.Log(perplexity), math.Inf(1), 0.0
	for j, d := range row {
		if j != i {
			nearest, mean = min(nearest, float64(d)), mean+float64(d)/float64(len(row)-1)
		}
	}
	beta, lo, hi := 1.0, 0.0, math.Inf(1)
	if mean > nearest {
		beta = 1 / (mean - nearest) // a first guess on the data's own scale
	}
	sum := 0.0
	for range bisections {
		var weighted float64
		sum = 0
		for j, d := range row {
			if j != i {
				e := float64(d) - nearest // the nearest weighs 1: no sum underflows
				w := math.Exp(-beta * e)
				sum, weighted = sum+w, weighted+e*w
			}
		}
		entropy := math.Log(sum) + beta*weighted/sum
		if math.Abs(entropy-want) < 1e-6 {
			break
		}
		if entropy > want {
			lo = beta
		} else {
			hi = beta
		}
		beta = (lo + hi) / 2
		if math.IsInf(hi, 1) {
			beta = 2 * lo
		}
	}
	for j, d := range row {
		row[j] = float32(math.Exp(-beta*(float64(d)-nearest)) / sum)
	}
	row[i] = 0
}
