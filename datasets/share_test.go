package datasets

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSharesAreTheBatch: micro-batches, in whatever shares they are made, are parts of the
// batch that one loader makes at once.
func TestSharesAreTheBatch(t *testing.T) {
	o := adaptation(t, 0)
	o.Batch = 6
	whole := mustLoader(t, o)
	o.Batch = 2
	for _, shares := range [][]Share{{{0, 3}}, {{0, 1}, {1, 3}}, {{0, 1}, {1, 2}, {2, 3}}} {
		for it := range 2 {
			var parts Batch
			for _, share := range shares {
				o.Share = share
				s := mustLoader(t, o).Stream(t.Context(), it)
				for m := share.From; m < share.To; m++ {
					b, err := s.Next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if b.First != 2*m || b.Iteration != it {
						t.Errorf("micro-batch %d of iteration %d begins at %d of %d", m, it, b.First, b.Iteration)
					}
					parts.join(b)
				}
				s.Close()
			}
			parts.Iteration = it
			if diff := cmp.Diff(mustBatch(t, whole, it), &parts); diff != "" {
				t.Fatalf("%v, iteration %d: %s", shares, it, diff)
			}
		}
	}
}

// join appends the elements of b.
func (all *Batch) join(b *Batch) {
	all.SourceIDs, all.TargetIDs = append(all.SourceIDs, b.SourceIDs...), append(all.TargetIDs, b.TargetIDs...)
	all.Source, all.Pseudo, all.Target = append(all.Source, b.Source...), append(all.Pseudo, b.Pseudo...), append(all.Target, b.Target...)
	all.SourceLabels, all.TargetRows = append(all.SourceLabels, b.SourceLabels...), append(all.TargetRows, b.TargetRows...)
	all.TargetCorners = append(all.TargetCorners, b.TargetCorners...)
}
