package learner

import (
	"context"

	"t2sda/configs"
	"t2sda/internal/ranks"
	"t2sda/losses"
)

// spread is a [losses.FeatureReader] of the features of several micro-batches, some of
// which may be other ranks': it sums those of this process and copies rows of them, and
// tells them to the others.
type spread struct{ *pullTerm }

// maps returns the features of a micro-batch of this process: of labelled images, and of
// target images, nil if there are none.
func (s *spread) maps(micro int) (source, target []float32) {
	if s.l.target != nil {
		target = s.l.target.of(micro).features
	}
	return s.keys.of(micro).features, target
}

// Sums implements [losses.FeatureReader].
func (s *spread) Sums(_ context.Context, dst []float64, labels []uint8) error {
	m, n := s.l.micros, s.grid.Positions()
	sum, err := sumOfAll(s.l, func(k int) ([]float64, error) {
		features, target := s.maps(k)
		if s.cfg.Pull.KeyDomain == configs.DomainTarget {
			features = target
		}
		sums := make([]float64, len(dst))
		at := (m.from + k) * n
		return sums, losses.SumByClass(sums, features, labels[at:at+n], s.grid.N, s.grid.D)
	})
	copy(dst, sum)
	return err
}

// Fetch implements [losses.FeatureReader]: of the rows of the plan's negatives each rank
// copies those that lie in its micro-batches, in the order of rows.
func (s *spread) Fetch(_ context.Context, index []int64) error {
	m, rows := s.l.micros, s.planned.NegativeRows()
	owned := make([][]int, m.ranks.Size()) // rows
	for _, row := range rows {
		rank := m.owner(s.home(index[row]))
		owned[rank] = append(owned[rank], row)
	}
	most := 0
	for _, o := range owned {
		most = max(most, len(o))
	}
	d := s.grid.D
	packed := make([]float32, most*d) // one length for all
	s.pack(packed, index, owned[m.ranks.Rank()])
	all, err := ranks.Gather(m.ranks, m.ranks.Size(), packed)
	if err != nil {
		return err
	}
	for rank, o := range owned {
		for k, row := range o {
			copy(s.planned.Negatives[row*d:(row+1)*d], all[(rank*most+k)*d:])
		}
	}
	return nil
}

// home is the micro-batch in which a position of [losses.FeatureReader.Fetch] lies.
func (s *spread) home(position int64) int {
	return int(position) % s.planned.Grid.Positions() / s.grid.Positions()
}

// pack copies this process's rows one behind the other.
func (s *spread) pack(dst []float32, index []int64, rows []int) {
	n := s.grid.Positions()
	for micro := range s.l.micros.mine {
		source, target := s.maps(micro)
		for domain, features := range [][]float32{source, target} {
			var places []int // in dst
			var positions []int32
			for k, row := range rows {
				at := int(index[row])
				if at/s.planned.Grid.Positions() == domain && s.home(index[row]) == s.l.micros.from+micro {
					places, positions = append(places, k), append(positions, int32(at%n))
				}
			}
			losses.Rows(dst, features, s.grid, positions, places)
		}
	}
}
