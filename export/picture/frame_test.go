package picture

import (
	"fmt"
	"image"
	"strings"
	"testing"

	"t2sda/datasets"
	"t2sda/export/score"
)

// bare reports whether the outermost units at the right of a picture show paper alone.
func bare(picture image.Image, units int) bool {
	b := picture.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Max.X - Density*units; x < b.Max.X; x++ {
			if r, g, b, _ := picture.At(x, y).RGBA(); r&g&b != 0xffff {
				return false
			}
		}
	}
	return true
}

// TestFramedBreaksLines: a title and a legend that are wider than the picture take more lines,
// by which the head is higher, and nothing is cut at the edge or lost.
func TestFramedBreaksLines(t *testing.T) {
	const w, h = 600, 40
	picture := image.NewNRGBA(image.Rect(0, 0, Density*w, Density*h)) // transparent
	for _, small := range []bool{false, true} {
		f := frameOf(small)
		for _, k := range []struct {
			title            string
			entries, further int // entries of the legend; units that the head is higher by
		}{
			{"What is compared", 2, 0},
			{"What is compared", 0, 0},
			{"", 1, 0},
			{strings.Repeat("what is compared ", 5), 2, f.titleLine},
			{"What is compared", 7, f.legendLine},
			{strings.Repeat("what is compared ", 5), 7, f.titleLine + f.legendLine},
			{strings.Repeat("x", 200), 1, 0}, // one word
		} {
			var entries []plotted
			for i := range k.entries {
				entries = append(entries, plotted{name: fmt.Sprintf("series %d", i), color: lineColors[i%len(lineColors)]})
			}
			have := framed(f, k.title, entries, w, h, picture)
			if more := have.Bounds().Dy()/Density - h - f.height; more != k.further {
				t.Errorf("small %t, %q, %d entries: the head is %d units higher, want %d", small, k.title, k.entries, more, k.further)
			}
			if !bare(have, f.left) {
				t.Errorf("small %t, %q, %d entries: the margin is written on", small, k.title, k.entries)
			}
			for i, e := range entries {
				if !holds(have, have.Bounds(), e.color) {
					t.Errorf("small %t, %q: entry %d is not in the picture", small, k.title, i)
				}
			}
		}
	}
	f := face(boldFont(), 22)
	const title = "Methods on photographs, day to dusk, scored on frames that none was trained on"
	lines := wrapText(f, title, 400)
	if strings.Join(lines, " ") != title || len(lines) < 2 {
		t.Errorf("%q became %q", title, lines)
	}
	for _, line := range lines {
		if have := textWidth(f, line); have > 400 {
			t.Errorf("%q is %d wide", line, have)
		}
	}
}

// TestConfusionOfFewClasses: what the axes are fits above a matrix of two classes, too.
func TestConfusionOfFewClasses(t *testing.T) {
	space := datasets.Cityscapes19()
	space.Classes = space.Classes[:2]
	picture, err := Confusion(space, score.NewConfusion(2))
	if err != nil {
		t.Fatal(err)
	}
	if !bare(picture, matrixMargin) {
		t.Error("the margin is written on")
	}
}
