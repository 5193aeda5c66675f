package tsne

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"t2sda/internal/finite"
	"t2sda/internal/rng"
)

// Options of [Embed]; zero values take the default.
type Options struct {
	// Perplexity is the effective number of neighbours, from 1 to below the
	// number of points. Default: 30, or a third of the points where those are
	// fewer than 90.
	Perplexity float64
	Iterations int // default 1000
	// Start holds a first position per point, of which shape and orientation
	// count and the scale does not; the first two principal components make
	// layouts repeatable and keep more of the large structure (Kobak and Berens,
	// Nature Communications 10, 2019). Nil: drawn from Seed.
	Start [][2]float64
	Seed  uint64
	// Progress is called after every iteration.
	Progress func(done, total int)
}

// Layout is where [Embed] puts the points.
type Layout struct {
	Points     [][2]float64 // centred at the origin
	Divergence float64      // Kullback-Leibler, nats
	Perplexity float64      // that was used
}

// Numbers of the descent: momentum, exaggeration and their switch as in the
// authors' later implementation (van der Maaten, JMLR 15, 2014), gains as in the
// first; the step as Belkina et al. (Nature Communications 10, 2019) advise.
const (
	exaggeration     = 12  // of the affinities while clusters form
	exaggerated      = 250 // iterations of it
	earlyMomentum    = 0.5
	lateMomentum     = 0.8
	gainUp, gainDown = 0.2, 0.8
	leastGain        = 0.01
	leastStep        = 50
	startSpread      = 1e-4 // standard deviation of the first positions
)

// Embed lays out the points x [n][D]. Equal arguments give equal layouts,
// whatever the number of CPUs. Errors are about the arguments, or ctx's.
func Embed(ctx context.Context, x [][]float32, o Options) (*Layout, error) {
	if err := o.complete(x); err != nil {
		return nil, fmt.Errorf("t-SNE: %w", err)
	}
	p, err := affinities(ctx, x, o.Perplexity)
	if err != nil {
		return nil, fmt.Errorf("t-SNE: %w", err)
	}
	d := newDescent(p, o)
	for i := range o.Iterations {
		if err := d.step(ctx, i < min(exaggerated, o.Iterations/2)); err != nil {
			return nil, fmt.Errorf("t-SNE: %w", err)
		}
		if o.Progress != nil {
			o.Progress(i+1, o.Iterations)
		}
	}
	kl, err := divergence(ctx, p, d.y)
	if err != nil {
		return nil, fmt.Errorf("t-SNE: %w", err)
	}
	return &Layout{Points: d.y, Divergence: kl, Perplexity: o.Perplexity}, nil
}

// complete fills in defaults and checks all arguments.
func (o *Options) complete(x [][]float32) error {
	n := len(x)
	if n < 3 {
		return fmt.Errorf("%d points, want at least 3", n)
	}
	for i, row := range x {
		if len(row) != len(x[0]) {
			return fmt.Errorf("point %d has %d dimensions, point 0 has %d", i, len(row), len(x[0]))
		}
		for _, v := range row {
			if !finite.Is(v) {
				return fmt.Errorf("point %d has a coordinate %v", i, v)
			}
		}
	}
	o.Perplexity = cmp.Or(o.Perplexity, min(30, max(1, float64(n)/3)))
	if !(o.Perplexity >= 1 && o.Perplexity < float64(n)) {
		return fmt.Errorf("perplexity %g, want at least 1 and below the number of points, %d", o.Perplexity, n)
	}
	o.Iterations = cmp.Or(o.Iterations, 1000)
	if o.Iterations < 0 {
		return fmt.Errorf("%d iterations", o.Iterations)
	}
	if o.Start != nil && len(o.Start) != n {
		return fmt.Errorf("%d first positions for %d points", len(o.Start), n)
	}
	return nil
}

// descent is the state of the optimisation.
type descent struct {
	p        matrix
	y        [][2]float64
	velocity [][2]float64
	gain     [][2]float64
	forces   []force
	rate     float64
}

func newDescent(p matrix, o Options) *descent {
	d := &descent{
		p: p, y: start(o, p.n), velocity: make([][2]float64, p.n), gain: make([][2]float64, p.n),
		forces: make([]force, p.n), rate: max(leastStep, float64(p.n)/exaggeration/4),
	}
	for i := range d.gain {
		d.gain[i] = [2]float64{1, 1}
	}
	return d
}

// start returns the first positions, centred, with a standard deviation of
// startSpread along the first axis.
func start(o Options, n int) [][2]float64 {
	y := make([][2]float64, n)
	copy(y, o.Start)
	spread := recentre(y)
	if spread == 0 { // none are given, or all in one place, where nothing would move
		r := rng.New(o.Seed, 0, "tsne")
		for i := range y {
			y[i] = [2]float64{r.NormFloat64(), r.NormFloat64()}
		}
		spread = recentre(y)
	}
	for i := range y {
		y[i][0] *= startSpread / spread
		y[i][1] *= startSpread / spread
	}
	return y
}

// step is one iteration.
func (d *descent) step(ctx context.Context, early bool) error {
	factor, momentum := 1.0, lateMomentum
	if early {
		factor, momentum = exaggeration, earlyMomentum
	}
	z, err := repulsion(ctx, d.p, d.y, d.forces)
	if err != nil {
		return err
	}
	for i, f := range d.forces {
		gradient := f.gradient(factor, z)
		for k, g := range gradient {
			if (g > 0) == (d.velocity[i][k] > 0) { // it turned: the last step was too long
				d.gain[i][k] = max(leastGain, d.gain[i][k]*gainDown)
			} else {
				d.gain[i][k] += gainUp
			}
			d.velocity[i][k] = momentum*d.velocity[i][k] - d.rate*d.gain[i][k]*g
			d.y[i][k] += d.velocity[i][k]
		}
	}
	recentre(d.y)
	return nil
}

// recentre moves the points' mean to the origin and returns their standard
// deviation along the first axis.
func recentre(y [][2]float64) float64 {
	var mean [2]float64
	for _, p := range y {
		mean[0] += p[0] / float64(len(y))
		mean[1] += p[1] / float64(len(y))
	}
	var square float64
	for i := range y {
		y[i][0] -= mean[0]
		y[i][1] -= mean[1]
		square += y[i][0] * y[i][0]
	}
	return math.Sqrt(square / float64(len(y)))
}
