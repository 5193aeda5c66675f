package reel

import (
	"cmp"
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

func TestNatural(t *testing.T) {
	want := []string{"a", "a01", "a1", "a1b", "a2", "a2b3", "a2b20", "a010", "a10", "a99999999999999999999998", "a99999999999999999999999", "b/2/x", "b/10/a", "b2"}
	for i, a := range want {
		for j, b := range want {
			if have := natural(a, b); have != cmp.Compare(i, j) {
				t.Errorf("%s and %s: %d", a, b, have)
			}
		}
	}
}

func TestSequence(t *testing.T) {
	emptyFiles(t, "s/f_000002.png", "s/f_000010.png", "s/f_1000000.png", "s/f_10.png", "s/f_2.png", "s/f_x.png", "s/f_.png", "s/f_000002.jpg", "s/100%3.png", "4.png", "12.png")
	for pattern, want := range map[string][]string{
		"s/f_%06d.png":   {"s/f_000002.png", "s/f_000010.png", "s/f_1000000.png"},
		"s/f_%d.png":     {"s/f_2.png", "s/f_10.png", "s/f_1000000.png"},
		"s/100%%%d.png":  {"s/100%3.png"},
		"%d.png":         {"4.png", "12.png"},
		"./s/f_%02d.png": {"./s/f_10.png", "./s/f_1000000.png"},
		"s/g_%d.png":     nil,
	} {
		have, err := sequence(filepath.FromSlash(pattern))
		if diff := gocmp.Diff(want, have); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", pattern, err, diff)
		}
	}
	if isSequence("a_%d_%d.png") || isSequence("%04d/a.png") || isSequence("a%.png") || !isSequence("x/%04d.png") {
		t.Error("what is a sequence is not told from what is none")
	}
}

// A border's line lies on both sides of it, as wide as it is asked for.
func TestBorders(t *testing.T) {
	l := raster.NewLabels(6, 3)
	for y := range 3 {
		for x := 3; x < 6; x++ {
			l.Pix[6*y+x] = 1
		}
	}
	l.Pix[0] = 2
	for width, want := range map[int][]bool{
		1: {
			true, true, true, true, false, false,
			true, false, true, true, false, false,
			false, false, true, true, false, false,
		},
		2: {
			true, true, true, true, true, false,
			true, true, true, true, true, false,
			true, true, true, true, true, false,
		},
	} {
		if diff := gocmp.Diff(want, borders(l, width)); diff != "" {
			t.Errorf("width %d: %s", width, diff)
		}
	}
}
