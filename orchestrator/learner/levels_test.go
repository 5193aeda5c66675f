package learner

import (
	"math"
	"slices"
	"testing"

	"t2sda/losses"
)

// TestLevels: bytes stand for 0 to 1, each for more than the one before, and come back; between
// two, the nearer one counts; what float32 makes more than 1 is 1.
func TestLevels(t *testing.T) {
	if levels[0] != 0 || levels[255] != 1 || !slices.IsSorted(levels[:]) {
		t.Fatalf("levels go from %g to %g", levels[0], levels[255])
	}
	for b, p := range levels {
		if got := levelOf(p); int(got) != b {
			t.Errorf("%g, of %d, is %d", p, b, got)
		}
		if b > 0 {
			if step := p - levels[b-1]; step <= 0 || step > 2.0/255+1e-6 {
				t.Errorf("level %d is %g more than the one before", b, step)
			}
			if got := levelOf(levels[b-1] + 0.4*(p-levels[b-1])); int(got) != b-1 && b < 255 && b > 1 {
				t.Errorf("below the middle of %d and %d is %d", b-1, b, got)
			}
		}
	}
	if levelOf(1.0000001) != 255 || levelOf(-1e-9) != 0 {
		t.Error("numbers outside of 0 to 1 have other levels")
	}
}

// TestLevelsOfSureTeachers: of a class whose probabilities all lie above 0.999, evenly, a threshold
// takes a share near what was asked for, where 255 equal steps would take all.
func TestLevelsOfSureTeachers(t *testing.T) {
	const n = 10000
	counts, of := make([]int64, 256), make([]uint8, n)
	for i := range of {
		of[i] = levelOf(float32(1 - 1e-3*(float64(i)+0.5)/n))
		counts[of[i]]++
	}
	for _, share := range []float64{0.2, 0.35, 0.5} {
		level, taken := losses.TopShare(counts, share), 0
		for _, b := range of {
			if int(b) >= level {
				taken++
			}
		}
		if got := float64(taken) / n; got < share || math.Abs(got-share) > 0.16 {
			t.Errorf("of a share of %g, %g is taken", share, got)
		}
	}
}
