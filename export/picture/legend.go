package picture

import (
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
	x, y := 0, 0
	add := func(name string, c color.NRGBA) {
		w := legendSwatch + 7 + textWidth(l.face, name)
		if x > 0 && x+w > width {
			x, y = 0, y+legendLine
		}
		l.items = append(l.items, legendItem{x: x, y: y, name: name, color: c})
		x += w + legendGap
	}
	for _, c := range space.Classes {
		add(c.Name, classColor(c))
	}
	if void {
		add("void", color.NRGBA{A: 255})
	}
	l.height = y + legendLine
	return l
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
