package limit

import (
	"math"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		env  string
		w, h int
		want string // part of the error; empty: none
	}{
		{"", 11648, 8736, ""},
		{"", 16384, 16384, "16384×16384 pixels are more than the 178956970 that are taken; " + PixelsEnv},
		{"", math.MaxInt, math.MaxInt, "are more than"},
		{"", 0, 0, ""},
		{"300000000", 16384, 16384, ""},
		{"100", 10, 10, ""},
		{"100", 101, 1, "more than the 100"},
		{"many", 1, 1, PixelsEnv + "=many: want a number"},
		{"0", 1, 1, "want a number"},
	} {
		t.Setenv(PixelsEnv, c.env)
		err := Check(c.w, c.h)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %d×%d: %v, want %q", c.env, c.w, c.h, err, c.want)
		}
	}
}
