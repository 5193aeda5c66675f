package bench

import (
	"context"
	"errors"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// TestScale: the rank that leads has everything, the others what all do. How long it takes is
// up to what else the machine does.
func TestScale(t *testing.T) {
	enginetest.Isolate(t)
	cfg, err := small("runtime.state=host").Config()
	if err != nil {
		t.Fatal(err)
	}
	for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
		s, err := Scale(t.Context(), g, cfg, 3, true)
		if err != nil {
			return err
		}
		if s.Ranks != 2 || s.Threads != 1 || s.Rounds != 3 || s.Batch != 1 || s.Crop != "64×64" || s.Sum <= 0 || s.Gradients < 10<<20 {
			t.Errorf("rank %d: %+v", g.Rank(), s)
		}
		if !g.Leads() {
			return nil
		}
		if s.Alone <= 0 || s.Together <= 0 || s.Reduce <= 0 || s.Accumulated <= 0 || s.Efficiency != s.Alone/s.Together || s.Speedup != s.Accumulated/s.Together {
			t.Errorf("%+v", s)
		}
		if line := s.Line(); !strings.Contains(line, "of 2 ranks (efficiency ") || !strings.Contains(line, "MiB of gradients") {
			t.Error(line)
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// TestScaleSums: without iterations no network is built, and an interrupt of one rank ends
// all.
func TestScaleSums(t *testing.T) {
	enginetest.Isolate(t)
	cfg, err := small("runtime.state=host").Config()
	if err != nil {
		t.Fatal(err)
	}
	for rank, err := range rankstest.Run(3, func(g *ranks.Group) error {
		s, err := Scale(t.Context(), g, cfg, 2, false)
		if s.Alone != 0 || s.Sum <= 0 || !strings.HasPrefix(s.Line(), "3 ranks sum up ") {
			t.Errorf("%+v", s)
		}
		return err
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
	for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if g.Rank() == 1 {
			cancel()
		}
		_, err := Scale(ctx, g, cfg, 2, false)
		return err
	}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}
