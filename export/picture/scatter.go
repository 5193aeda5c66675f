package picture

import (
	"errors"
	"fmt"
	"image"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"t2sda/datasets"
)

// Point is a position of a feature space in the plane.
type Point struct {
	X, Y   float64
	Class  int // of the label space
	Target bool
}

// Scatter is one line of [Scatters]: the points of both domains in one plane.
type Scatter struct {
	Name   string
	X, Y   string // what the axes are; both empty: the axes mean nothing and are left out
	Points []Point
}

// Geometry of scatter pictures.
const (
	scatterWidth  = 760 // of a panel, units
	scatterHeight = 600
	glyphRadius   = 2.7 // points
)

// Scatters draws each plane twice, side by side with the same axes: once the
// source's points in the colours of their classes over the target's in gray, once
// the other way round. Neighbouring classes of the space differ in shape, too. It
// returns an error when there is nothing to draw, when a point is not finite or
// when its class is not in the space.
func Scatters(title string, space datasets.Space, planes ...Scatter) (image.Image, error) {
	var plots [][]*plot.Plot
	seen := make([]bool, len(space.Classes))
	for _, s := range planes {
		var row []*plot.Plot
		for _, target := range []bool{false, true} {
			p, err := s.plot(space, target, seen)
			if err != nil {
				return nil, fmt.Errorf("scatter %q: %q: %w", title, s.Name, err)
			}
			row = append(row, p)
		}
		plots = append(plots, row)
	}
	if len(plots) == 0 {
		return nil, fmt.Errorf("scatter %q: nothing to draw", title)
	}
	w, h := 2*scatterWidth, len(plots)*scatterHeight
	return withGlyphs(title, space, seen, w, h, tiled(plots, w, h)), nil
}

// plot draws one domain's points in colour over the other's in gray and notes
// the classes seen.
func (s Scatter) plot(space datasets.Space, target bool, seen []bool) (*plot.Plot, error) {
	if len(s.Points) == 0 {
		return nil, errors.New("no points")
	}
	classes := make([]plotter.XYs, len(space.Classes))
	var others plotter.XYs
	for _, at := range s.Points {
		switch xy := (plotter.XY{X: at.X, Y: at.Y}); {
		case !finite(at.X) || !finite(at.Y):
			return nil, fmt.Errorf("a point lies at (%v, %v)", at.X, at.Y)
		case at.Class < 0 || at.Class >= len(classes):
			return nil, fmt.Errorf("a point has class %d of %d", at.Class, len(classes))
		case at.Target == target:
			classes[at.Class] = append(classes[at.Class], xy)
			seen[at.Class] = true
		default:
			others = append(others, xy)
		}
	}
	p := newPlot(CurvesOptions{X: s.X, Y: s.Y})
	titled(p, s.Name+map[bool]string{false: ", source images", true: ", target images"}[target])
	if s.X == "" && s.Y == "" {
		p.HideAxes()
	}
	err := addGlyphs(p, others, draw.GlyphStyle{Color: shadow, Radius: glyphRadius, Shape: draw.CircleGlyph{}})
	for k, points := range classes {
		err = errors.Join(err, addGlyphs(p, points, glyphOf(space, k)))
	}
	return p, err
}

func addGlyphs(p *plot.Plot, points plotter.XYs, style draw.GlyphStyle) error {
	if len(points) == 0 {
		return nil
	}
	dots, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	dots.GlyphStyle = style
	p.Add(dots)
	return nil
}

// shadow is the other domain's colour.
var shadow = color.NRGBA{222, 225, 230, 255}

// glyphs are filled shapes that differ at a glance.
var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}}

func glyphOf(space datasets.Space, k int) draw.GlyphStyle {
	return draw.GlyphStyle{Color: classColor(space.Classes[k]), Radius: glyphRadius, Shape: glyphs[k%len(glyphs)]}
}

// withGlyphs puts the title above a picture of w × h and the legend of the
// classes seen below it.
func withGlyphs(title string, space datasets.Space, seen []bool, w, h int, picture image.Image) image.Image {
	const margin = 24
	var shown datasets.Space
	var styles []draw.GlyphStyle
	for k, class := range space.Classes {
		if seen[k] {
			shown.Classes = append(shown.Classes, class)
			styles = append(styles, glyphOf(space, k))
		}
	}
	l := layoutLegend(shown, w-2*margin, false)
	c := newChart(w, plotHead+h+l.height+margin)
	c.text(face(boldFont(), 22), margin, 38, left, ink, title)
	c.text(face(regularFont(), 16), margin, 66, left, faint, "in colour: the images that the panel names, in gray behind them: the other domain's")
	c.put(0, plotHead-6, picture)
	for i, item := range l.items {
		x, y := margin+item.x, plotHead+h+item.y
		c.put(x, y, glyphImage(styles[i]))
		c.text(l.face, x+legendSwatch+7, y+legendSwatch-2, left, ink, item.name)
	}
	return c.NRGBA
}

// glyphImage is a glyph as large as a legend's swatch.
func glyphImage(style draw.GlyphStyle) image.Image {
	const side = legendSwatch * vg.Inch / plotDPI
	style.Radius = 0.4 * side
	c := vgimg.NewWith(vgimg.UseWH(side, side), vgimg.UseDPI(Density*plotDPI), vgimg.UseBackgroundColor(color.Transparent))
	area := draw.New(c)
	area.DrawGlyph(style, area.Center())
	return c.Image()
}
