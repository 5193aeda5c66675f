package configs

import "fmt"

// MicroBatches returns how many micro-batches an iteration's batch has, at least 1.
func (t *Train) MicroBatches() int { return max(t.Accumulate, 1) }

// ForRanks returns the configuration of a run of so many processes: where
// train.accumulate is not said, each has one micro-batch. It is an error if there are
// fewer micro-batches than processes.
func (c Config) ForRanks(ranks int) (Config, error) {
	if c.Train.Accumulate == 0 && ranks > 1 {
		c.Train.Accumulate = ranks
	}
	if n := c.Train.MicroBatches(); n < ranks {
		return c, fmt.Errorf("train.accumulate: want at least %d, so that each of %[1]d processes has a micro-batch of train.batch images, have %d: start fewer, or leave it out for one each", ranks, n)
	}
	if err := c.checkWhole(); err != nil {
		return c, fmt.Errorf("train.accumulate: %w", err)
	}
	return c, nil
}
