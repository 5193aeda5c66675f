package reel

import (
	"fmt"
	"image"

	"t2sda/datasets"
	"t2sda/internal/raster"
)

// Overlay says how classes are drawn over an image.
type Overlay struct {
	Opacity  float64 // of the classes' colours, from 0 to 1
	Contours int     // width of the line along classes' borders, on each side, pixels; 0: none
}

// mostContours bounds what a mistyped width may ask for.
const mostContours = 64

func (o Overlay) validate() error {
	switch {
	case !(o.Opacity >= 0 && o.Opacity <= 1):
		return fmt.Errorf("opacity %v: want 0 to 1", o.Opacity)
	case o.Contours < 0 || o.Contours > mostContours:
		return fmt.Errorf("contours of %d pixels: want 0 to %d", o.Contours, mostContours)
	}
	return nil
}

// draw draws the labels, of the image's size, over the image.
func (o Overlay) draw(space datasets.Space, img *raster.Image, l *raster.Labels) *image.NRGBA {
	picture := space.Overlay(img, l, o.Opacity)
	if o.Contours > 0 {
		border := borders(l, o.Contours)
		for i, is := range border {
			if id := int(l.Pix[i]); is && id < len(space.Classes) {
				copy(picture.Pix[4*i:], space.Classes[id].Color[:])
			}
		}
	}
	return picture
}

// borders tells of each pixel whether another label lies in its column or row, width pixels
// away at most.
func borders(l *raster.Labels, width int) []bool {
	is := make([]bool, len(l.Pix))
	mark := func(from, step, n int) { // a row or a column
		for i := 1; i < n; i++ {
			if l.Pix[from+(i-1)*step] == l.Pix[from+i*step] {
				continue
			}
			for k := max(0, i-width); k < min(n, i+width); k++ {
				is[from+k*step] = true
			}
		}
	}
	for y := range l.H {
		mark(y*l.W, 1, l.W)
	}
	for x := range l.W {
		mark(x, l.W, l.H)
	}
	return is
}
