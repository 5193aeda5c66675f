package learner

import "t2sda/internal/ranks"

// noteStatistics keeps the batch statistics of the student's last supervised run for the
// iteration's end.
func (l *Learner) noteStatistics(i *iteration) {
	for _, s := range l.supervised.stats {
		i.running = append(append(i.running, s.mean...), s.variance...)
	}
}

// updateRunning moves the running statistics, run by run, towards the mean over the
// micro-batches.
func (l *Learner) updateRunning(i *iteration) error {
	size := 0
	for _, s := range l.supervised.stats {
		size += len(s.mean) + len(s.variance)
	}
	if size == 0 {
		return nil
	}
	all, err := ranks.Gather(l.micros.ranks, l.micros.all, i.running)
	if err != nil {
		return err
	}
	runs := len(all) / l.micros.all // values of a micro-batch
	mean := make([]float32, size)
	for run := 0; run < runs; run += size {
		for k := range mean {
			var sum float64
			for m := range l.micros.all {
				sum += float64(all[m*runs+run+k])
			}
			mean[k] = float32(sum / float64(l.micros.all))
		}
		l.supervised.updateRunning(l.state.buffers, l.cfg.Train.BNMomentum, mean)
	}
	return nil
}
