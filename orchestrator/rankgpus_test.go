package orchestrator

import (
	"slices"
	"strings"
	"testing"
)

// TestRanksGPUs: every rank has a GPU of its own, whatever its launcher shows it.
func TestRanksGPUs(t *testing.T) {
	at := func(node, device string, gpus ...string) sight { return sight{node, device, gpus} }
	for name, k := range map[string]struct {
		all  []sight
		want []int
		err  string
	}{
		"all see all":          {all: []sight{at("a", "cuda", "1", "2"), at("a", "cuda", "1", "2")}, want: []int{0, 1}},
		"each sees its own":    {all: []sight{at("a", "cuda", "1"), at("a", "cuda", "2")}, want: []int{0, 0}},
		"two machines":         {all: []sight{at("a", "auto", "1", "2"), at("b", "auto", "1", "2"), at("a", "auto", "1", "2")}, want: []int{0, 0, 1}},
		"one is told":          {all: []sight{at("a", "cuda", "1", "2"), at("a", "cuda:0", "1", "2")}, want: []int{1, 0}},
		"told and shown one":   {all: []sight{at("a", "cuda:0", "1"), at("a", "cuda:0", "2")}, want: []int{0, 0}},
		"too many":             {all: []sight{at("a", "cuda", "1"), at("a", "auto", "1")}, want: []int{0, noGPU}},
		"no GPU":               {all: []sight{at("a", "cpu"), at("a", "cpu")}, want: []int{noGPU, noGPU}},
		"no driver":            {all: []sight{at("a", "cuda"), at("b", "cuda")}, want: []int{0, 0}},
		"told the same":        {all: []sight{at("a", "cuda:1", "1", "2"), at("a", "cuda:1", "1", "2")}, err: "ranks 0 and 1 of a were both told the same GPU, cuda:1"},
		"told one in two ways": {all: []sight{at("a", "cuda:1", "1", "2"), at("a", "cuda:0", "2")}, err: "ranks 0 and 1 of a were both told the same GPU, cuda:0"},
		"nothing is known":     {all: []sight{at("a", "cuda:0"), at("a", "cuda:0")}, err: "both told the same GPU, cuda:0"},
	} {
		have, err := gpusOf(k.all)
		if !slices.Equal(have, k.want) || (err == nil) != (k.err == "") || err != nil && !strings.Contains(err.Error(), k.err) {
			t.Errorf("%s: %v, %v", name, have, err)
		}
	}
}
