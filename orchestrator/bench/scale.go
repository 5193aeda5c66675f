package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/internal/median"
	"t2sda/internal/ranks"
	"t2sda/orchestrator"
	"t2sda/orchestrator/learner"
	"t2sda/orchestrator/trial"
)

// Scaling is what ranks gain and what they spend on each other: medians over
// rounds.
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
	// together.
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
	g         *ranks.Group
	cfg       configs.Config
	e         *engine.Engine
	rounds    int
	gradients []float32
}

// Scale measures rounds of each quantity after one that warms up: one quantity after the
// other, so that one learner is open at a time. Without iterations only sums are measured.
// All ranks call it with the same configuration, whose train.accumulate it sets.
func Scale(ctx context.Context, g *ranks.Group, cfg configs.Config, rounds int, iterations bool) (out Scaling, err error) {
	s := &scaling{g: g, cfg: cfg, rounds: rounds}
	if s.cfg.Runtime.Threads, err = orchestrator.Threads(g, cfg.Runtime.Threads); err != nil {
		return Scaling{}, err
	}
	t, err := learner.TrafficOf(s.cfg, len(datasets.Cityscapes19().Classes))
	if err := g.Agree(err); err != nil {
		return Scaling{}, err
	}
	s.gradients = make([]float32, t.Gradients/4)
	if s.e, err = orchestrator.OpenRank(g, orchestrator.EngineOptions(s.cfg)); err != nil {
		return Scaling{}, err
	}
	defer func() { err = errors.Join(err, s.e.Close()) }()
	out = s.setting()
	if iterations {
		if err := s.iterations(ctx, &out); err != nil {
			return Scaling{}, err
		}
	}
	if err := s.sums(ctx, &out); err != nil {
		return Scaling{}, err
	}
	return out, nil
}

// setting is what is measured.
func (s *scaling) setting() Scaling {
	m := s.cfg.Model
	return Scaling{
		Encoder: m.Encoder, Head: m.Head, Crop: cropOf(s.cfg), Batch: s.cfg.Train.Batch,
		Ranks: s.g.Size(), Threads: s.cfg.Runtime.Threads, Device: s.e.Info().Device, Rounds: s.rounds,
		Gradients: 4 * int64(len(s.gradients)),
	}
}

// iterations measures them. Of one rank alone only the rank that leads learns how long they
// take.
func (s *scaling) iterations(ctx context.Context, out *Scaling) (err error) {
	if out.Alone, _, err = s.learn(ctx, 1, nil); err != nil {
		return err
	}
	if out.Together, out.Reduce, err = s.learn(ctx, s.g.Size(), s.g); err != nil {
		return err
	}
	if out.Accumulated, _, err = s.learn(ctx, s.g.Size(), nil); err != nil || !s.g.Leads() {
		return err
	}
	out.Efficiency, out.Speedup = out.Alone/out.Together, out.Accumulated/out.Together
	return nil
}

// learn returns the seconds of an iteration, and of its stage reduce, of a learner of
// batches of so many micro-batches: of a group, or, where there is none, of the rank that
// leads while the others wait.
func (s *scaling) learn(ctx context.Context, micros int, group *ranks.Group) (whole, reduce float64, err error) {
	var t *trial.Trial
	if group != nil || s.g.Leads() {
		t, err = s.trial(micros, group)
	}
	if t != nil {
		defer func() { err = errors.Join(err, t.Close()) }()
	}
	if err := s.g.Agree(err); err != nil {
		return 0, 0, err
	}
	all, reduces := make([]float64, s.rounds+1), make([]float64, s.rounds+1)
	err = s.each(ctx, func(it int) error {
		if t == nil {
			return s.g.Agree(nil)
		}
		start := time.Now()
		// A step together is not cut short: others would wait.
		step, err := t.Step(context.WithoutCancel(ctx), it)
		all[it], reduces[it] = time.Since(start).Seconds(), step.Seconds["reduce"]
		if group == nil {
			err = s.g.Agree(err)
		}
		return err // of a group all know
	})
	return median.Of(all[1:]), median.Of(reduces[1:]), err
}

// sums measures sums that nobody is late for.
func (s *scaling) sums(ctx context.Context, out *Scaling) error {
	all := make([]float64, s.rounds+1)
	err := s.each(ctx, func(it int) error {
		start := time.Now()
		err := s.g.Add(s.gradients)
		all[it] = time.Since(start).Seconds()
		return err
	})
	out.Sum = median.Of(all[1:])
	return err
}

// each calls do for every round until a rank is told to stop.
func (s *scaling) each(ctx context.Context, do func(it int) error) error {
	for it := range s.rounds + 1 {
		if stop, err := s.g.Stop(ctx.Err() != nil); err != nil || stop {
			return errors.Join(err, context.Canceled)
		}
		if err := do(it); err != nil {
			return err
		}
	}
	return nil
}

// trial opens a learner of batches of so many micro-batches.
func (s *scaling) trial(micros int, g *ranks.Group) (*trial.Trial, error) {
	cfg := s.cfg
	cfg.Train.Accumulate = micros
	cfg, err := cfg.ForRanks(g.Size())
	if err != nil {
		return nil, err
	}
	return trial.New(s.e, cfg, trial.Batches(cfg, 2), g)
}
