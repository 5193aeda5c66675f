package translate

import (
	"image"

	"t2sda/internal/raster"
)

// ycc is a rectangle of an image as luma and two chroma planes, [h,w] each.
type ycc struct {
	w, h    int
	y, u, v []float32
}

// from converts a rectangle of m into p's memory.
func (p *ycc) from(m *raster.Image, rect image.Rectangle) {
	p.w, p.h = rect.Dx(), rect.Dy()
	n := p.w * p.h
	p.y, p.u, p.v = grown(p.y, n), grown(p.u, n), grown(p.v, n)
	red, green, blue := planes(m)
	i := 0
	for row := rect.Min.Y; row < rect.Max.Y; row++ {
		at, end := row*m.W+rect.Min.X, row*m.W+rect.Max.X
		r, g, b := red[at:end], green[at:end], blue[at:end]
		y, u, v := p.y[i:i+len(r)], p.u[i:i+len(r)], p.v[i:i+len(r)]
		for k := range r {
			l := luma(r[k], g[k], b[k])
			y[k], u[k], v[k] = l, b[k]-l, r[k]-l
		}
		i += len(r)
	}
}

// axes returns the three planes, luma first.
func (p *ycc) axes() [axes][]float32 { return [axes][]float32{p.y, p.u, p.v} }

// luma is ITU-R BT.601's, whose weights sum to 1.
func luma(r, g, b float32) float32 { return 0.299*r + 0.587*g + 0.114*b }

// rgb is the inverse of luma and the two differences.
func rgb(y, u, v float32) (r, g, b float32) {
	r, b = y+v, y+u
	return r, (y - 0.299*r - 0.114*b) * (1 / 0.587), b
}

func grown(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

func wholeOf(m *raster.Image) image.Rectangle { return image.Rect(0, 0, m.W, m.H) }
