package rng

import (
	"fmt"
	"math"
	"testing"
)

// TestGolden pins the streams: a change would break the promise that a
// checkpoint of an earlier build resumes with the draws it would have made.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		seed      uint64
		iteration int
		purpose   string
		want      [2]uint64
	}{
		{1, 0, "pull", [2]uint64{0x84319d457419f7e4, 0xa7a605db1a29200a}},
		{1, 1, "pull", [2]uint64{0xf177b5454d5191d6, 0x1f7374e9b2eadffb}},
		{2, 0, "pull", [2]uint64{0xc29cdba4365c15e3, 0xd18afbe5fde37aa5}},
		{1, 0, "augment", [2]uint64{0xb937af91ca7ed6b8, 0x67f8a817d106e68a}},
		{9223372036854775808, 1000000, "datasets/source/3", [2]uint64{0x737349808d6f680c, 0x4d47a42a304d7bc5}},
	} {
		r := New(c.seed, c.iteration, c.purpose)
		if got := [2]uint64{r.Uint64(), r.Uint64()}; got != c.want {
			t.Errorf("New(%d, %d, %q): have %#x, want %#x", c.seed, c.iteration, c.purpose, got, c.want)
		}
	}
}

// TestStreamsDiffer: neighbouring seeds, iterations and purposes share no first
// draw.
func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]string{}
	for seed := range uint64(20) {
		for iteration := range 100 {
			for _, purpose := range []string{"", "pull", "augment", "noise/source", "noise/mix", "noise/pull", "classmix/0", "classmix/1", "datasets/source/0", "datasets/source crop/0"} {
				name := fmt.Sprint(seed, iteration, purpose)
				draw := New(seed, iteration, purpose).Uint64()
				if other, ok := seen[draw]; ok {
					t.Fatalf("%s and %s both begin with %#x", name, other, draw)
				}
				seen[draw] = name
			}
		}
	}
}

// TestUniformAcrossStreams: the first draws of successive iterations, which is
// how training uses them, are uniform and uncorrelated with each other.
func TestUniformAcrossStreams(t *testing.T) {
	const n = 20000
	for _, purpose := range []string{"pull", "datasets/source flip/0"} {
		var sum, product, last float64
		for i := range n {
			u := New(1, i, purpose).Float64() - 0.5
			sum, product, last = sum+u, product+u*last, u
		}
		// Standard errors: √(1/12/n) and 1/12/√n.
		if mean := sum / n; math.Abs(mean) > 4*math.Sqrt(1.0/12/n) {
			t.Errorf("%s: mean %g", purpose, mean)
		}
		if c := product / n; math.Abs(c) > 4.0/12/math.Sqrt(n) {
			t.Errorf("%s: covariance of successive iterations %g", purpose, c)
		}
	}
}
