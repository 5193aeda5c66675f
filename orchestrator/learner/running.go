package learner

import "t2sda/internal/ranks"

// noteStatistics keeps the batch statistics of a pass's last run for the iteration's end.
func (l *Learner) noteStatistics(i *iteration, p *pass) {
	if i.micro == 0 { // each micro-batch has the same runs
		i.noted = append(i.noted, p)
	}
	for _, s := range p.stats {
		i.running = append(append(i.running, s.mean...), s.variance...)
	}
}

// updateRunning moves the running statistics, run by run, towards the mean over the
// micro-batches.
func (l *Learner) updateRunning(i *iteration) error {
	if len(i.running) == 0 {
		return nil
	}
	all, err := ranks.Gather(l.micros.ranks, l.micros.all, i.running)
	if err != nil {
		return err
	}
	runs, at := len(all)/l.micros.all, 0 // values of a micro-batch, and of the runs so far
	for _, p := range i.noted {
		mean := make([]float32, p.statistics())
		for k := range mean {
			var sum float64
			for m := range l.micros.all {
				sum += float64(all[m*runs+at+k])
			}
			mean[k] = float32(sum / float64(l.micros.all))
		}
		p.updateRunning(l.state.buffers, l.cfg.Train.BNMomentum, mean)
		at += len(mean)
	}
	return nil
}
