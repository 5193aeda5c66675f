package picture

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"t2sda/datasets"
	"t2sda/export/score"
)

// Geometry of the confusion matrix, units.
const (
	matrixCell   = 46
	matrixMargin = 28
	matrixHead   = 64 // title and its subtitle
)

// ConfusionPicture draws the matrix with rows (truth) normalised to 100 %: the
// diagonal is recall. Shares from half a per cent on are printed; the row of a
// class that is never labelled stays blank. It returns an error when the space
// has another number of classes.
func Confusion(space datasets.Space, c *score.Confusion) (image.Image, error) {
	n := c.Classes()
	if len(space.Classes) != n {
		return nil, fmt.Errorf("confusion picture: matrix over %d classes, %q has %d", n, space.Name, len(space.Classes))
	}
	names := face(regularFont(), 16)
	nameW := 0
	for _, k := range space.Classes {
		nameW = max(nameW, textWidth(names, k.Name))
	}
	nameW += legendSwatch + 14
	x0, y0 := matrixMargin+nameW, matrixMargin+matrixHead+nameW
	const said = "rows: true class, columns: predicted class, % of the true class's pixels"
	width := max(x0+n*matrixCell+matrixMargin+10, 2*matrixMargin+textWidth(names, said)) // of few classes
	pic := newChart(width, y0+n*matrixCell+matrixMargin)
	pic.text(face(boldFont(), 22), matrixMargin, matrixMargin+18, left, ink, "Confusion matrix")
	pic.text(names, matrixMargin, matrixMargin+44, left, faint, said)
	for i, k := range space.Classes {
		y, x := y0+i*matrixCell+matrixCell/2, x0+i*matrixCell+matrixCell/2
		pic.text(names, x0-legendSwatch-14, y+6, right, ink, k.Name)
		pic.box(x0-legendSwatch-7, y-legendSwatch/2, legendSwatch, legendSwatch, classColor(k))
		pic.textUp(names, x+6, y0-legendSwatch-14, ink, k.Name)
		pic.box(x-legendSwatch/2, y0-legendSwatch-7, legendSwatch, legendSwatch, classColor(k))
	}
	pic.box(x0-1, y0-1, n*matrixCell+1, n*matrixCell+1, grid)
	for t := range n {
		pic.matrixRow(c, t, x0, y0+t*matrixCell)
	}
	return pic.NRGBA, nil
}

// matrixRow draws the cells of one true class.
func (c canvas) matrixRow(m *score.Confusion, truth, x0, y int) {
	numbers := face(regularFont(), 14)
	total := m.Truth(truth)
	for p := range m.Classes() {
		x, share := x0+p*matrixCell, score.Ratio(m.At(truth, p), total)
		if total == 0 {
			c.box(x, y, matrixCell-1, matrixCell-1, paper)
			continue
		}
		fill, write := shareColor(share)
		c.box(x, y, matrixCell-1, matrixCell-1, fill)
		if share >= 0.005 {
			c.text(numbers, x+(matrixCell-1)/2, y+matrixCell/2+5, centre, write, fmt.Sprintf("%.0f", 100*share))
		}
	}
}

// shareColor maps a share of 0–1 from white to dark blue, rising fast so that
// shares of a few per cent are seen, and picks the text's colour on it.
func shareColor(share float64) (fill, write color.NRGBA) {
	t := math.Sqrt(share)
	mix := func(lo, hi uint8) uint8 { return uint8(float64(lo) + t*(float64(hi)-float64(lo)) + 0.5) }
	fill = color.NRGBA{mix(255, 8), mix(255, 61), mix(255, 119), 255}
	if t > 0.5 {
		return fill, paper
	}
	return fill, ink
}
