package picture

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Measure is one panel of [Measures]: a number per series and row, NaN or
// infinite where there is none.
type Measure struct {
	Title  string
	Values [][]float64 // [series][row]
	Digits int         // after the point, of the printed numbers
	Lo, Hi float64     // of the scale; both 0: what the values take
}

// Geometry of the panels, units.
const (
	panelWidth = 390
	panelNames = 130 // left of the first panel
	panelRow   = 30
	panelAxes  = 80 // title and scale
)

// Measures draws panels side by side, one line per row in all of them: a dot per
// series, which a line joins to the other series' dot, on the panel's scale, and
// the numbers right of it. The first series is in colour, the second one, if
// there is one, in gray and left among the numbers: before and after. It returns
// an error unless there are one or two series, and a value for each row.
func Measures(title string, rows, series []string, panels ...Measure) (image.Image, error) {
	if len(panels) == 0 || len(series) < 1 || len(series) > 2 {
		return nil, fmt.Errorf("measures %q: %d panels of %d series, want 1 or 2 series", title, len(panels), len(series))
	}
	plots := make([]*plot.Plot, len(panels))
	for i, m := range panels {
		err := m.check(len(rows), len(series))
		if err == nil {
			plots[i], err = m.plot(rows, i == 0)
		}
		if err != nil {
			return nil, fmt.Errorf("measures %q: panel %q: %w", title, m.Title, err)
		}
	}
	var legend []plotted
	for s, name := range series {
		legend = append([]plotted{{name: name, color: seriesColors[s]}}, legend...)
	}
	w, h := panelNames+len(panels)*panelWidth, panelAxes+len(rows)*panelRow
	return framed(frameOf(false), title, legend, w, h, tiled([][]*plot.Plot{plots}, w, h)), nil
}

// seriesColors are those of dots and lines.
var seriesColors = []color.NRGBA{accent, gray}

func (m Measure) check(rows, series int) error {
	if len(m.Values) != series {
		return fmt.Errorf("%d series of values, %d are named", len(m.Values), series)
	}
	for _, v := range m.Values {
		if len(v) != rows {
			return fmt.Errorf("%d values for %d rows", len(v), rows)
		}
	}
	return nil
}

// tiled draws plots in rows, their data areas aligned, on w × h units.
func tiled(plots [][]*plot.Plot, w, h int) image.Image {
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(w)*vg.Inch/plotDPI, vg.Length(h)*vg.Inch/plotDPI), vgimg.UseDPI(Density*plotDPI))
	tiles := draw.Tiles{
		Rows: len(plots), Cols: len(plots[0]), PadX: 14, PadY: 14,
		PadLeft: 12, PadRight: 14, PadTop: 4, PadBottom: 6,
	}
	for i, canvases := range plot.Align(plots, tiles, draw.New(c)) {
		for j, area := range canvases {
			plots[i][j].Draw(area)
		}
	}
	return c.Image()
}

// titled gives a plot its title.
func titled(p *plot.Plot, title string) {
	p.Title.Text = title
	p.Title.TextStyle.Font = font.From(font.Font{Variant: "Sans"}, 12.5)
	p.Title.TextStyle.Color, p.Title.Padding = ink, 6
}

// plot draws the panel; the first one names the rows.
func (m Measure) plot(rows []string, named bool) (*plot.Plot, error) {
	lo, hi := m.scale()
	p := newPlot(CurvesOptions{})
	titled(p, m.Title)
	column := 0.19 * (hi - lo) // of numbers
	p.X.Min, p.X.Max = lo, hi+column*float64(len(m.Values))
	p.X.Tick.Marker = ticksUpTo(hi)
	p.Y.Min, p.Y.Max = -0.6, float64(len(rows))-0.4
	p.Y.LineStyle.Width, p.Y.Tick.LineStyle.Width, p.Y.Tick.Length = 0, 0, 0
	p.Y.Tick.Label.Color, p.Y.Tick.Label.Font = ink, font.From(font.Font{Variant: "Sans"}, 11.5)
	p.Y.Tick.Marker = rowTicks{rows, named}
	if err := m.joinDots(p); err != nil {
		return nil, err
	}
	for s := len(m.Values) - 1; s >= 0; s-- { // the first one on top
		if err := m.addDots(p, s, hi+column*float64(len(m.Values)-s)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// scale returns the range of the x axis.
func (m Measure) scale() (lo, hi float64) {
	if m.Lo != m.Hi {
		return m.Lo, m.Hi
	}
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, values := range m.Values {
		for _, v := range values {
			if finite(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	switch width := hi - lo; {
	case lo > hi: // nothing is finite
		return 0, 1
	case width <= narrow*max(math.Abs(lo), math.Abs(hi)):
		return lo - 0.5, hi + 0.5
	default:
		return lo - 0.06*width, hi + 0.06*width
	}
}

// ShareScale gives panels one scale that fits all of them.
func ShareScale(panels ...*Measure) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, m := range panels {
		from, to := m.scale()
		lo, hi = min(lo, from), max(hi, to)
	}
	for _, m := range panels {
		m.Lo, m.Hi = lo, hi
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// height is where a row is drawn: they are read from the top.
func (m Measure) height(row int) float64 { return float64(len(m.Values[0]) - 1 - row) }

// joinDots draws a line from each row's second dot to its first.
func (m Measure) joinDots(p *plot.Plot) error {
	if len(m.Values) < 2 {
		return nil
	}
	for i, after := range m.Values[0] {
		before := m.Values[1][i]
		if !finite(before) || !finite(after) {
			continue
		}
		line, err := plotter.NewLine(plotter.XYs{{X: before, Y: m.height(i)}, {X: after, Y: m.height(i)}})
		if err != nil {
			return err
		}
		line.Color, line.Width = gray, 1.4
		p.Add(line)
	}
	return nil
}

// addDots draws the dots of a series, and its numbers, right-aligned at x.
func (m Measure) addDots(p *plot.Plot, series int, x float64) error {
	var points plotter.XYs
	var labels plotter.XYLabels
	for i, v := range m.Values[series] {
		written := "–"
		if finite(v) {
			points = append(points, plotter.XY{X: v, Y: m.height(i)})
			written = fmt.Sprintf("%.*f", m.Digits, v)
		}
		labels.XYs = append(labels.XYs, plotter.XY{X: x, Y: m.height(i)})
		labels.Labels = append(labels.Labels, written)
	}
	if err := addGlyphs(p, points, draw.GlyphStyle{Color: seriesColors[series], Radius: 4, Shape: draw.CircleGlyph{}}); err != nil {
		return err
	}
	numbers, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range numbers.TextStyle {
		s := &numbers.TextStyle[i]
		s.Font, s.Color = font.From(font.Font{Variant: "Sans"}, 10), ink
		if series > 0 {
			s.Color = faint
		}
		s.XAlign, s.YAlign = text.XRight, text.YCenter
	}
	numbers.Offset.Y = 1 // digits have no descenders
	p.Add(numbers)
	return nil
}

// ticksUpTo puts round ticks up to a value: right of it stand numbers.
type ticksUpTo float64

// Ticks implements [plot.Ticker].
func (t ticksUpTo) Ticks(lo, _ float64) []plot.Tick { return roundTicks{}.Ticks(lo, float64(t)) }

// rowTicks names rows, the first at the top.
type rowTicks struct {
	rows  []string
	named bool
}

// Ticks implements [plot.Ticker].
func (t rowTicks) Ticks(_, _ float64) []plot.Tick {
	var ticks []plot.Tick
	for i, name := range t.rows {
		if !t.named {
			name = " " // a tick without any name has no line across the panel
		}
		ticks = append(ticks, plot.Tick{Value: float64(len(t.rows) - 1 - i), Label: name})
	}
	return ticks
}
