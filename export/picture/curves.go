package picture

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Series is one line of [Curves]. Points that are NaN or infinite are left out.
type Series struct {
	Name string
	X, Y []float64
	// Smooth draws the running mean over a fiftieth of the points, and the
	// points themselves faintly behind it: for losses.
	Smooth bool
	// Dots marks every point: for series of few points, as the mIoU's.
	Dots bool
	// Dashed lets a line show that it covers: for references.
	Dashed bool
	// Err, if any, is the half length of each point's error bar.
	Err []float64
	// Others, if any, is what others have reached at each x, drawn as open squares.
	Others []float64
}

// CurvesOptions names the parts of a plot.
type CurvesOptions struct {
	Title, X, Y string
	FromZero    bool // both axes start at 0, unless there are negative values; not with LogX
	Small       bool // three fit a page beside each other, one a phone
	// LogX makes the x axis logarithmic, with a tick at every point: for settings
	// that were tried. Every x must be > 0.
	LogX bool
}

// lineColors are Okabe and Ito's (2008), told apart by the colour-blind too;
// the order puts strong contrasts first.
var lineColors = []color.NRGBA{
	{0, 114, 178, 255},
	{213, 94, 0, 255},
	{0, 158, 115, 255},
	{204, 121, 167, 255},
	{230, 159, 0, 255},
	{86, 180, 233, 255},
	{34, 40, 49, 255},
}

// Size of a plot, units.
const (
	plotWidth  = 1060
	plotHeight = 380
	plotHead   = 80 // title and legend
	plotDPI    = 96 // units per inch

	smallWidth  = 352
	smallHeight = 250
	smallHead   = 58
)

// Curves plots lines over a common x axis (usually iterations), with a legend.
// It returns an error when a series has not as many x as y, or when no point at
// all is left.
func Curves(o CurvesOptions, series ...Series) (image.Image, error) {
	p := newPlot(o)
	var drawn []plotted
	for i, s := range series {
		if len(s.X) != len(s.Y) {
			return nil, fmt.Errorf("plot %q: series %q has %d x and %d y", o.Title, s.Name, len(s.X), len(s.Y))
		}
		if s.Err != nil && len(s.Err) != len(s.Y) {
			return nil, fmt.Errorf("plot %q: series %q has %d y and %d error bars", o.Title, s.Name, len(s.Y), len(s.Err))
		}
		if s.Others != nil && len(s.Others) != len(s.X) {
			return nil, fmt.Errorf("plot %q: series %q has %d x and %d of others", o.Title, s.Name, len(s.X), len(s.Others))
		}
		points := finitePoints(s.X, s.Y)
		if len(points) == 0 {
			continue
		}
		c := lineColors[i%len(lineColors)]
		drawn = append(drawn, plotted{name: s.Name, color: c, dashed: s.Dashed})
		if err := addSeries(p, s, points, c); err != nil {
			return nil, fmt.Errorf("plot %q: series %q: %w", o.Title, s.Name, err)
		}
	}
	if len(drawn) == 0 {
		return nil, fmt.Errorf("plot %q: no finite points", o.Title)
	}
	others := slices.ContainsFunc(series, func(s Series) bool {
		return len(finitePoints(s.X, s.Y)) > 0 && len(finitePoints(s.X, s.Others)) > 0
	})
	if others {
		drawn = append(drawn, publishedMarks)
	}
	if o.FromZero && !o.LogX {
		p.X.Min, p.Y.Min = min(p.X.Min, 0), min(p.Y.Min, 0)
		p.Y.Max += 0.05 * (p.Y.Max - p.Y.Min)
	}
	if others || slices.ContainsFunc(series, func(s Series) bool { return s.Err != nil }) {
		margin := 0.06 * (p.Y.Max - p.Y.Min) // no bar or square ends at the frame
		p.Y.Min, p.Y.Max = p.Y.Min-margin, p.Y.Max+margin
	}
	if o.LogX {
		if err := logX(p, series); err != nil {
			return nil, fmt.Errorf("plot %q: %w", o.Title, err)
		}
	}
	drawing, w, h := render(p, o.Small)
	return framed(frameOf(o.Small), o.Title, drawn, w, h, drawing), nil
}

// logX makes the x axis logarithmic, with a tick at every point's x.
func logX(p *plot.Plot, series []Series) error {
	var ticks plot.ConstantTicks
	for _, s := range series {
		for _, x := range s.X {
			if !(x > 0) || !finite(x) {
				return fmt.Errorf("series %q: x = %g has no place on a logarithmic axis", s.Name, x)
			}
			if !slices.ContainsFunc(ticks, func(t plot.Tick) bool { return t.Value == x }) {
				ticks = append(ticks, plot.Tick{Value: x, Label: tickLabel(x)})
			}
		}
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ticks
	// The axis holds every setting, those without a result too. Around a single value
	// gonum would take one off, and come to 0 or below.
	p.X.Min, p.X.Max = ticks[0].Value, ticks[0].Value
	for _, t := range ticks {
		p.X.Min, p.X.Max = min(p.X.Min, t.Value), max(p.X.Max, t.Value)
	}
	if p.X.Min == p.X.Max {
		p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
	}
	return nil
}

// render draws a plot and returns its size in units.
func render(p *plot.Plot, small bool) (drawing image.Image, w, h int) {
	w, h, margins := plotWidth, plotHeight, [4]vg.Length{12, -20, 8, -6} // points: left, right, bottom, top
	if small {
		w, h, margins = smallWidth, smallHeight, [4]vg.Length{4, -10, 4, -4}
	}
	c := vgimg.NewWith(vgimg.UseWH(vg.Length(w)*vg.Inch/plotDPI, vg.Length(h)*vg.Inch/plotDPI), vgimg.UseDPI(Density*plotDPI))
	p.Draw(draw.Crop(draw.New(c), margins[0], margins[1], margins[2], margins[3]))
	return c.Image(), w, h
}

// newPlot returns an empty plot in this package's looks.
func newPlot(o CurvesOptions) *plot.Plot {
	p := plot.New()
	sans := font.Font{Variant: "Sans"}
	label, tick := 12., 11. // points
	if o.Small {
		label, tick = 9.5, 9
	}
	p.X.Label.Text, p.Y.Label.Text = o.X, o.Y
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = font.From(sans, vg.Length(label))
		a.Tick.Label.Font = font.From(sans, vg.Length(tick))
		a.Label.TextStyle.Color, a.Tick.Label.Color = ink, ink
		a.Tick.Marker = roundTicks{}
		a.LineStyle.Color, a.Tick.LineStyle.Color = faint, faint
		a.Label.Padding = 4
	}
	lines := plotter.NewGrid()
	lines.Horizontal.Color, lines.Vertical.Color = grid, grid
	p.Add(lines)
	return p
}

func finitePoints(xs, ys []float64) plotter.XYs {
	var out plotter.XYs
	for i, y := range ys {
		x := xs[i]
		if !finite(x) || !finite(y) {
			continue
		}
		out = append(out, plotter.XY{X: x, Y: y})
	}
	return out
}

func addSeries(p *plot.Plot, s Series, points plotter.XYs, c color.NRGBA) error {
	if s.Smooth {
		raw, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		pale := c
		pale.A = 60
		raw.Color, raw.Width = pale, 0.8
		p.Add(raw)
		points = runningMean(points, max(1, len(points)/50))
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, 1.8
	if s.Dashed {
		line.Dashes = []vg.Length{5, 3}
	}
	p.Add(line)
	if s.Dots {
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		dots.Color, dots.Radius, dots.Shape = c, 2.6, draw.CircleGlyph{}
		p.Add(dots)
	}
	if err := addGlyphs(p, finitePoints(s.X, s.Others), square(c)); err != nil {
		return err
	}
	return addErrors(p, s, c)
}

// addErrors draws the series' error bars.
func addErrors(p *plot.Plot, s Series, c color.NRGBA) error {
	for i, half := range s.Err {
		x, y := s.X[i], s.Y[i]
		if !finite(x) || !finite(y) || !finite(half) {
			continue
		}
		bar, err := plotter.NewYErrorBars(struct {
			plotter.XYs
			plotter.YErrors
		}{plotter.XYs{{X: x, Y: y}}, plotter.YErrors{{Low: half, High: half}}})
		if err != nil {
			return err
		}
		bar.Color, bar.Width = c, 1.2
		p.Add(bar)
	}
	return nil
}

// runningMean averages each point with up to n neighbours on either side.
func runningMean(points plotter.XYs, n int) plotter.XYs {
	cumulated := make([]float64, len(points)+1)
	for i, p := range points {
		cumulated[i+1] = cumulated[i] + p.Y
	}
	out := make(plotter.XYs, len(points))
	for i, p := range points {
		lo, hi := max(0, i-n), min(len(points), i+n+1)
		out[i] = plotter.XY{X: p.X, Y: (cumulated[hi] - cumulated[lo]) / float64(hi-lo)}
	}
	return out
}

// narrow is the width of a range, relative to where it lies, that is nothing but
// rounding: steps through it would not lead out of it.
const narrow = 1e-9

// roundTicks puts about six labelled ticks on round numbers.
type roundTicks struct{}

// Ticks implements [plot.Ticker].
func (roundTicks) Ticks(lo, hi float64) []plot.Tick {
	if hi-lo <= narrow*max(math.Abs(lo), math.Abs(hi)) {
		return []plot.Tick{{Value: lo, Label: tickLabel(lo)}}
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/6)))
	for _, k := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(k*step) <= 7 {
			step *= k
			break
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(lo / step); i*step <= hi*(1+1e-12); i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: tickLabel(i * step)})
	}
	return ticks
}

// tickLabel prints six digits at most; adding 0 turns −0 into 0.
func tickLabel(v float64) string { return strconv.FormatFloat(v+0, 'g', 6, 64) }
