package median

import (
	"slices"
	"testing"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 2}, 2}, {[]float64{8, 1, 2, 4}, 3}} {
		before := slices.Clone(c.x)
		if have := Of(c.x); have != c.want || !slices.Equal(c.x, before) {
			t.Errorf("of %v: %g, want %g", before, have, c.want)
		}
	}
}
