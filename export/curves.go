package export

import (
	"fmt"
	"image"
	"image/color"
	"math"

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
}

// CurvesOptions names the parts of a plot.
type CurvesOptions struct {
	Title, X, Y string
	Log         bool    // logarithmic y axis; points ≤ 0 are left out
	YMin, YMax  float64 // fixed range of y; both 0: from the data
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

// Size of a plot: 960 × 420 pixels.
const (
	curvesDPI    = 96
	curvesWidth  = 10 * vg.Inch
	curvesHeight = 420. / 96 * vg.Inch
)

// Curves plots lines over a common x axis (usually iterations), with a legend.
// It returns an error when a series has not as many x as y, or when no point at
// all is left.
func Curves(o CurvesOptions, series ...Series) (image.Image, error) {
	p := newPlot(o)
	drawn := 0
	for i, s := range series {
		if len(s.X) != len(s.Y) {
			return nil, fmt.Errorf("plot %q: series %q has %d x and %d y", o.Title, s.Name, len(s.X), len(s.Y))
		}
		points := finitePoints(s, o.Log)
		if len(points) == 0 {
			continue
		}
		drawn++
		if err := addSeries(p, s, points, lineColors[i%len(lineColors)]); err != nil {
			return nil, fmt.Errorf("plot %q: series %q: %w", o.Title, s.Name, err)
		}
	}
	if drawn == 0 {
		return nil, fmt.Errorf("plot %q: no finite points", o.Title)
	}
	if o.YMin != o.YMax {
		p.Y.Min, p.Y.Max = o.YMin, o.YMax
	}
	if o.Log {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	c := vgimg.NewWith(vgimg.UseWH(curvesWidth, curvesHeight), vgimg.UseDPI(curvesDPI))
	area := draw.New(c)
	p.Draw(draw.Crop(area, 12, -20, 8, -10)) // points of margin: left, right, bottom, top
	return c.Image(), nil
}

// newPlot returns an empty plot in this package's looks.
func newPlot(o CurvesOptions) *plot.Plot {
	p := plot.New()
	sans := font.Font{Variant: "Sans"}
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = o.Title, o.X, o.Y
	p.Title.TextStyle.Font = font.From(sans, 15)
	p.Title.TextStyle.Font.Weight = 1 // bold
	p.Title.Padding = 8
	p.Legend.TextStyle.Font = font.From(sans, 11)
	p.Legend.Top, p.Legend.Padding, p.Legend.ThumbnailWidth = true, 4, 22
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = font.From(sans, 12)
		a.Tick.Label.Font = font.From(sans, 11)
		a.LineStyle.Color, a.Tick.LineStyle.Color = faint, faint
		a.Label.Padding = 4
	}
	lines := plotter.NewGrid()
	lines.Horizontal.Color, lines.Vertical.Color = grid, grid
	p.Add(lines)
	return p
}

func finitePoints(s Series, positive bool) plotter.XYs {
	var out plotter.XYs
	for i, x := range s.X {
		y := s.Y[i]
		if math.IsNaN(x+y) || math.IsInf(x+y, 0) || positive && y <= 0 {
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
	p.Add(line)
	p.Legend.Add(s.Name, line)
	if s.Dots {
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		dots.Color, dots.Radius, dots.Shape = c, 2.6, draw.CircleGlyph{}
		p.Add(dots)
	}
	return nil
}

// runningMean averages each point with up to n neighbours on either side, as
// many on one as on the other.
func runningMean(points plotter.XYs, n int) plotter.XYs {
	cumulated := make([]float64, len(points)+1)
	for i, p := range points {
		cumulated[i+1] = cumulated[i] + p.Y
	}
	out := make(plotter.XYs, len(points))
	for i, p := range points {
		k := min(n, i, len(points)-1-i)
		out[i] = plotter.XY{X: p.X, Y: (cumulated[i+k+1] - cumulated[i-k]) / float64(2*k+1)}
	}
	return out
}
