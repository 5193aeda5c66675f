package losses

import (
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

func TestQueryCountsByHand(t *testing.T) {
	for _, k := range []struct {
		name      string
		available []int
		n         int
		balanced  bool
		want      []int
	}{
		{"CBQS", []int{600, 300, 100, 0}, 10, true, []int{24, 12, 4, 0}}, // 4·p̂·10
		{"CBQS rounds up", []int{2, 1}, 5, true, []int{2, 1}},
		{"CBQS rounds up and has enough", []int{200, 100}, 5, true, []int{7, 4}},
		{"CBQS of whole numbers", []int{70, 30}, 50, true, []int{70, 30}},
		{"CEQS", []int{600, 7, 0, 10}, 10, false, []int{10, 7, 0, 10}},
		{"nothing", []int{0, 0}, 10, true, []int{0, 0}},
	} {
		counts := slices.Repeat([]int{-1}, len(k.available))
		QueryCounts(counts, k.available, k.n, k.balanced)
		if !slices.Equal(counts, k.want) {
			t.Errorf("%s: got %v, want %v", k.name, counts, k.want)
		}
	}
}

// TestCapacityHoldsAnyDraw packs extreme and random distributions of labels.
func TestCapacityHoldsAnyDraw(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	reached := false
	for range 20000 {
		classes, n, block := 1+r.IntN(20), 1+r.IntN(200), 1+r.IntN(70)
		available, positions := make([]int, classes), 0
		for c := range available {
			switch r.IntN(4) {
			case 0: // absent
			case 1:
				available[c] = 1
			case 2:
				available[c] = r.IntN(50)
			case 3:
				available[c] = r.IntN(5000)
			}
			positions += available[c]
		}
		positions = max(1, positions+r.IntN(2)*r.IntN(100)) // some are void
		counts := make([]int, classes)
		for _, balanced := range []bool{true, false} {
			QueryCounts(counts, available, n, balanced)
			blocks := 0
			for _, count := range counts {
				blocks += ceilDiv(count, block)
			}
			capacity := Capacity(classes, n, block, positions, balanced)
			if blocks > capacity {
				t.Fatalf("available %v, n %d, block %d, balanced %v: %d blocks exceed %d", available, n, block, balanced, blocks, capacity)
			}
			reached = reached || (balanced && classes > 2 && blocks == capacity)
		}
	}
	if !reached {
		t.Error("no distribution needed the whole capacity: the bound is loose")
	}
}

func TestGroups(t *testing.T) {
	g := newGroups(3, 8)
	labels := []uint8{2, 0, 255, 2, 0, 2, 255, 0}
	if err := g.fill(labels, nil, 0); err != nil {
		t.Fatal(err)
	}
	if got := g.order[:g.total()]; !slices.Equal(got, []int32{1, 4, 7, 0, 3, 5}) {
		t.Errorf("order %v", got)
	}
	others := func(c int) (out []int32) {
		for i := range g.others(c) {
			out = append(out, g.other(c, i))
		}
		return out
	}
	if got := others(0); !slices.Equal(got, []int32{0, 3, 5}) {
		t.Errorf("not 0: %v", got)
	}
	if got := others(1); !slices.Equal(got, []int32{1, 4, 7, 0, 3, 5}) {
		t.Errorf("not 1: %v", got)
	}
	confidence := []float32{0.1, 0.2, 0, 0.5, 0.4, 0.3, 0, 0.9}
	if err := g.fill(labels, confidence, 0.4); err != nil {
		t.Fatal(err)
	}
	if got := g.order[:g.total()]; !slices.Equal(got, []int32{1, 0, 5}) {
		t.Errorf("below 0.4: %v", got)
	}
	if err := g.fill([]uint8{3, 0, 0, 0, 0, 0, 0, 0}, nil, 0); err == nil {
		t.Error("label 3 of 3 classes was accepted")
	}
}

// chiSquare fails when counts of equally likely outcomes are too uneven to be
// chance (p < 0.001; the seed is fixed, so the test cannot flicker).
func chiSquare(t *testing.T, what string, counts []float64, expected float64) {
	t.Helper()
	want := slices.Repeat([]float64{expected}, len(counts))
	x := stat.ChiSquare(counts, want)
	if p := (distuv.ChiSquared{K: float64(len(counts) - 1)}).Survival(x); p < 0.001 {
		t.Errorf("%s: χ² = %.1f over %d outcomes, p = %g", what, x, len(counts), p)
	}
}

func TestDrawIsUniformOverSubsets(t *testing.T) {
	s := newSampler(6, 8)
	r := rand.New(rand.NewPCG(1, 4))
	subsets := map[int]float64{} // by bit set: C(6,3) = 20
	const rounds = 20000
	for range rounds {
		set := 0
		for _, i := range s.draw(r, 3, 6) {
			if set&(1<<i) != 0 {
				t.Fatal("a position was drawn twice")
			}
			set |= 1 << i
		}
		subsets[set]++
	}
	counts := make([]float64, 0, 20)
	for set := range 1 << 6 {
		if subsets[set] > 0 {
			counts = append(counts, subsets[set])
		}
	}
	if len(counts) != 20 {
		t.Fatalf("%d subsets of 3 in 6", len(counts))
	}
	chiSquare(t, "subsets", counts, rounds/20)
}

func TestDrawWithReplacement(t *testing.T) {
	s := newSampler(5, 8)
	r := rand.New(rand.NewPCG(1, 5))
	counts := make([]float64, 5)
	for range 4000 {
		drawn := s.draw(r, 8, 5)
		if len(drawn) != 8 {
			t.Fatalf("%d drawn", len(drawn))
		}
		for _, i := range drawn {
			counts[i]++
		}
	}
	chiSquare(t, "positions", counts, 4000*8/5)
}

func TestDrawEdges(t *testing.T) {
	s := newSampler(4, 4)
	r := rand.New(rand.NewPCG(1, 6))
	if drawn := s.draw(r, 4, 4); !slices.Equal(slices.Sorted(slices.Values(drawn)), []int{0, 1, 2, 3}) {
		t.Errorf("all of 4: %v", drawn)
	}
	if drawn := s.draw(r, 0, 0); len(drawn) != 0 {
		t.Errorf("none of none: %v", drawn)
	}
	s.round = ^uint32(0) // the next draw wraps the stamps around
	s.seen[0], s.seen[1] = 0, 1
	if drawn := s.draw(r, 4, 4); !slices.Equal(slices.Sorted(slices.Values(drawn)), []int{0, 1, 2, 3}) {
		t.Errorf("after 2³² draws: %v", drawn)
	}
}
