package ranks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// TestWhile: ranks whose work takes different times all end well; where one fails, the work of
// the others ends, and all know of that one.
func TestWhile(t *testing.T) {
	const every = time.Millisecond
	succeed(t, rankstest.Run(3, func(g *ranks.Group) error {
		return g.Agree(g.While(t.Context(), every, func(ctx context.Context) error {
			time.Sleep(time.Duration(20*g.Rank()) * time.Millisecond)
			return ctx.Err()
		}))
	}))
	bad := errors.New("no picture")
	for rank, err := range rankstest.Run(3, func(g *ranks.Group) error {
		return g.Agree(g.While(t.Context(), every, func(ctx context.Context) error {
			if g.Rank() == 1 {
				return bad
			}
			<-ctx.Done() // for ever, but for the other's end
			return ctx.Err()
		}))
	}) {
		if peer := new(ranks.PeerError); rank == 1 != errors.Is(err, bad) || rank != 1 && (!errors.As(err, &peer) || peer.Text != bad.Error()) {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
	for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if g.Rank() == 1 {
			time.AfterFunc(10*time.Millisecond, cancel)
		}
		return g.Agree(g.While(ctx, every, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
	}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("rank %d: %v of an interrupt", rank, err)
		}
	}
	var alone *ranks.Group
	if err := alone.While(t.Context(), every, func(context.Context) error { return bad }); !errors.Is(err, bad) {
		t.Error(err)
	}
}
