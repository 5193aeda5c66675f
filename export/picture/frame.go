package picture

import (
	"image"
	"image/color"
)

// plotted is one entry above a plot.
type plotted struct {
	name   string
	color  color.NRGBA
	dashed bool
	open   bool // a square
}

// publishedMarks stands for the open squares of what others have reached.
var publishedMarks = plotted{name: "published", color: ink, open: true}

// frame is how title and legend stand above a plot, in units.
type frame struct {
	title, text         typeface
	height, left        int // of all of it; of the text
	titleAt, legendAt   int // baselines
	swatch, within, gap int // length of a line; space after it, and after its name
}

func frameOf(small bool) frame {
	if small {
		return frame{face(boldFont(), 17), face(regularFont(), 14), smallHead, 8, 22, 46, 20, 5, 14}
	}
	return frame{face(boldFont(), 22), face(regularFont(), 16), plotHead, 24, 38, 67, 26, 8, 28}
}

// framed puts title and legend above a plot of w × h.
func framed(f frame, title string, lines []plotted, w, h int, picture image.Image) image.Image {
	c := newChart(w, f.height+h)
	c.text(f.title, f.left, f.titleAt, left, ink, title)
	x := f.left
	for _, l := range lines {
		f.mark(c, x, l)
		x += f.swatch + f.within
		c.text(f.text, x, f.legendAt, left, ink, l.name)
		x += textWidth(f.text, l.name) + f.gap
	}
	c.put(0, f.height, picture)
	return c.NRGBA
}

// mark draws what stands for a line before its name.
func (f frame) mark(c canvas, x int, l plotted) {
	y, part := f.legendAt-8, f.swatch
	switch {
	case l.open:
		const side, edge = 10, 2
		x, y = x+(f.swatch-side)/2, y-(side-4)/2
		c.box(x, y, side, side, l.color)
		c.box(x+edge, y+edge, side-2*edge, side-2*edge, paper)
		return
	case l.dashed:
		part = 2 * f.swatch / 5
		c.box(x+f.swatch-part, y, part, 4, l.color)
	}
	c.box(x, y, part, 4, l.color)
}
