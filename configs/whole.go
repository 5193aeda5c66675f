package configs

import "fmt"

// checkWhole refuses batches of several micro-batches for terms that follow whole ones: a
// discriminator's steps, moving thresholds, labels of rounds with moving prototypes.
func (c *Config) checkWhole() error {
	for _, term := range []string{TermAdversarial, TermClassAdversarial, TermSelect, TermDenoise, TermCluster} {
		if c.Trains(term) && c.Train.MicroBatches() > 1 {
			return fmt.Errorf("term %s takes no batches of several micro-batches, hence one process: want 1, and a larger train.batch, have %d", term, c.Train.MicroBatches())
		}
	}
	return nil
}
