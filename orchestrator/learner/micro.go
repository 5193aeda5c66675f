package learner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"t2sda/graphs/engine"
	"t2sda/internal/ranks"
)

// An iteration's batch consists of micro-batches (train.accumulate), shared out to ranks.
// What the method sums over the batch, it sums over all of them: each has its sums, which
// are gathered in the order of micro-batches and added up in that order by everybody. So
// arithmetic does not depend on who does the work of which micro-batch.

// micros shares out an iteration's micro-batches.
type micros struct {
	ranks *ranks.Group
	all   int // of an iteration
	mine  int // of this process
	from  int // the first of these
	fold  *ranks.Pending
	waits *waiting   // sums of gradients; nil before allocate
	wired *deviceSum // adds gradients up over ranks; nil: they pass through the host
}

// newMicros shares all micro-batches out.
func newMicros(g *ranks.Group, all int) (*micros, error) {
	from, to := g.Share(all)
	m := &micros{ranks: g, all: all, mine: to - from, from: from, fold: ranks.NewPending(to - from)}
	if m.mine < 1 {
		return nil, fmt.Errorf("%d micro-batches for %d processes: each needs one", all, g.Size())
	}
	return m, nil
}

// allocate makes the memory in which a state's gradients wait, and where there is a wire, what
// adds them up over ranks.
func (m *micros) allocate(e *engine.Engine, s *state, w ranks.Wire) (err error) {
	if m.waits, err = newWaiting(e, s, ranks.FoldDepth(m.mine)); err != nil {
		return err
	}
	if w != nil {
		m.wired, err = newDeviceSum(e, m.ranks, w, s.size, s.arena)
	}
	return err
}

// Close frees the memory.
func (m *micros) Close() error {
	var errs []error
	if m.waits != nil {
		errs = append(errs, m.waits.Close())
	}
	if m.wired != nil {
		errs = append(errs, m.wired.Close())
	}
	return errors.Join(errs...)
}

// next takes the gradients of the next micro-batch; after the last they are those of all.
func (m *micros) next() error { return m.fold.Next(m.waits.add, m.waits.keep) }

// owner is the rank that does the work of a micro-batch.
func (m *micros) owner(micro int) int {
	size := m.ranks.Size()
	return ((micro+1)*size - 1) / m.all
}

// spread reports whether an iteration has several micro-batches.
func (l *Learner) spread() bool { return l.micros.all > 1 }

// sumOver returns the sum over all micro-batches of what each of this process has.
func sumOver[T int64 | float64](m *micros, mine [][]T) ([]T, error) {
	var flat []T
	for _, x := range mine {
		flat = append(flat, x...)
	}
	all, err := ranks.Gather(m.ranks, m.all, flat)
	if err != nil {
		return nil, err
	}
	sum := make([]T, len(all)/m.all)
	for i, v := range all {
		sum[i%len(sum)] += v
	}
	return sum, nil
}

// agree makes an error of one rank an error of all.
func (l *Learner) agree(err error) error { return Agree(l.micros.ranks, err) }

// Agree is [ranks.Group.Agree] for errors of which some are [ErrNotFinite]: they are so on
// all ranks.
func Agree(g *ranks.Group, err error) error {
	err = g.Agree(err)
	if peer := new(ranks.PeerError); errors.As(err, &peer) && peer.Mark == notFiniteMark {
		return divergedPeer{peer}
	}
	return err
}

// divergedPeer is an [ErrNotFinite] of another rank.
type divergedPeer struct{ *ranks.PeerError }

func (divergedPeer) Is(target error) bool { return target == ErrNotFinite }

func (d divergedPeer) Unwrap() error { return d.PeerError }

// part is what was learned from a micro-batch, of which a [Step] tells.
type part struct {
	Losses  map[string]float64 `json:"losses"`
	Quality []float64          `json:"q,omitempty"`
	// Selected is this micro-batch's part of the share.
	Selected float64 `json:"selected,omitempty"`
}

// lookAtAll gets the micro-batches and what the teacher says of them.
func (l *Learner) lookAtAll(ctx context.Context, i *iteration) error {
	for i.micro = range l.micros.mine {
		if err := l.runPhase(ctx, i, look); err != nil {
			return err
		}
	}
	return nil
}

// planAll draws and sums up what concerns all micro-batches.
func (l *Learner) planAll(ctx context.Context, i *iteration) error { return l.runPhase(ctx, i, plan) }

// learnFromAll leaves the sum of this process's micro-batches in the gradients' arena.
func (l *Learner) learnFromAll(ctx context.Context, i *iteration) error {
	for i.micro, i.batch = range i.batches {
		if err := l.optimizer.clear(); err != nil {
			return err
		}
		for _, t := range l.teachers {
			t.recall(i.micro)
		}
		i.step.Losses, i.step.Quality, i.step.Selected = map[string]float64{}, nil, 0
		if err := l.runPhase(ctx, i, learn); err != nil {
			return err
		}
		i.parts = append(i.parts, part{i.step.Losses, i.step.Quality, i.step.Selected})
		if err := l.micros.next(); err != nil {
			return err
		}
	}
	return nil
}

// reduceStage sums up over all micro-batches what each has left behind.
func (l *Learner) reduceStage() stage {
	return stage{Stage{"reduce", "sums over micro-batches and processes"}, move, always, func(_ context.Context, i *iteration) error {
		if err := l.micros.sum(l.state.grads, l.state.size); err != nil {
			return err
		}
		return l.gatherParts(i)
	}}
}

// sum replaces gradients by their sum over the ranks. Of an error in its midst others hear
// nothing: they wait for a wire, for this rank's next values, or for those of its node.
func (m *micros) sum(grads engine.Arena, n int) (err error) {
	defer func() {
		if err != nil {
			err = m.ranks.Alone(fmt.Errorf("gradients: %w", err))
		}
	}()
	switch {
	case m.ranks.Size() == 1:
		return nil
	case m.wired != nil:
		return m.wired.add(grads, n)
	}
	return inChunks(grads, n, func(at int, part []float32) error {
		if err := m.ranks.Add(part); err != nil || grads.Host() != nil {
			return err
		}
		return grads.Write(part, at)
	})
}

// gatherParts tells in the step of all micro-batches.
func (l *Learner) gatherParts(i *iteration) error {
	mine, err := json.Marshal(i.parts)
	if err != nil {
		return err
	}
	texts, err := ranks.Texts(l.micros.ranks, mine)
	if err != nil {
		return err
	}
	i.step.Losses, i.step.Quality, i.step.Selected = map[string]float64{}, nil, 0
	for _, text := range texts {
		var parts []part
		if err := json.Unmarshal(text, &parts); err != nil {
			return err
		}
		for _, p := range parts {
			for name, loss := range p.Losses {
				i.step.Losses[name] += loss
			}
			i.step.Quality = append(i.step.Quality, p.Quality...)
			i.step.Selected += p.Selected
		}
	}
	return nil
}
