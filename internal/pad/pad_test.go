package pad

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		own, fixed Size
		divisor    int
		want       []Size
	}{
		{Size{64, 128}, Size{}, 0, []Size{{64, 128}}},
		{Size{100, 60}, Size{}, 0, []Size{{100, 60}, {104, 64}, {112, 64}, {128, 64}}},
		{Size{100, 60}, Size{H: 60}, 0, []Size{{100, 60}, {104, 60}, {112, 60}, {128, 60}}},
		{Size{100, 60}, Size{100, 60}, 0, []Size{{100, 60}}},
		{Size{100, 60}, Size{}, 14, []Size{{112, 70}}},
		{Size{1, 1}, Size{}, 32, []Size{{32, 32}}},
	} {
		if diff := cmp.Diff(c.want, Sizes(c.own, c.fixed, c.divisor)); diff != "" {
			t.Errorf("%+v: %s", c, diff)
		}
	}
}

func TestMirror(t *testing.T) {
	for n, want := range map[int][]int{1: {0, 0, 0, 0, 0}, 2: {0, 1, 0, 1, 0}, 3: {0, 1, 2, 1, 0}, 4: {0, 1, 2, 3, 2}} {
		for i, w := range want {
			if got := Mirror(i, n); got != w {
				t.Errorf("position %d of %d: %d, want %d", i, n, got, w)
			}
		}
	}
}
