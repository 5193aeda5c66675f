// Package raster holds the image and label types that every stage of the
// pipeline shares: planar float32 colour and 8-bit class ids.
package raster

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
)

// Void is the train id of pixels that no loss and no metric counts.
const Void = 255

// Image is an RGB picture in planar order [3,H,W], float32, values 0–255.
type Image struct {
	W, H int
	Pix  []float32 // len 3*H*W; channel c, row y, column x at (c*H+y)*W+x
}

// Labels holds one train id per pixel [H,W]; [Void] marks pixels to ignore.
type Labels struct {
	W, H int
	Pix  []uint8 // len H*W, row-major
}

// NewImage returns a black image of w × h pixels.
func NewImage(w, h int) *Image {
	return &Image{W: w, H: h, Pix: make([]float32, 3*w*h)}
}

// NewLabels returns a label map of w × h pixels, all of class 0.
func NewLabels(w, h int) *Labels {
	return &Labels{W: w, H: h, Pix: make([]uint8, w*h)}
}

// Plane returns channel c (0 red, 1 green, 2 blue) as a view of len H*W.
func (m *Image) Plane(c int) []float32 {
	n := m.W * m.H
	return m.Pix[c*n : (c+1)*n : (c+1)*n]
}

// Clone returns a deep copy.
func (m *Image) Clone() *Image {
	return &Image{W: m.W, H: m.H, Pix: append([]float32(nil), m.Pix...)}
}

// Clone returns a deep copy.
func (l *Labels) Clone() *Labels {
	return &Labels{W: l.W, H: l.H, Pix: append([]uint8(nil), l.Pix...)}
}

// Crop returns a copy of the w × h rectangle whose top left corner is (x, y).
// It panics when the rectangle leaves the image.
func (m *Image) Crop(x, y, w, h int) *Image {
	checkCrop(x, y, w, h, m.W, m.H)
	out := NewImage(w, h)
	for c := range 3 {
		src, dst := m.Plane(c), out.Plane(c)
		for r := range h {
			copy(dst[r*w:(r+1)*w], src[(y+r)*m.W+x:])
		}
	}
	return out
}

// Crop returns a copy of the w × h rectangle whose top left corner is (x, y).
// It panics when the rectangle leaves the map.
func (l *Labels) Crop(x, y, w, h int) *Labels {
	checkCrop(x, y, w, h, l.W, l.H)
	out := NewLabels(w, h)
	for r := range h {
		copy(out.Pix[r*w:(r+1)*w], l.Pix[(y+r)*l.W+x:])
	}
	return out
}

func checkCrop(x, y, w, h, width, height int) {
	if x < 0 || y < 0 || w < 0 || h < 0 || x+w > width || y+h > height {
		panic(fmt.Sprintf("raster: crop %d×%d at (%d,%d) leaves a %d×%d picture", w, h, x, y, width, height))
	}
}

// FlipH mirrors the image left to right in place.
func (m *Image) FlipH() {
	for r := range 3 * m.H {
		reverse(m.Pix[r*m.W : (r+1)*m.W])
	}
}

// FlipH mirrors the labels left to right in place.
func (l *Labels) FlipH() {
	for r := range l.H {
		reverse(l.Pix[r*l.W : (r+1)*l.W])
	}
}

func reverse[T any](s []T) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}

// FromImage converts any decoded picture; alpha is dropped. 8-bit NRGBA, RGBA,
// YCbCr, gray and paletted pictures keep their exact 8-bit values.
func FromImage(src image.Image) *Image {
	b := src.Bounds()
	out := NewImage(b.Dx(), b.Dy())
	red, green, blue := out.Plane(0), out.Plane(1), out.Plane(2)
	if n, ok := src.(*image.NRGBA); ok { // what imaging returns: no per-pixel interface call
		for y := range out.H {
			row := n.Pix[y*n.Stride:]
			for x := range out.W {
				i := y*out.W + x
				red[i], green[i], blue[i] = float32(row[4*x]), float32(row[4*x+1]), float32(row[4*x+2])
			}
		}
		return out
	}
	for y := range out.H {
		for x := range out.W {
			c := color.NRGBAModel.Convert(src.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			i := y*out.W + x
			red[i], green[i], blue[i] = float32(c.R), float32(c.G), float32(c.B)
		}
	}
	return out
}

// NRGBA rounds and clips to an opaque 8-bit picture.
func (m *Image) NRGBA() *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, m.W, m.H))
	red, green, blue := m.Plane(0), m.Plane(1), m.Plane(2)
	for i := range red {
		p := out.Pix[4*i : 4*i+4 : 4*i+4]
		p[0], p[1], p[2], p[3] = clip8(red[i]), clip8(green[i]), clip8(blue[i]), 255
	}
	return out
}

// FromRGB makes an image of packed 8-bit colour, three bytes a pixel.
func FromRGB(pix []byte, w, h int) *Image {
	m := NewImage(w, h)
	for c := range 3 {
		plane := m.Plane(c)
		for i := range plane {
			plane[i] = float32(pix[3*i+c])
		}
	}
	return m
}

// RGB rounds and clips to packed 8-bit colour, three bytes a pixel.
func (m *Image) RGB() []byte {
	out := make([]byte, 3*m.W*m.H)
	red, green, blue := m.Plane(0), m.Plane(1), m.Plane(2)
	for i := range red {
		p := out[3*i : 3*i+3 : 3*i+3]
		p[0], p[1], p[2] = clip8(red[i]), clip8(green[i]), clip8(blue[i])
	}
	return out
}

func clip8(v float32) uint8 {
	switch {
	case !(v > 0): // also NaN
		return 0
	case v >= 255:
		return 255
	}
	return uint8(v + 0.5)
}

// ResizeNearest returns the labels sampled to w × h at pixel centres.
func (l *Labels) ResizeNearest(w, h int) *Labels {
	out := NewLabels(w, h)
	for y := range h {
		sy := (2*y + 1) * l.H / (2 * h)
		for x := range w {
			out.Pix[y*w+x] = l.Pix[sy*l.W+(2*x+1)*l.W/(2*w)]
		}
	}
	return out
}

// Gray returns the ids as an 8-bit gray picture that shares no memory.
func (l *Labels) Gray() *image.Gray {
	out := image.NewGray(image.Rect(0, 0, l.W, l.H))
	copy(out.Pix, l.Pix)
	return out
}

// Octet is how many ids [Uniform] looks at together: most neighbours are of one class.
const Octet = 8

// Uniform reports whether the first [Octet] ids, which must be there, are one and the same.
func Uniform(ids []uint8) bool {
	all := binary.LittleEndian.Uint64(ids)
	return all == all&0xff*0x0101_0101_0101_0101
}
