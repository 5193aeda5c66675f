package learner

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// TestAway plans the same batch from features of the host's and from features that only
// sessions may touch: the same queries, negatives and classes, and prototypes that differ
// by rounding.
func TestAway(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	grid := losses.Grid{N: 2, D: 5, H: 6, W: 7}
	const classes = 4
	for name, k := range map[string]struct {
		loss                losses.PullLoss
		keysOfTarget, alone bool
	}{
		"source": {loss: losses.PullInfoNCE}, "target": {loss: losses.PullInfoNCE, keysOfTarget: true},
		"generalisation": {loss: losses.PullInfoNCE, alone: true}, "mse": {loss: losses.PullMSE},
	} {
		t.Run(name, func(t *testing.T) {
			source, target := drawMap(t, grid, classes, 1), drawMap(t, grid, classes, 2)
			o := losses.DefaultPull(classes)
			o.Loss, o.Queries, o.Block, o.Negatives = k.loss, 6, 4, 9
			batch := losses.PullBatch{QueryLabels: source.labels, Keys: source.here(), Source: source.here()}
			keys, other := source.there(t), target.there(t)
			from := [3]*featureMap{keys, keys, other} // keys, source, target
			if k.alone {
				from[2] = nil
			} else {
				there := target.here()
				batch.Target = &there
			}
			if k.keysOfTarget {
				batch.Keys, from[0] = target.here(), other
			}
			want := planned(t, o, grid, batch)
			have, err := losses.NewPull(o, grid)
			if err != nil {
				t.Fatal(err)
			}
			a, err := newAway(e, &state{arena: guarded}, have, from[0], from[1], from[2])
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			}()
			batch.Reader = a
			batch.Keys.Features, batch.Source.Features = nil, nil
			if batch.Target != nil {
				batch.Target.Features = nil
			}
			if err := have.Plan(t.Context(), rand.New(rand.NewPCG(1, 2)), batch); err != nil {
				t.Fatal(err)
			}
			comparePlans(t, have, want)
			if k.loss == losses.PullMSE {
				return
			}
			negatives := content(t, a.negatives)
			for c, queries := range want.Stats.Queries {
				n := o.Negatives * grid.D
				if queries > 0 && !slices.Equal(negatives[c*n:(c+1)*n], want.Negatives[c*n:(c+1)*n]) {
					t.Errorf("class %d: negatives %v, want %v", c, negatives[c*n:(c+1)*n], want.Negatives[c*n:(c+1)*n])
				}
			}
		})
	}
}

func planned(t *testing.T, o losses.PullOptions, grid losses.Grid, batch losses.PullBatch) *losses.Pull {
	t.Helper()
	p, err := losses.NewPull(o, grid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Plan(t.Context(), rand.New(rand.NewPCG(1, 2)), batch); err != nil {
		t.Fatal(err)
	}
	return p
}

// comparePlans compares all but the negatives.
func comparePlans(t *testing.T, have, want *losses.Pull) {
	t.Helper()
	if !slices.Equal(have.Index, want.Index) || !slices.Equal(have.Weights, want.Weights) || !slices.Equal(have.BlockClass, want.BlockClass) || !slices.Equal(have.Stats.Present, want.Stats.Present) {
		t.Errorf("another plan: %+v, want %+v", have.Stats, want.Stats)
	}
	for i, v := range want.Positives {
		if math.Abs(float64(have.Positives[i]-v)) > 1e-6 {
			t.Errorf("prototypes %v, want %v", have.Positives, want.Positives)
			break
		}
	}
}

// drawn is a map of unit features with labels, one class of which is not there.
type drawn struct {
	grid       losses.Grid
	features   []float32
	labels     []uint8
	confidence []float32
}

func drawMap(t *testing.T, grid losses.Grid, classes int, seed uint64) drawn {
	t.Helper()
	r, area := rand.New(rand.NewPCG(seed, 3)), grid.H*grid.W
	d := drawn{grid, make([]float32, grid.Positions()*grid.D), make([]uint8, grid.Positions()), make([]float32, grid.Positions())}
	for i := range d.labels {
		d.labels[i], d.confidence[i] = uint8(r.IntN(classes-1)), float32(r.Float64())
		if r.IntN(4) == 0 {
			d.labels[i] = raster.Void
		}
		var x [5]float64
		sum := 0.0
		for k := range x {
			x[k] = r.NormFloat64()
			sum += x[k] * x[k]
		}
		for k := range x {
			d.features[(i/area*grid.D+k)*area+i%area] = float32(x[k] / math.Sqrt(sum))
		}
	}
	return d
}

// here is the map in the host's memory, there in memory that the host may not touch.
func (d drawn) here() losses.FeatureMap {
	return losses.FeatureMap{Features: d.features, Labels: d.labels, Confidence: d.confidence}
}

func (d drawn) there(t *testing.T) *featureMap {
	t.Helper()
	a, err := guarded(len(d.features))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := a.Write(d.features, 0); err != nil {
		t.Fatal(err)
	}
	return &featureMap{d.grid, a}
}
