package picture

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"t2sda/datasets"
	"t2sda/export/score"
)

// Geometry of the bars, units.
const (
	barsMargin = 28
	barsLine   = 38 // per class
	barsHead   = 96
	barsScale  = 560 // width of 100 %
)

// IoUBars draws the IoU per class as horizontal bars with its value and, with a
// baseline (nil: none), the baseline's bar above and the gain in percentage
// points. Classes take the space's order and colours; the mean comes first. The
// names tell which is which in the legend. It returns an error when a class has
// no line in the result.
func IoUBars(space datasets.Space, name string, result *score.Result, baselineName string, baseline *score.Result) (image.Image, error) {
	rows := []barRow{{name: "mean", after: result.MIoU, before: score.Score(math.NaN()), color: ink}}
	if baseline != nil {
		rows[0].before = baseline.MIoU
	}
	for _, k := range space.Classes {
		r, ok := result.Class(k.Name)
		if !ok {
			return nil, fmt.Errorf("IoU bars: the result has no class %q", k.Name)
		}
		row := barRow{name: k.Name, after: r.IoU, before: score.Score(math.NaN()), color: classColor(k)}
		if baseline != nil {
			if b, ok := baseline.Class(k.Name); ok {
				row.before = b.IoU
			}
		}
		rows = append(rows, row)
	}
	return drawBars(rows, name, baselineName, baseline != nil), nil
}

// barRow is one class of [IoUBars].
type barRow struct {
	name          string
	before, after score.Score
	color         color.NRGBA
}

func drawBars(rows []barRow, name, baselineName string, compare bool) image.Image {
	title, text, bold := face(boldFont(), 22), face(regularFont(), 16), face(boldFont(), 16)
	nameW := 0
	for _, r := range rows {
		nameW = max(nameW, textWidth(text, r.name))
	}
	x0 := barsMargin + nameW + legendSwatch + 20
	c := newChart(x0+barsScale+190+barsMargin, barsHead+len(rows)*barsLine+2*barsMargin)
	c.text(title, barsMargin, barsMargin+18, left, ink, "IoU per class")
	c.box(barsMargin, barsMargin+38, 26, 12, accent)
	c.text(text, barsMargin+34, barsMargin+49, left, ink, name)
	if compare {
		x := barsMargin + 34 + textWidth(text, name) + 30
		c.box(x, barsMargin+38, 26, 12, gray)
		c.text(text, x+34, barsMargin+49, left, ink, baselineName)
	}
	bottom := barsHead + len(rows)*barsLine
	for percent := 0; percent <= 100; percent += 20 {
		x := x0 + percent*barsScale/100
		c.box(x, barsHead-6, 1, bottom-barsHead+10, grid)
		c.text(text, x, bottom+22, centre, faint, fmt.Sprintf("%d", percent))
	}
	c.text(text, x0+barsScale+40, bottom+22, left, faint, "% IoU")
	for i, r := range rows {
		y := barsHead + i*barsLine
		f := text
		if i == 0 {
			f = bold
		}
		c.text(f, x0-legendSwatch-14, y+barsLine/2+5, right, ink, r.name)
		c.box(x0-legendSwatch-7, y+(barsLine-legendSwatch)/2, legendSwatch, legendSwatch, r.color)
		c.bar(r, x0, y, compare)
	}
	return c.NRGBA
}

// bar draws one line of bars and its numbers right of the scale.
func (c canvas) bar(r barRow, x0, y int, compare bool) {
	text, bold := face(regularFont(), 16), face(boldFont(), 16)
	length := func(s score.Score) int {
		if math.IsNaN(float64(s)) {
			return 0
		}
		return int(float64(s)*barsScale + 0.5)
	}
	numbers := x0 + barsScale + 16
	if !compare {
		c.box(x0, y+8, length(r.after), barsLine-16, accent)
		c.text(bold, numbers+52, y+barsLine/2+5, right, ink, r.after.Short())
		return
	}
	c.box(x0, y+5, length(r.before), 11, gray)
	c.box(x0, y+18, length(r.after), 14, accent)
	c.text(text, numbers+44, y+barsLine/2+5, right, faint, r.before.Short())
	c.text(bold, numbers+100, y+barsLine/2+5, right, ink, r.after.Short())
	if gain := 100 * float64(r.after-r.before); !math.IsNaN(gain) {
		col := faint
		switch {
		case gain >= 0.05:
			col = good
		case gain <= -0.05:
			col = bad
		}
		c.text(text, numbers+164, y+barsLine/2+5, right, col, fmt.Sprintf("%+.1f", gain))
	}
}
