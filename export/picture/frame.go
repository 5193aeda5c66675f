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
	title, text           typeface
	height, left          int // of all of it with one line of each; of the text
	titleAt, legendAt     int // baselines of the first lines
	titleLine, legendLine int // from one line to the next
	swatch, within, gap   int // length of a line; space after it, and after its name
}

func frameOf(small bool) frame {
	if small {
		return frame{face(boldFont(), 17), face(regularFont(), 14), smallHead, 8, 22, 46, 21, 19, 20, 5, 14}
	}
	return frame{face(boldFont(), 22), face(regularFont(), 16), plotHead, 24, 38, 67, 27, 22, 26, 8, 28}
}

// framed puts title and legend above a plot of w × h, in as many lines as they take. A name of
// the legend that fills more than a line is cut.
func framed(f frame, title string, entries []plotted, w, h int, picture image.Image) image.Image {
	room, before := w-2*f.left, f.swatch+f.within
	words := wrapText(f.title, title, room)
	names, widths := make([]string, len(entries)), make([]int, len(entries))
	for i, l := range entries {
		names[i] = clipText(f.text, l.name, room-before)
		widths[i] = before + textWidth(f.text, names[i])
	}
	places, lines := flow(widths, f.gap, room)
	further := (len(words) - 1) * f.titleLine
	head := f.height + further + max(lines-1, 0)*f.legendLine
	c := newChart(w, head+h)
	for i, line := range words {
		c.text(f.title, f.left, f.titleAt+i*f.titleLine, left, ink, line)
	}
	for i, l := range entries {
		x, y := f.left+places[i].X, f.legendAt+further+places[i].Y*f.legendLine
		f.mark(c, x, y, l)
		c.text(f.text, x+before, y, left, ink, names[i])
	}
	c.put(0, head, picture)
	return c.NRGBA
}

// mark draws what stands for a line before its name, whose baseline is at y.
func (f frame) mark(c canvas, x, y int, l plotted) {
	y, part := y-8, f.swatch
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
