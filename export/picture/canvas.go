package picture

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"

	"github.com/disintegration/imaging"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font/liberation"
)

// Colours of all pictures.
var (
	paper  = color.NRGBA{255, 255, 255, 255}
	ink    = color.NRGBA{34, 40, 49, 255}
	faint  = color.NRGBA{118, 126, 138, 255}
	grid   = color.NRGBA{226, 229, 234, 255}
	gray   = color.NRGBA{176, 184, 194, 255} // the baseline
	accent = color.NRGBA{31, 111, 178, 255}  // what is being reported
	bad    = color.NRGBA{190, 50, 50, 255}
)

// Fonts are those of gonum's plots, so that axes and titles agree. They are immutable, and
// the faces are made per canvas.
var (
	regularFont = sync.OnceValue(func() *opentype.Font { return sans(font.WeightNormal) })
	boldFont    = sync.OnceValue(func() *opentype.Font { return sans(font.WeightBold) })
)

func sans(weight font.Weight) *opentype.Font {
	for _, f := range liberation.Collection() {
		if f.Font.Variant == "Sans" && f.Font.Weight == weight && f.Font.Style == font.StyleNormal {
			return f.Face
		}
	}
	panic("the embedded fonts lack a plain Sans")
}

// Density is the number of pixels per unit of length of charts ([Confusion],
// [Curves], [Heat], [Measures], [Scatters]): shown at 1/Density of their size
// they are crisp on screens of high density and on paper. A [Strip] has one pixel
// per unit.
const Density = 2

// typeface is a font at a size in units, ready for canvases of both densities.
type typeface struct{ plain, dense font.Face }

func face(f *opentype.Font, size float64) typeface {
	at := func(px float64) font.Face {
		out, err := opentype.NewFace(f, &opentype.FaceOptions{Size: px, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			panic(err) // only for sizes that make no sense
		}
		return out
	}
	return typeface{at(size), at(Density * size)}
}

// canvas is a picture that text, boxes and pictures are drawn on. Places and
// sizes are in units of scale pixels.
type canvas struct {
	*image.NRGBA
	scale int // 1 or Density
}

// newCanvas returns a white canvas of one pixel per unit.
func newCanvas(w, h int) canvas { return blank(w, h, 1) }

// newChart returns a white canvas of Density pixels per unit.
func newChart(w, h int) canvas { return blank(w, h, Density) }

func blank(w, h, scale int) canvas {
	c := canvas{image.NewNRGBA(image.Rect(0, 0, scale*w, scale*h)), scale}
	draw.Draw(c, c.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	return c
}

// box fills the rectangle of w × h units at (x, y).
func (c canvas) box(x, y, w, h int, col color.Color) {
	s := c.scale
	draw.Draw(c, image.Rect(s*x, s*y, s*(x+w), s*(y+h)), image.NewUniform(col), image.Point{}, draw.Over)
}

// put draws a picture, pixel by pixel, with its top left corner at (x, y).
func (c canvas) put(x, y int, picture image.Image) {
	b := picture.Bounds()
	at := image.Pt(c.scale*x, c.scale*y)
	draw.Draw(c, image.Rectangle{at, at.Add(b.Size())}, picture, b.Min, draw.Over)
}

// align says which point of a text its x names.
type align int

const (
	left align = iota
	centre
	right
)

// text writes one line with its baseline at y.
func (c canvas) text(f typeface, x, y int, a align, col color.Color, s string) {
	face := f.at(c.scale)
	x, y = c.scale*x, c.scale*y
	switch w := font.MeasureString(face, s).Ceil(); a {
	case centre:
		x -= w / 2
	case right:
		x -= w
	}
	d := font.Drawer{Dst: c, Src: image.NewUniform(col), Face: face, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

// textUp writes a line that reads from bottom to top: it starts at y and its
// baseline is at x.
func (c canvas) textUp(f typeface, x, y int, col color.Color, s string) {
	m := f.plain.Metrics()
	up, down := m.Ascent.Ceil(), m.Descent.Ceil()
	w := textWidth(f, s) + 1
	line := canvas{image.NewNRGBA(image.Rect(0, 0, c.scale*w, c.scale*(up+down))), c.scale} // transparent
	line.text(f, 0, up, left, col, s)
	c.put(x-up, y-w, imaging.Rotate90(line))
}

// at returns the face for a canvas of that scale.
func (f typeface) at(scale int) font.Face {
	if scale == 1 {
		return f.plain
	}
	return f.dense
}

// textWidth returns the width in units, rounded up, on any canvas.
func textWidth(f typeface, s string) int {
	dense := font.MeasureString(f.dense, s).Ceil()
	return max(font.MeasureString(f.plain, s).Ceil(), (dense+Density-1)/Density)
}

// wrapText breaks s between words into lines of at most the width; a word that is longer is
// cut. There is always a line.
func wrapText(f typeface, s string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(s) {
		word = clipText(f, word, width)
		last := &lines[len(lines)-1]
		switch longer := *last + " " + word; {
		case *last == "":
			*last = word
		case textWidth(f, longer) <= width:
			*last = longer
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// clipText shortens s to the width, marking the cut.
func clipText(f typeface, s string, width int) string {
	if textWidth(f, s) <= width {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && textWidth(f, string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
