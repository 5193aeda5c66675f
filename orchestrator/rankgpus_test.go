package orchestrator

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/nvidia"
	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// TestRanksGPUs: every rank has a GPU of its own, whatever its launcher shows it.
func TestRanksGPUs(t *testing.T) {
	at := func(node, device string, gpus ...string) seen { return seen{Node: node, Device: device, GPUs: gpus} }
	for name, k := range map[string]struct {
		all  []seen
		want []int
		err  string
	}{
		"all see all":          {all: []seen{at("a", "cuda", "1", "2"), at("a", "cuda", "1", "2")}, want: []int{0, 1}},
		"each sees its own":    {all: []seen{at("a", "cuda", "1"), at("a", "cuda", "2")}, want: []int{0, 0}},
		"two machines":         {all: []seen{at("a", "auto", "1", "2"), at("b", "auto", "1", "2"), at("a", "auto", "1", "2")}, want: []int{0, 0, 1}},
		"one is told":          {all: []seen{at("a", "cuda", "1", "2"), at("a", "cuda:0", "1", "2")}, want: []int{1, 0}},
		"told and shown one":   {all: []seen{at("a", "cuda:0", "1"), at("a", "cuda:0", "2")}, want: []int{0, 0}},
		"too many":             {all: []seen{at("a", "cuda", "1"), at("a", "auto", "1")}, want: []int{0, noGPU}},
		"one sees less":        {all: []seen{at("a", "cuda", "1", "2"), at("a", "cuda", "1")}, want: []int{1, 0}},
		"a chain":              {all: []seen{at("a", "auto", "1", "2"), at("a", "auto", "2", "3"), at("a", "cuda", "1"), at("a", "cuda", "2")}, want: []int{1, 1, 0, noGPU}},
		"what is told stays":   {all: []seen{at("a", "cuda:0", "1", "2"), at("a", "cuda", "1")}, want: []int{0, noGPU}},
		"no GPU":               {all: []seen{at("a", "cpu"), at("a", "cpu")}, want: []int{noGPU, noGPU}},
		"no driver":            {all: []seen{at("a", "cuda"), at("b", "cuda")}, want: []int{0, 0}},
		"told the same":        {all: []seen{at("a", "cuda:1", "1", "2"), at("a", "cuda:1", "1", "2")}, err: "ranks 0 and 1 of a were both told the same GPU, cuda:1"},
		"told one in two ways": {all: []seen{at("a", "cuda:1", "1", "2"), at("a", "cuda:0", "2")}, err: "ranks 0 and 1 of a were both told the same GPU, cuda:0"},
		"nothing is known":     {all: []seen{at("a", "cuda:0"), at("a", "cuda:0")}, err: "both told the same GPU, cuda:0"},
	} {
		have, err := gpusOf(k.all)
		if !slices.Equal(have, k.want) || (err == nil) != (k.err == "") || err != nil && !strings.Contains(err.Error(), k.err) {
			t.Errorf("%s: %v, %v", name, have, err)
		}
	}
}

// TestRanksAuto: ranks that may do without a GPU do where none works, also those for which
// none is left.
func TestRanksAuto(t *testing.T) {
	enginetest.Open(t, engine.Options{Device: "cpu"}) // or the test is skipped
	for rank, err := range rankstest.Run(3, func(g *ranks.Group) error {
		e, err := OpenRank(g, engine.Options{Device: "auto", IntraOpThreads: 1})
		if err != nil {
			return err
		}
		return e.Close()
	}) {
		if _, look := nvidia.Look(); look != nil && err != nil {
			t.Errorf("rank %d has %v", rank, err)
		}
	}
}

// TestRanksNoneLeft: a rank without a GPU is not sent to the CPU while others of its machine
// use theirs, and is told what is known.
func TestRanksNoneLeft(t *testing.T) {
	s := seen{Node: "a", Device: "cuda"}
	if err := s.noneLeft(); !strings.Contains(err.Error(), "no GPU of a is left") {
		t.Error(err)
	}
	s.Fault = "the driver does not work"
	if err := s.noneLeft(); strings.Contains(err.Error(), "is left") || !strings.Contains(err.Error(), s.Fault) {
		t.Error(err)
	}
	enginetest.Open(t, engine.Options{Device: "cpu"})
	for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
		if g.Rank() == 0 { // as if its GPU worked
			_, err := ranks.Tell(g, "a")
			return err
		}
		s.Device = "auto"
		e, err := openOn(g, engine.Options{Device: "auto", IntraOpThreads: 1}, s, noGPU)
		if err == nil {
			err = errors.Join(errors.New("it is open"), e.Close())
		}
		return err
	}) {
		if (err == nil) != (rank == 0) || err != nil && !strings.Contains(err.Error(), s.Fault) {
			t.Errorf("rank %d has %v", rank, err)
		}
	}
}
