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

// framed puts title and legend above a plot of w × h, in as many lines as they take.
func framed(f frame, title string, lines []plotted, w, h int, picture image.Image) image.Image {
	words, entries := wrapText(f.title, title, w-2*f.left), f.flow(lines, w)
	further := (len(words) - 1) * f.titleLine
	head := f.height + further
	if n := len(entries); n > 0 {
		head += (n - 1) * f.legendLine
	}
	c := newChart(w, head+h)
	for i, line := range words {
		c.text(f.title, f.left, f.titleAt+i*f.titleLine, left, ink, line)
	}
	for i, line := range entries {
		x, y := f.left, f.legendAt+further+i*f.legendLine
		for _, l := range line {
			f.mark(c, x, y, l)
			c.text(f.text, x+f.swatch+f.within, y, left, ink, l.name)
			x += f.width(l) + f.gap
		}
	}
	c.put(0, head, picture)
	return c.NRGBA
}

// width is that of an entry of the legend.
func (f frame) width(l plotted) int { return f.swatch + f.within + textWidth(f.text, l.name) }

// flow spreads the legend over lines of a picture w wide. A name that fills more than one is
// cut.
func (f frame) flow(entries []plotted, w int) (lines [][]plotted) {
	room, x := w-2*f.left, 0
	for _, l := range entries {
		l.name = clipText(f.text, l.name, room-f.swatch-f.within)
		if len(lines) == 0 || x+f.width(l) > room {
			lines, x = append(lines, nil), 0
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], l)
		x += f.width(l) + f.gap
	}
	return lines
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
