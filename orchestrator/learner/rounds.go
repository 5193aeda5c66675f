package learner

import (
	"fmt"

	"t2sda/losses"
)

// Total is what [Soft] labels of a whole target set sum up to.
type Total struct {
	Counts []int64   `json:"counts"` // [C]
	Sums   []float64 `json:"sums"`   // [C,D]
}

// Add counts in an image.
func (t *Total) Add(s *Soft) error {
	if t.Counts == nil {
		t.Counts, t.Sums = make([]int64, s.C), make([]float64, s.C*s.D)
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
	return nil
}

// BeginRound tells terms that from now on soft labels are others.
func (l *Learner) BeginRound(t *Total) error {
	for _, begin := range l.rounds {
		if err := begin(t); err != nil {
			return fmt.Errorf("round: %w", err)
		}
	}
	return nil
}

// softOf fills dst [B,C,h,w] with the soft labels of a batch's target images; without any
// source of them it does nothing.
func (l *Learner) softOf(dst []float32, i *iteration, grid losses.Grid) error {
	if l.soft == nil {
		return nil
	}
	b, size := i.batch, l.crops()
	each := l.arch.Classes * grid.H * grid.W
	for n, id := range b.TargetIDs {
		s, err := l.soft(id)
		if err != nil {
			return err
		}
		if err := s.Validate(l.arch.Classes); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		s.crop(dst[n*each:(n+1)*each], b.TargetCorners[n], size.H, size.W, grid.H, grid.W, size.H/grid.H)
	}
	return nil
}
