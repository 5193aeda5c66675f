package picture

import (
	"image"
	"image/color"

	"t2sda/datasets"
)

// legend is the classes' colours and names, flowed into lines.
type legend struct {
	face   typeface
	items  []legendItem
	height int
}

type legendItem struct {
	x, y  int // of the swatch, relative to the legend
	name  string
	color color.NRGBA
}

const (
	legendSwatch = 18
	legendLine   = 32
	legendGap    = 22
)

// layoutLegend flows the classes into lines of the given width, and void as a
// last one if it is wanted.
func layoutLegend(space datasets.Space, width int, void bool) legend {
	l := legend{face: face(regularFont(), 20)}
	for _, c := range space.Classes {
		l.items = append(l.items, legendItem{name: c.Name, color: classColor(c)})
	}
	if void {
		l.items = append(l.items, legendItem{name: "void", color: color.NRGBA{A: 255}})
	}
	widths := make([]int, len(l.items))
	for i, item := range l.items {
		widths[i] = legendSwatch + 7 + textWidth(l.face, item.name)
	}
	places, lines := flow(widths, legendGap, width)
	for i, p := range places {
		l.items[i].x, l.items[i].y = p.X, p.Y*legendLine
	}
	l.height = max(lines, 1) * legendLine
	return l
}

// flow spreads things of these widths, a gap apart, over lines that have room: X is where each
// begins in its line, Y, counted from 0. What is wider than a line has one of its own.
func flow(widths []int, gap, room int) (places []image.Point, lines int) {
	x := 0
	for _, w := range widths {
		if lines == 0 || x > 0 && x+w > room {
			x, lines = 0, lines+1
		}
		places = append(places, image.Pt(x, lines-1))
		x += w + gap
	}
	return places, lines
}

func (l legend) draw(c canvas, x, y int) {
	for _, item := range l.items {
		c.box(x+item.x, y+item.y, legendSwatch, legendSwatch, grid)
		c.box(x+item.x+1, y+item.y+1, legendSwatch-2, legendSwatch-2, item.color)
		c.text(l.face, x+item.x+legendSwatch+7, y+item.y+legendSwatch-2, left, ink, item.name)
	}
}

func classColor(c datasets.Class) color.NRGBA {
	return color.NRGBA{c.Color[0], c.Color[1], c.Color[2], 255}
}
