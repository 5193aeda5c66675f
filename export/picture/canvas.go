package picture

import (
	"image"
	"image/color"
	"image/draw"
	"sync"

	"github.com/disintegration/imaging"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Colours of all pictures.
var (
	paper  = color.NRGBA{255, 255, 255, 255}
	ink    = color.NRGBA{34, 40, 49, 255}
	faint  = color.NRGBA{118, 126, 138, 255}
	grid   = color.NRGBA{226, 229, 234, 255}
	gray   = color.NRGBA{176, 184, 194, 255} // the baseline
	accent = color.NRGBA{31, 111, 178, 255}  // what is being reported
	good   = color.NRGBA{24, 128, 76, 255}
	bad    = color.NRGBA{190, 50, 50, 255}
)

// Fonts are parsed once; they are immutable and the faces are made per canvas.
var (
	regularFont = sync.OnceValue(func() *opentype.Font { return mustParse(goregular.TTF) })
	boldFont    = sync.OnceValue(func() *opentype.Font { return mustParse(gobold.TTF) })
)

func mustParse(ttf []byte) *opentype.Font {
	f, err := opentype.Parse(ttf)
	if err != nil {
		panic(err) // embedded in the binary
	}
	return f
}

// face returns the font at a size in pixels.
func face(f *opentype.Font, px float64) font.Face {
	out, err := opentype.NewFace(f, &opentype.FaceOptions{Size: px, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic(err) // only for sizes that make no sense
	}
	return out
}

// canvas is a picture that text, boxes and pictures are drawn on.
type canvas struct{ *image.NRGBA }

func newCanvas(w, h int) canvas {
	c := canvas{image.NewNRGBA(image.Rect(0, 0, w, h))}
	draw.Draw(c, c.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	return c
}

// box fills the rectangle of w × h pixels at (x, y).
func (c canvas) box(x, y, w, h int, col color.Color) {
	draw.Draw(c, image.Rect(x, y, x+w, y+h), image.NewUniform(col), image.Point{}, draw.Over)
}

// put draws a picture with its top left corner at (x, y).
func (c canvas) put(x, y int, picture image.Image) {
	b := picture.Bounds()
	draw.Draw(c, image.Rect(x, y, x+b.Dx(), y+b.Dy()), picture, b.Min, draw.Over)
}

// align says which point of a text its x names.
type align int

const (
	left align = iota
	centre
	right
)

// text writes one line with its baseline at y.
func (c canvas) text(f font.Face, x, y int, a align, col color.Color, s string) {
	w := textWidth(f, s)
	switch a {
	case centre:
		x -= w / 2
	case right:
		x -= w
	}
	d := font.Drawer{Dst: c, Src: image.NewUniform(col), Face: f, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

// textUp writes a line that reads from bottom to top: it starts at y and its
// baseline is at x.
func (c canvas) textUp(f font.Face, x, y int, col color.Color, s string) {
	m := f.Metrics()
	up, down := m.Ascent.Ceil(), m.Descent.Ceil()
	line := canvas{image.NewNRGBA(image.Rect(0, 0, textWidth(f, s)+1, up+down))} // transparent
	line.text(f, 0, up, left, col, s)
	turned := imaging.Rotate90(line)
	c.put(x-up, y-turned.Bounds().Dy(), turned)
}

// textWidth returns the width in pixels, rounded up.
func textWidth(f font.Face, s string) int { return font.MeasureString(f, s).Ceil() }

// clipText shortens s to the width, marking the cut.
func clipText(f font.Face, s string, width int) string {
	if textWidth(f, s) <= width {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && textWidth(f, string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
