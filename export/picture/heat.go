package picture

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strconv"

	"t2sda/datasets"

	"gonum.org/v1/gonum/stat"
)

// ClassHistory is a number per class that changes during training: queries
// drawn, weights, IoU.
type ClassHistory struct {
	Iterations []float64
	Values     [][]float64 // [time][class]; NaN: none
}

// Geometry of a heat map, units.
const (
	heatLine    = 24
	heatWidth   = 760
	heatColumns = 190 // at most; more iterations are averaged
)

// Heat draws a class history: one line per class, time to the right, dark where
// the value is large, grey where there is none; the largest value of the picture
// is full dark. The last column's mean stands at the right. It returns an error
// when there is no finite value or when the history's shape does not fit the
// classes.
func Heat(space datasets.Space, title string, h ClassHistory) (image.Image, error) {
	if len(h.Iterations) != len(h.Values) || len(h.Values) == 0 {
		return nil, fmt.Errorf("picture %q: %d iterations, %d lines of values", title, len(h.Iterations), len(h.Values))
	}
	for i, v := range h.Values {
		if len(v) != len(space.Classes) {
			return nil, fmt.Errorf("picture %q: line %d has %d values for %d classes", title, i, len(v), len(space.Classes))
		}
	}
	columns := h.binned(heatColumns)
	top := math.Inf(-1)
	for _, column := range columns {
		for _, v := range column {
			if !math.IsNaN(v) {
				top = max(top, v)
			}
		}
	}
	if math.IsInf(top, 0) {
		return nil, fmt.Errorf("picture %q: no finite values", title)
	}
	return drawHeat(space, title, h, columns, top), nil
}

// binned averages the history into at most n columns [column][class].
func (h ClassHistory) binned(n int) [][]float64 {
	n = min(n, len(h.Values))
	out := make([][]float64, n)
	for i := range out {
		lo, hi := i*len(h.Values)/n, (i+1)*len(h.Values)/n
		out[i] = make([]float64, len(h.Values[0]))
		for k := range out[i] {
			var finite []float64
			for _, v := range h.Values[lo:hi] {
				if v[k]-v[k] == 0 {
					finite = append(finite, v[k])
				}
			}
			out[i][k] = stat.Mean(finite, nil) // NaN of none
		}
	}
	return out
}

func drawHeat(space datasets.Space, title string, h ClassHistory, columns [][]float64, top float64) image.Image {
	names := face(regularFont(), 16)
	nameW := 0
	for _, k := range space.Classes {
		nameW = max(nameW, textWidth(names, k.Name))
	}
	x0, y0 := 24+nameW+legendSwatch+16, 84
	bottom := y0 + len(space.Classes)*heatLine
	c := newChart(x0+heatWidth+110, bottom+52)
	c.text(face(boldFont(), 22), 24, 38, left, ink, title)
	c.ramp(x0, 50, top, slices.ContainsFunc(columns, func(column []float64) bool { return slices.ContainsFunc(column, math.IsNaN) }))
	c.text(names, x0+heatWidth+90, 64, right, faint, "at the end")
	for k, class := range space.Classes {
		y := y0 + k*heatLine
		c.text(names, x0-legendSwatch-14, y+17, right, ink, class.Name)
		c.box(x0-legendSwatch-7, y+3, legendSwatch, legendSwatch, classColor(class))
		c.box(x0, y, heatWidth, heatLine-2, grid)
		for i, column := range columns {
			from, to := i*heatWidth/len(columns), (i+1)*heatWidth/len(columns)
			c.box(x0+from, y, to-from, heatLine-2, heatColor(column[k], top))
		}
		c.text(names, x0+heatWidth+90, y+17, right, ink, decimal(columns[len(columns)-1][k], top))
	}
	c.text(names, x0, bottom+22, left, faint, short(h.Iterations[0]))
	c.text(names, x0+heatWidth/2, bottom+22, centre, faint, "iteration")
	c.text(names, x0+heatWidth, bottom+22, right, faint, short(h.Iterations[len(h.Iterations)-1]))
	return c.NRGBA
}

// ramp draws what the colours mean, that of none where there are gaps, from
// (x, y) on.
func (c canvas) ramp(x, y int, top float64, gaps bool) {
	const width, height = 160, 16
	text := face(regularFont(), 16)
	c.text(text, x, y+14, left, faint, "0")
	x += 16
	c.box(x-1, y-1, width+2, height+2, grid)
	for i := range width {
		c.box(x+i, y, 1, height, heatColor(top*float64(i)/(width-1), top))
	}
	x += width + 8
	c.text(text, x, y+14, left, faint, short(top))
	if !gaps {
		return
	}
	x += textWidth(text, short(top)) + 28
	c.box(x, y, height, height, heatColor(math.NaN(), top))
	c.text(text, x+height+8, y+14, left, faint, "none")
}

// heatColor is white for 0 and negative values, grey for missing ones.
func heatColor(v, top float64) color.NRGBA {
	switch {
	case math.IsNaN(v):
		return grid
	case !(v > 0):
		return paper
	}
	fill, _ := shareColor(v / top)
	return fill
}

// decimal prints v with as many decimals as suit a column of numbers up to top,
// "–" for NaN.
func decimal(v, top float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	decimals := 3
	for limit := 1.0; top >= limit && decimals > 0; limit *= 10 {
		decimals--
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// short prints a number with three digits, "–" for NaN.
func short(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
