package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/internal/ranks"
	"t2sda/orchestrator"
	"t2sda/orchestrator/learner"
	"t2sda/orchestrator/trial"
)

// Scaling is what ranks gain and what they spend on each other: medians over rounds, each
// of which has all of it in turn, so that what else a machine does weighs on all alike.
type Scaling struct {
	Encoder string `json:"encoder"`
	Head    string `json:"head"`
	Crop    string `json:"crop"`
	Batch   int    `json:"batch"` // of a rank: source images, and as many target images
	Ranks   int    `json:"ranks"`
	Threads int    `json:"threads"` // of a rank; 0: one per core
	Device  string `json:"device"`
	Rounds  int    `json:"rounds"`

	// Seconds of an iteration: of one rank alone with its batch, of all ranks, of one
	// rank alone that has the batches of all (train.accumulate).
	Alone       float64 `json:"alone_seconds,omitempty"`
	Together    float64 `json:"together_seconds,omitempty"`
	Accumulated float64 `json:"accumulated_seconds,omitempty"`
	// Efficiency of weak scaling is alone over together, Speedup accumulated over
	// together, of the same round.
	Efficiency float64 `json:"efficiency,omitempty"`
	Speedup    float64 `json:"speedup,omitempty"`
	// Reduce is what of the iteration together is its stage of that name: waiting for the
	// last rank, and the sum of gradients.
	Reduce float64 `json:"reduce_seconds,omitempty"`
	// Sum is a sum of as many values as there are gradients, which nobody is late for.
	Sum       float64 `json:"sum_seconds"`
	Gradients int64   `json:"gradient_bytes"`
}

// Line says it in a sentence.
func (s Scaling) Line() string {
	sum := fmt.Sprintf("%d ranks sum up %.1f MiB of gradients in %.3f s", s.Ranks, float64(s.Gradients)/(1<<20), s.Sum)
	if s.Alone == 0 {
		return sum
	}
	return fmt.Sprintf("an iteration takes %.3f s alone, %.3f s of %d ranks (efficiency %.0f %%), %.3f s of one rank with their batches (speed-up %.2f); %s, their stage reduce takes %.3f s",
		s.Alone, s.Together, s.Ranks, 100*s.Efficiency, s.Accumulated, s.Speedup, sum, s.Reduce)
}

// scaling is a measurement of [Scaling] under way.
type scaling struct {
	g      *ranks.Group
	cfg    configs.Config
	e      *engine.Engine
	closed []func() error // when it ends, the last first

	together           *trial.Trial
	alone, accumulated *trial.Trial // of the rank that leads
	gradients          []float32
	rounds             []round
}

// round is what one round has measured, seconds.
type round struct{ alone, together, accumulated, reduce, sum float64 }

// Scale measures rounds after one that warms up. Without iterations only sums are
// measured. All ranks call it with the same configuration.
func Scale(ctx context.Context, g *ranks.Group, cfg configs.Config, rounds int, iterations bool) (_ Scaling, err error) {
	s := &scaling{g: g, cfg: cfg}
	if s.cfg.Runtime.Threads, err = orchestrator.Threads(g, cfg.Runtime.Threads); err != nil {
		return Scaling{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := g.Agree(s.open(iterations)); err != nil {
		return Scaling{}, err
	}
	for it := range rounds + 1 {
		r, err := s.round(it)
		if stop, agreed := g.Stop(ctx.Err() != nil); agreed != nil || stop {
			return Scaling{}, errors.Join(err, agreed, context.Canceled)
		}
		if err != nil {
			return Scaling{}, err
		}
		if it > 0 {
			s.rounds = append(s.rounds, r)
		}
	}
	return s.result(), nil
}

// open makes what is measured. It speaks with no other rank but to open the engine.
func (s *scaling) open(iterations bool) error {
	t, err := learner.TrafficOf(s.cfg, len(datasets.Cityscapes19().Classes))
	if err != nil {
		return err
	}
	s.gradients = make([]float32, t.Gradients/4)
	if s.e, err = orchestrator.OpenRank(s.g, orchestrator.EngineOptions(s.cfg)); err != nil {
		return err
	}
	s.closed = append(s.closed, s.e.Close)
	if !iterations {
		return nil
	}
	if s.together, err = s.trial(s.g.Size(), s.g); err != nil || !s.g.Leads() {
		return err
	}
	if s.alone, err = s.trial(1, nil); err != nil {
		return err
	}
	s.accumulated, err = s.trial(s.g.Size(), nil)
	return err
}

// trial opens a learner of batches of so many micro-batches.
func (s *scaling) trial(micros int, g *ranks.Group) (*trial.Trial, error) {
	cfg := s.cfg
	cfg.Train.Accumulate = micros
	cfg, err := cfg.ForRanks(g.Size())
	if err != nil {
		return nil, err
	}
	t, err := trial.New(s.e, cfg, trial.Batches(cfg, 2), g)
	if err == nil {
		s.closed = append(s.closed, t.Close)
	}
	return t, err
}

// round measures everything once. What one rank does alone, the others wait for.
func (s *scaling) round(it int) (r round, err error) {
	if r.alone, _, err = s.step(s.alone, it); err != nil {
		return r, s.g.Agree(err)
	}
	if err := s.g.Agree(nil); err != nil {
		return r, err
	}
	if r.together, r.reduce, err = s.step(s.together, it); err != nil {
		return r, err // which all ranks know of
	}
	if r.accumulated, _, err = s.step(s.accumulated, it); err != nil {
		return r, s.g.Agree(err)
	}
	if err := s.g.Agree(nil); err != nil {
		return r, err
	}
	start := time.Now()
	err = s.g.Add(s.gradients)
	r.sum = time.Since(start).Seconds()
	return r, err
}

// step times an iteration, and its stage reduce; none of a nil trial.
func (s *scaling) step(t *trial.Trial, it int) (whole, reduce float64, err error) {
	if t == nil {
		return 0, 0, nil
	}
	start := time.Now()
	step, err := t.Step(context.Background(), it)
	return time.Since(start).Seconds(), step.Seconds["reduce"], err
}

func (s *scaling) result() Scaling {
	m := s.cfg.Model
	of := func(value func(r round) float64) float64 {
		all := make([]float64, len(s.rounds))
		for i, r := range s.rounds {
			all[i] = value(r)
		}
		return median(all)
	}
	out := Scaling{
		Encoder: m.Encoder, Head: m.Head, Crop: cropOf(s.cfg), Batch: s.cfg.Train.Batch,
		Ranks: s.g.Size(), Threads: s.cfg.Runtime.Threads, Device: s.e.Info().Device, Rounds: len(s.rounds),
		Sum: of(func(r round) float64 { return r.sum }), Gradients: 4 * int64(len(s.gradients)),
	}
	if s.alone == nil {
		return out
	}
	out.Alone = of(func(r round) float64 { return r.alone })
	out.Together = of(func(r round) float64 { return r.together })
	out.Accumulated = of(func(r round) float64 { return r.accumulated })
	out.Reduce = of(func(r round) float64 { return r.reduce })
	out.Efficiency = of(func(r round) float64 { return r.alone / r.together })
	out.Speedup = of(func(r round) float64 { return r.accumulated / r.together })
	return out
}

func (s *scaling) close() (err error) {
	for i := len(s.closed) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closed[i]())
	}
	return err
}
