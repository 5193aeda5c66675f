package ranks

import (
	"context"
	"errors"
	"slices"
	"time"
)

// How a rank's work fares that [Group.While] watches.
const (
	working uint8 = iota
	finished
	failed
)

// While does work that speaks with no other rank, and meets the others every so often until
// all have done theirs. Where one fails, the context of the others' work ends. It returns the
// error of this rank's work, nil of work that ended for another's sake: [Group.Agree], with
// what While returns, then tells all of the one that failed.
func (g *Group) While(ctx context.Context, every time.Duration, work func(ctx context.Context) error) error {
	if g.Size() == 1 {
		return work(ctx)
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- work(own) }()
	mine := working
	var err error
	for {
		select {
		case err = <-done:
			mine = finished
			if err != nil {
				mine = failed
			}
		case <-time.After(every):
		}
		all, linkErr := Gather(g, g.Size(), []uint8{mine})
		least, most := working, failed
		if linkErr == nil {
			least, most = slices.Min(all), slices.Max(all)
		}
		if most != failed && least == working {
			continue
		}
		cancel()
		if mine == working {
			err = <-done
		}
		if errors.Is(err, context.Canceled) && ctx.Err() == nil {
			err = nil // for another's sake
		}
		return errors.Join(err, linkErr)
	}
}
