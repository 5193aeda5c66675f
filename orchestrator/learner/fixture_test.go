package learner

import (
	"context"
	"maps"
	"math"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/weights"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
)

const cropSize = 64

// small is a complete T2S configuration for three classes, two images of 64×64 and
// a second per few iterations.
func small() configs.Config {
	c := configs.Default()
	c.Seed = 3
	c.Data.Crop = configs.Size{Width: cropSize, Height: cropSize}
	c.Model.Encoder, c.Model.Head, c.Model.HeadWidth, c.Model.ProjectorWidth = "mit_nano", "segformer", 16, 16
	c.Loss.Delta = 0.3 // so that L_T weighs from the first iteration on
	c.Loss.Pull.Queries, c.Loss.Pull.Negatives, c.Loss.Pull.Block = 8, 16, 8
	c.Train.Iterations, c.Train.LR, c.Train.HeadLRFactor, c.Train.Warmup = 6, 1e-3, 1, 0
	return c
}

func shapesSpace() datasets.Space {
	return datasets.Space{Name: "shapes", Classes: []datasets.Class{{Name: "ground"}, {Name: "box"}, {Name: "disc"}}}
}

// open makes c's learner, which the test's end closes, from the program's own
// encoder if init is set.
func open(t testing.TB, c configs.Config, log *zap.Logger) *Learner {
	t.Helper()
	return openIn(t, c, log, nil)
}

// openIn is open with another memory.
func openIn(t testing.TB, c configs.Config, log *zap.Logger, arena newArena) *Learner {
	t.Helper()
	return openOn(t, enginetest.Open(t, engine.Options{IntraOpThreads: 1, CUDA: engine.CUDAOptions{Graph: c.Runtime.CUDA.Graph}}), c, log, arena)
}

// openOn is openIn on a certain engine.
func openOn(t testing.TB, e *engine.Engine, c configs.Config, log *zap.Logger, arena newArena) *Learner {
	t.Helper()
	o := Options{Config: c, Space: shapesSpace(), Source: c.Model.Init, Log: log, Arena: arena}
	if c.Model.Init != "" {
		have, _, err := weights.LoadPretrained(c.Model.Init)
		if err != nil {
			t.Fatal(err)
		}
		o.Initial = have
	}
	l, err := New(e, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// content returns an arena's values, those of the host where it may touch them.
func content(t testing.TB, a engine.Arena) []float32 {
	t.Helper()
	x, err := values(a, 0, a.Len())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// near reports whether b is a: bit by bit on the CPU. A device adds up in no fixed
// order, and a step of AdamW may turn with a gradient's last digit.
func near(a, b float64) bool {
	if enginetest.OnDevice() {
		return math.Abs(a-b) <= 1e-2*math.Abs(a)
	}
	return a == b
}

// nearLosses is near for all terms.
func nearLosses(a, b map[string]float64) bool { return maps.EqualFunc(a, b, near) }

// batch draws iteration it's crops: a box and a disc in noise, the target darker.
func batch(c configs.Config, it int) *datasets.Batch {
	b := &datasets.Batch{Iteration: it}
	for i := range c.Train.Batch {
		r := rng.New(c.Seed, it*c.Train.Batch+i, "crop")
		draw := func(tint float32) (*raster.Image, *raster.Labels) {
			m, labels := raster.NewImage(cropSize, cropSize), raster.NewLabels(cropSize, cropSize)
			x0, y0 := r.IntN(cropSize/2), r.IntN(cropSize/2)
			for p := range labels.Pix {
				x, y := p%cropSize, p/cropSize
				switch dx, dy := x-cropSize/2-x0/2, y-cropSize/2-y0/2; {
				case x >= x0 && x < x0+30 && y >= y0 && y < y0+30:
					labels.Pix[p] = 1
				case dx*dx+dy*dy < 100:
					labels.Pix[p] = 2
				}
				for k := range 3 {
					bright := float32(90)
					if k == int(labels.Pix[p]) {
						bright = 220
					}
					m.Plane(k)[p] = tint*bright + float32(10*r.NormFloat64())
				}
			}
			return m, labels
		}
		source, labels := draw(1)
		pseudo := raster.NewImage(cropSize, cropSize)
		for p, v := range source.Pix {
			pseudo.Pix[p] = 0.5 * v
		}
		target, _ := draw(0.5)
		b.Source, b.Pseudo, b.Target = append(b.Source, source), append(b.Pseudo, pseudo), append(b.Target, target)
		b.SourceLabels = append(b.SourceLabels, labels)
		b.SourceIDs, b.TargetIDs = append(b.SourceIDs, "s"), append(b.TargetIDs, "t")
		b.TargetRows, b.TargetCorners = append(b.TargetRows, datasets.Rows{From: 0, Of: cropSize}), append(b.TargetCorners, datasets.Corner{})
	}
	return b
}

// train runs iterations [from, to).
func train(t testing.TB, l *Learner, from, to int) []Step {
	t.Helper()
	var steps []Step
	for it := from; it < to; it++ {
		s, err := l.Iterate(t.Context(), it, func(context.Context) (*datasets.Batch, error) { return batch(l.cfg, it), nil })
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, s)
	}
	return steps
}

// iterateOnce returns the error of the first iteration.
func iterateOnce(t testing.TB, l *Learner) error {
	_, err := l.Iterate(t.Context(), 0, func(context.Context) (*datasets.Batch, error) { return batch(l.cfg, 0), nil })
	return err
}
