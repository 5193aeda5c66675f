package learner

import (
	"fmt"
)

// Total is what [Soft] labels of a whole target set sum up to.
type Total struct {
	Counts []int64   `json:"counts"` // [C], of the positions that Sums are of
	Sums   []float64 `json:"sums"`   // [C,D]
	// Histogram counts, for each class, the positions at which its probability is the largest,
	// by the level of that probability.
	Histogram [][]int64 `json:"histogram"` // [C,256]
}

// Add counts in an image.
func (t *Total) Add(s *Soft) error {
	if t.Counts == nil {
		t.Counts, t.Sums, t.Histogram = make([]int64, s.C), make([]float64, s.C*s.D), make([][]int64, s.C)
		for c := range t.Histogram {
			t.Histogram[c] = make([]int64, 256)
		}
	}
	if len(t.Counts) != len(s.Counts) || len(t.Sums) != len(s.Sums) {
		return fmt.Errorf("soft labels of %d classes and %d numbers follow such of %d and %d", len(s.Counts), len(s.Sums), len(t.Counts), len(t.Sums))
	}
	for c, n := range s.Counts {
		t.Counts[c] += int64(n)
	}
	for i, v := range s.Sums {
		t.Sums[i] += float64(v)
	}
	area := s.H * s.W
	for i := range area {
		best := 0
		for c := range s.C {
			if s.Probabilities[c*area+i] > s.Probabilities[best*area+i] {
				best = c
			}
		}
		t.Histogram[best][s.Probabilities[best*area+i]]++
	}
	return nil
}

// BeginRound tells terms that from iteration it on, counted from 0, soft labels are others.
func (l *Learner) BeginRound(t *Total, it int) error {
	for _, begin := range l.rounds {
		if err := begin(t, it); err != nil {
			return fmt.Errorf("round: %w", err)
		}
	}
	return nil
}

// softOf fills dst [B,C,h,w] with the soft labels of a batch's target images; without any
// source of them it does nothing.
func (l *Learner) softOf(dst []float32, i *iteration, h, w int) error {
	if l.soft == nil {
		return nil
	}
	b, size := i.batch, l.crops()
	each, stride := l.arch.Classes*h*w, size.H/l.supervised.shape[2]
	for n, id := range b.TargetIDs {
		s, err := l.soft(id)
		if err != nil {
			return err
		}
		if err := s.Validate(l.arch.Classes); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		s.crop(dst[n*each:(n+1)*each], b.TargetCorners[n], size.H, size.W, h, w, stride)
	}
	return nil
}
