package learner

import (
	"context"

	"t2sda/losses"
)

// planStage is shared by all that sums or draws over the whole batch.
var planStage = Stage{"plan", "prototypes, negatives, queries, class weights"}

// sumOfAll returns the sum over the whole batch of what of returns of each of this process's
// micro-batches; an error of one rank is an error of all.
func sumOfAll[T int64 | float64](l *Learner, of func(k int) ([]T, error)) ([]T, error) {
	var mine [][]T
	var err error
	for k := range l.micros.mine {
		var x []T
		if x, err = of(k); err != nil {
			break
		}
		mine = append(mine, x)
	}
	if err := l.agree(err); err != nil {
		return nil, err
	}
	return sumOver(l.micros, mine)
}

// count sums the denominators of L_S, and of the feature distance, over the batch.
func (t *sourceTerm) count(_ context.Context, i *iteration) error {
	l := t.l
	sum, err := sumOfAll(l, func(k int) ([]int64, error) {
		labels := flatten(i.batches[k].SourceLabels)
		pixels, err := losses.Denominator(l.cfg.Loss.CEDenominator).Pixels(labels)
		if err != nil {
			return nil, err
		}
		things := 0
		if l.frozen != nil {
			things, err = l.frozen.weigh(labels, 0)
		}
		return []int64{int64(pixels), int64(things)}, err
	})
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
	sum, err := sumOfAll(l, func(k int) ([]int64, error) {
		confidence := l.target.of(k).confidence
		return []int64{int64(losses.Confident(confidence, float32(l.cfg.Loss.Delta))), int64(len(confidence))}, nil
	})
	if err != nil {
		return err
	}
	l.quality = float64(sum[0]) / float64(sum[1])
	return nil
}

// classWeights fills weights [C] by dynamic re-weighting over the batch.
func (l *Learner) classWeights(weights []float64, i *iteration) error {
	sum, err := sumOfAll(l, func(k int) ([]float64, error) {
		var c losses.Confidences
		said := l.target.of(k)
		err := c.Add(said.pseudo, said.confidence)
		return append(c.Sums[:], c.Counts[:]...), err
	})
	if err != nil {
		return err
	}
	var all losses.Confidences
	copy(all.Sums[:], sum)
	copy(all.Counts[:], sum[len(all.Sums):])
	return all.DRW(weights, l.cfg.Loss.DRWBeta)
}
