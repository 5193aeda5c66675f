package learner

import (
	"context"

	"t2sda/losses"
)

// planStage is shared by all that sums or draws over the whole batch.
var planStage = Stage{"plan", "prototypes, negatives, queries, class weights"}

// count sums the denominators of L_S, and of the feature distance, over the batch.
func (t *sourceTerm) count(_ context.Context, i *iteration) error {
	l := t.l
	var mine [][]int64
	err := func() error {
		for _, b := range i.batches {
			labels := flatten(b.SourceLabels)
			pixels, err := losses.Denominator(l.cfg.Loss.CEDenominator).Pixels(labels)
			if err != nil {
				return err
			}
			things := 0
			if l.frozen != nil {
				if things, err = l.frozen.weigh(labels, 0); err != nil {
					return err
				}
			}
			mine = append(mine, []int64{int64(pixels), int64(things)})
		}
		return nil
	}()
	if err := l.agree(err); err != nil {
		return err
	}
	sum, err := sumOver(l.micros, mine)
	if err != nil {
		return err
	}
	t.pixels, t.things = int(sum[0]), int(sum[1])
	if l.frozen != nil {
		clear(l.frozen.weights) // as [frozen.take] leaves them
	}
	return nil
}

// countConfident makes q of the batch.
func (l *Learner) countConfident(_ context.Context, i *iteration) error {
	var mine [][]int64
	for k := range i.batches {
		confidence := l.target.of(k).confidence
		mine = append(mine, []int64{int64(losses.Confident(confidence, float32(l.cfg.Loss.Delta))), int64(len(confidence))})
	}
	sum, err := sumOver(l.micros, mine)
	if err != nil {
		return err
	}
	l.quality = float64(sum[0]) / float64(sum[1])
	return nil
}

// classWeights fills weights [C] by dynamic re-weighting over the batch.
func (l *Learner) classWeights(weights []float64, i *iteration) error {
	var mine [][]float64
	err := func() error {
		for k := range i.batches {
			var c losses.Confidences
			said := l.target.of(k)
			if err := c.Add(said.pseudo, said.confidence); err != nil {
				return err
			}
			mine = append(mine, append(c.Sums[:], c.Counts[:]...))
		}
		return nil
	}()
	if err := l.agree(err); err != nil {
		return err
	}
	sum, err := sumOver(l.micros, mine)
	if err != nil {
		return err
	}
	var all losses.Confidences
	copy(all.Sums[:], sum)
	copy(all.Counts[:], sum[len(all.Sums):])
	return all.DRW(weights, l.cfg.Loss.DRWBeta)
}
