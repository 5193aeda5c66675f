package configs

import (
	"math"
	"slices"
)

// Extend returns the configuration of the run that goes on for so many iterations
// after it was finished. Up to there its learning rate is what it was; from
// there on it is that of the longer run, which is higher again at first.
func (c Config) Extend(iterations int) Config {
	c.Train.Extended = append(slices.Clone(c.Train.Extended), c.Train.Iterations)
	c.Train.Iterations += iterations
	return c
}

// Phase returns the number of iterations whose schedule holds at an iteration,
// counted from 0: the first of the ends that were extended which is not reached,
// or the run's own.
func (t *Train) Phase(iteration int) int {
	for _, end := range t.Extended {
		if iteration < end {
			return end
		}
	}
	return t.Iterations
}

// FirstAdapting returns the first iteration, counted from 0, of terms that set in with
// adapt_after.
func (t *Train) FirstAdapting() int { return int(math.Ceil(t.AdaptAfter * float64(t.Phase(0)))) }

// Earlier returns the configurations that the run had before it was extended,
// the first one first. What was trained by them is part of the run.
func (c *Config) Earlier() []Config {
	var out []Config
	for i, end := range c.Train.Extended {
		k := *c
		k.Train.Iterations, k.Train.Extended = end, slices.Clone(c.Train.Extended[:i])
		out = append(out, k)
	}
	return out
}
