package losses

import (
	"slices"
	"strings"
	"testing"
)

func TestGridLabels(t *testing.T) {
	labels := []uint8{ // one image of 4×8, cells of 2×4
		1, 1, 1, 1, 2, 2, 3, 3,
		1, 1, 255, 2, 2, 2, 2, 3,
		255, 255, 255, 255, 0, 4, 4, 4,
		255, 255, 255, 0, 4, 4, 4, 255,
	}
	for _, k := range []struct {
		rule GridRule
		want []uint8
	}{
		{Nearest, []uint8{255, 2, 255, 4}}, // row 1 or 3, column 2 or 6 of each cell
		{Majority, []uint8{1, 255, 255, 4}},
	} {
		dst := make([]uint8, 4)
		if err := GridLabels(dst, labels, 1, 4, 8, 2, 2, k.rule); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(dst, k.want) {
			t.Errorf("%s: got %v, want %v", k.rule, dst, k.want)
		}
	}
}

func TestGridOfTheSameSizeIsTheMap(t *testing.T) {
	labels := []uint8{0, 1, 2, 255, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, rule := range []GridRule{Nearest, Majority} {
		dst := make([]uint8, 12)
		if err := GridLabels(dst, labels, 2, 2, 3, 2, 3, rule); err != nil || !slices.Equal(dst, labels) {
			t.Errorf("%s: %v %v", rule, dst, err)
		}
	}
}

func TestGridThatDoesNotDivide(t *testing.T) {
	labels := slices.Repeat([]uint8{7}, 2*5*7)
	for _, rule := range []GridRule{Nearest, Majority} {
		dst := make([]uint8, 2*2*3)
		if err := GridLabels(dst, labels, 2, 5, 7, 2, 3, rule); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(dst, slices.Repeat([]uint8{7}, 12)) {
			t.Errorf("%s: %v", rule, dst)
		}
	}
}

func TestGridConfidence(t *testing.T) {
	dst := make([]float32, 2)
	if err := GridConfidence(dst, []float32{0, 1, 2, 3, 4, 5, 6, 7}, 1, 2, 4, 1, 2); err != nil || !slices.Equal(dst, []float32{5, 7}) {
		t.Errorf("%v %v", dst, err)
	}
}

func TestGridErrors(t *testing.T) {
	for _, k := range []struct {
		dst, src, height, width, h, w int
		rule                          GridRule
		want                          string
	}{
		{4, 16, 4, 4, 2, 2, "mode", `"mode"`},
		{4, 15, 4, 4, 2, 2, Nearest, "15 values"},
		{3, 16, 4, 4, 2, 2, Nearest, "3 values"},
		{64, 16, 4, 4, 8, 8, Nearest, "finer"},
		{0, 16, 4, 4, 0, 2, Nearest, "empty"},
	} {
		err := GridLabels(make([]uint8, k.dst), make([]uint8, k.src), 1, k.height, k.width, k.h, k.w, k.rule)
		if err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%+v: error %v", k, err)
		}
	}
}
