package coco

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The values are pycocotools 2.0.11's: mask.encode, area and toBbox of (labels == k).
func TestMasks(t *testing.T) {
	labels := []uint8{
		0, 0, 1, 1, 2,
		0, 3, 3, 1, 2,
		0, 0, 3, 1, 1,
		2, 2, 2, 2, 1,
	}
	want := []Mask{
		{0, "031N00<", 5, [4]int{0, 0, 2, 3}},
		{1, "81320O", 6, [4]int{2, 0, 3, 4}},
		{2, "31300002O", 6, [4]int{0, 0, 5, 4}},
		{3, "51316", 3, [4]int{1, 1, 2, 2}},
	}
	if diff := cmp.Diff(want, Masks(labels, 5, 19)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[:2], Masks(labels, 5, 2)); diff != "" {
		t.Error(diff)
	}
}

// Likewise, of runs that need several characters.
func TestLongMasks(t *testing.T) {
	const w, h = 211, 97
	labels := make([]uint8, w*h)
	for i := range labels {
		x, y := i%w, i/w
		labels[i] = uint8((x*x + 3*y) >> 9 % 5)
	}
	type digest struct {
		n    int
		hash string
		area int
		box  [4]int
	}
	want := []digest{
		{125, "f75128695ba1917a", 5300, [4]int{0, 0, 210, 97}},
		{126, "8636b9fa96dcd69e", 4217, [4]int{15, 0, 196, 97}},
		{114, "065eb2e3be749658", 3842, [4]int{28, 0, 179, 97}},
		{104, "9a8cef351b189157", 3614, [4]int{36, 0, 172, 97}},
		{111, "bac1876fbd9e0fbf", 3494, [4]int{42, 0, 167, 97}},
	}
	for i, m := range Masks(labels, w, 5) {
		have := digest{len(m.Counts), fmt.Sprintf("%x", sha256.Sum256([]byte(m.Counts)))[:16], m.Area, m.Box}
		if have != want[i] {
			t.Errorf("label %d: %+v, want %+v", m.Label, have, want[i])
		}
	}
}

// decode reads a mask's text, down the columns.
func decode(text string, n int) []bool {
	var counts []int
	for i := 0; i < len(text); {
		v, shift := 0, 0
		for more := true; more; i++ {
			c := int(text[i]) - 48
			v |= c & 0x1f << shift
			shift += 5
			if more = c&0x20 != 0; !more && c&0x10 != 0 {
				v |= -1 << shift
			}
		}
		if len(counts) > 2 {
			v += counts[len(counts)-2]
		}
		counts = append(counts, v)
	}
	is := make([]bool, 0, n)
	for k, c := range counts {
		for range c {
			is = append(is, k%2 == 1)
		}
	}
	return is
}

// What is written is read as what it was, of any size.
func TestMasksReadAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for _, size := range [][2]int{{1, 1}, {1, 9}, {9, 1}, {17, 23}, {130, 70}} {
		w, h := size[0], size[1]
		labels := make([]uint8, w*h)
		for i := range labels {
			labels[i] = uint8(r.IntN(3))
			if i > 0 && r.IntN(4) > 0 {
				labels[i] = labels[i-1]
			}
		}
		total := 0
		for _, m := range Masks(labels, w, 3) {
			is := decode(m.Counts, w*h)
			if len(is) != w*h {
				t.Fatalf("%d×%d, label %d: %d pixels", w, h, m.Label, len(is))
			}
			left, top, right, bottom, area := w, h, 0, 0, 0
			for i, in := range is {
				x, y := i/h, i%h
				if in != (labels[y*w+x] == m.Label) {
					t.Fatalf("%d×%d, label %d: column %d, row %d is %v", w, h, m.Label, x, y, in)
				}
				if in {
					left, top, right, bottom, area = min(left, x), min(top, y), max(right, x+1), max(bottom, y+1), area+1
				}
			}
			if m.Area != area || m.Box != [4]int{left, top, right - left, bottom - top} {
				t.Errorf("%d×%d: %+v", w, h, m)
			}
			total += area
		}
		if total != w*h {
			t.Errorf("%d of %d pixels are in masks", total, w*h)
		}
	}
}
