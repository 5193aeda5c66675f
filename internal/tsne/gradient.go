package tsne

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// force is what acts on a point: Σ_j p_ij w_ij (y_i − y_j) pulls it to its
// neighbours, Σ_j w_ij² (y_i − y_j) pushes it from all others.
type force struct {
	pull, push [2]float64
	weight     float64 // Σ_{j≠i} w_ij
}

// gradient is the divergence's by the point's position,
// 4 Σ_j (factor·p_ij − q_ij) w_ij (y_i − y_j).
func (f force) gradient(factor, z float64) [2]float64 {
	return [2]float64{
		4 * (factor*f.pull[0] - f.push[0]/z),
		4 * (factor*f.pull[1] - f.push[1]/z),
	}
}

// repulsion fills the forces on all points and returns Z.
func repulsion(ctx context.Context, p matrix, y [][2]float64, forces []force) (z float64, err error) {
	err = rows(ctx, p.n, func(i int) { forces[i] = forceOn(i, p.row(i), y) })
	for _, f := range forces { // in order, so that the sum does not depend on the workers
		z += f.weight
	}
	return z, err
}

// forceOn sums up what acts on point i. It is where the time goes: sums are
// locals, which stay in registers.
func forceOn(i int, affinity []float32, y [][2]float64) force {
	x0, y0 := y[i][0], y[i][1]
	var weight, pullX, pullY, pushX, pushY float64
	y = y[:len(affinity)]
	for j, a := range affinity {
		dx, dy := x0-y[j][0], y0-y[j][1]
		w := 1 / (1 + dx*dx + dy*dy)
		weight += w
		pull, push := float64(a)*w, w*w
		pullX += pull * dx
		pullY += pull * dy
		pushX += push * dx
		pushY += push * dy
	}
	return force{pull: [2]float64{pullX, pullY}, push: [2]float64{pushX, pushY}, weight: weight - 1} // less w_ii
}

// divergence returns Σ_{i≠j} p_ij log(p_ij/q_ij).
func divergence(ctx context.Context, p matrix, y [][2]float64) (float64, error) {
	forces := make([]force, p.n)
	z, err := repulsion(ctx, p, y, forces)
	if err != nil {
		return 0, err
	}
	part := make([]float64, p.n)
	err = rows(ctx, p.n, func(i int) {
		for j, a := range p.row(i) {
			if a > 0 {
				dx, dy := y[i][0]-y[j][0], y[i][1]-y[j][1]
				part[i] += float64(a) * math.Log(float64(a)*z*(1+dx*dx+dy*dy))
			}
		}
	})
	var sum float64
	for _, v := range part {
		sum += v
	}
	return sum, err
}

// fewRows are done sooner than goroutines have started.
const fewRows = 100

// rows calls f for all rows, from as many goroutines as there are CPUs, and
// returns ctx's error when that ends first.
func rows(ctx context.Context, n int, f func(i int)) error {
	if n <= fewRows {
		for i := range n {
			f(i)
		}
		return ctx.Err()
	}
	var next atomic.Int64
	var group errgroup.Group
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				f(i)
			}
		})
	}
	return group.Wait()
}
