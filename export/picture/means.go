package picture

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Mean is a row of [Means]: a number per run, and their mean and deviation. NaN
// stands for what is not there.
type Mean struct {
	Name      string
	Values    []float64
	Mean, Std float64
	Others    []float64 // what others have reached, drawn as open marks
}

// Geometry of [Means], units.
const (
	meansPlot   = 640 // without the rows' names
	meansRow    = 34
	meansAxes   = 60 // scale and its name
	meansDigits = 1
)

// Means draws a line per row on a common scale: a faint dot per run, their mean
// with a bar of one deviation to either side, and both as numbers. A dashed line
// marks the mean of the baseline, the index of a row, or −1. It returns an error
// when no row has a mean.
func Means(title, axis string, rows []Mean, baseline int) (image.Image, error) {
	lo, hi := meansScale(rows)
	if lo > hi {
		return nil, fmt.Errorf("means %q: none of the %d rows has a mean", title, len(rows))
	}
	p := newPlot(CurvesOptions{X: axis})
	column := 0.2 * (hi - lo) // of numbers
	p.X.Min, p.X.Max = lo, hi+column
	p.X.Tick.Marker = ticksUpTo(hi)
	p.Y.Min, p.Y.Max = -0.6, float64(len(rows))-0.4
	p.Y.LineStyle.Width, p.Y.Tick.LineStyle.Width, p.Y.Tick.Length = 0, 0, 0
	p.Y.Tick.Label.Font = font.From(font.Font{Variant: "Sans"}, 11.5)
	names, widest := make([]string, len(rows)), 0
	for i, r := range rows {
		names[i] = r.Name
		widest = max(widest, textWidth(face(regularFont(), 16), r.Name))
	}
	p.Y.Tick.Marker = rowTicks{names, true}
	if baseline >= 0 && finite(rows[baseline].Mean) {
		if err := addMark(p, rows[baseline].Mean, float64(len(rows))); err != nil {
			return nil, err
		}
	}
	for i, r := range rows {
		if err := r.draw(p, float64(len(rows)-1-i), hi+column); err != nil {
			return nil, fmt.Errorf("means %q: row %q: %w", title, r.Name, err)
		}
	}
	w, h := meansPlot+widest, meansAxes+len(rows)*meansRow
	legend := []plotted{{name: "mean ± deviation", color: accent}, {name: "single runs", color: gray}}
	if slices.ContainsFunc(rows, func(r Mean) bool { return slices.ContainsFunc(r.Others, finite) }) {
		legend = append(legend, publishedMarks)
	}
	return framed(frameOf(false), title, legend, w, h, tiled([][]*plot.Plot{{p}}, w, h)), nil
}

// meansScale returns the range of all that is drawn, with a margin; lo > hi when
// no row has a mean.
func meansScale(rows []Mean) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	widen := func(values ...float64) {
		for _, v := range values {
			if finite(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	for _, r := range rows {
		if finite(r.Mean) {
			widen(append([]float64{r.Mean - r.Std, r.Mean + r.Std, r.Mean}, r.Values...)...)
		}
	}
	if lo > hi {
		return lo, hi
	}
	for _, r := range rows {
		widen(r.Others...)
	}
	margin := max(0.06*(hi-lo), 0.5*narrow*math.Abs(hi))
	if hi-lo <= narrow*math.Abs(hi) {
		margin = 0.5
	}
	return lo - margin, hi + margin
}

// addMark draws a dashed vertical line through all rows.
func addMark(p *plot.Plot, x, rows float64) error {
	line, err := plotter.NewLine(plotter.XYs{{X: x, Y: -0.6}, {X: x, Y: rows - 0.4}})
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = faint, 1, []vg.Length{4, 3}
	p.Add(line)
	return nil
}

// draw draws the row at height y, its numbers right-aligned at x.
func (r Mean) draw(p *plot.Plot, y, x float64) error {
	runs := atHeight(r.Values, y)
	if err := addGlyphs(p, runs, draw.GlyphStyle{Color: gray, Radius: 2.6, Shape: draw.CircleGlyph{}}); err != nil {
		return err
	}
	if err := addGlyphs(p, atHeight(r.Others, y), square(ink)); err != nil {
		return err
	}
	written, tone := "–", color.Color(faint)
	if finite(r.Mean) {
		written, tone = fmt.Sprintf("%.*f", meansDigits, r.Mean), accent
		if len(runs) > 1 && finite(r.Std) {
			written += fmt.Sprintf(" ± %.*f", meansDigits, r.Std)
			bar, err := plotter.NewLine(plotter.XYs{{X: r.Mean - r.Std, Y: y}, {X: r.Mean + r.Std, Y: y}})
			if err != nil {
				return err
			}
			bar.Color, bar.Width = accent, 2
			p.Add(bar)
		}
		dot := draw.GlyphStyle{Color: accent, Radius: 4, Shape: draw.CircleGlyph{}}
		if err := addGlyphs(p, plotter.XYs{{X: r.Mean, Y: y}}, dot); err != nil {
			return err
		}
	}
	return addNumber(p, x, y, written, tone)
}

// square is the open mark of what others have reached.
func square(c color.Color) draw.GlyphStyle {
	return draw.GlyphStyle{Color: c, Radius: 4.5, Shape: draw.SquareGlyph{}}
}

// atHeight are the points of those of the values that are there.
func atHeight(values []float64, y float64) plotter.XYs {
	var points plotter.XYs
	for _, v := range values {
		if finite(v) {
			points = append(points, plotter.XY{X: v, Y: y})
		}
	}
	return points
}

// addNumber writes a text that ends at (x, y).
func addNumber(p *plot.Plot, x, y float64, written string, c color.Color) error {
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{written}})
	if err != nil {
		return err
	}
	s := &labels.TextStyle[0]
	s.Font, s.Color = font.From(font.Font{Variant: "Sans"}, 11), c
	s.XAlign, s.YAlign = text.XRight, text.YCenter
	labels.Offset.Y = 1 // digits have no descenders
	p.Add(labels)
	return nil
}
