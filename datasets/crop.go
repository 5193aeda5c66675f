package datasets

import (
	"image"
	"math/rand/v2"

	"t2sda/internal/raster"
)

// redraws is how often a crop is drawn again for each of the two reasons, a
// class that covers too much and a rare class that is missing (mmseg's
// cat_max_ratio and DAFormer's rare class sampling both take 10).
const redraws = 10

// cropper draws crop rectangles.
type cropper struct {
	w, h   int
	catMax float64 // largest share of one class among a crop's valid pixels; 0 or 1: any
}

// draw returns a rectangle that lies in a w×h picture, uniformly.
func (c cropper) draw(r *rand.Rand, w, h int) image.Rectangle {
	x, y := r.IntN(w-c.w+1), r.IntN(h-c.h+1)
	return image.Rect(x, y, x+c.w, y+c.h)
}

// drawLabelled prefers rectangles in which no class covers more than catMax and
// that hold more than need pixels of the class (class < 0: no class is asked
// for). After the last draw it takes what it has.
func (c cropper) drawLabelled(r *rand.Rand, l *raster.Labels, class int, need float64) image.Rectangle {
	rect := c.drawBalanced(r, l)
	if l.W == c.w && l.H == c.h || class < 0 {
		return rect
	}
	for range redraws {
		if float64(histogram(l, rect)[class]) > need {
			break
		}
		rect = c.drawBalanced(r, l)
	}
	return rect
}

func (c cropper) drawBalanced(r *rand.Rand, l *raster.Labels) image.Rectangle {
	rect := c.draw(r, l.W, l.H)
	if c.catMax <= 0 || c.catMax >= 1 || l.W == c.w && l.H == c.h {
		return rect
	}
	for range redraws {
		if balanced(histogram(l, rect), c.catMax) {
			break
		}
		rect = c.draw(r, l.W, l.H)
	}
	return rect
}

// balanced reports whether more than one class is there and none exceeds the
// share of the valid pixels.
func balanced(h *[256]int64, share float64) bool {
	classes, total, most := 0, int64(0), int64(0)
	for _, n := range h[:raster.Void] {
		if n > 0 {
			classes++
			total += n
			most = max(most, n)
		}
	}
	return classes > 1 && float64(most) <= share*float64(total)
}

// histogram counts the train ids in a rectangle.
func histogram(l *raster.Labels, rect image.Rectangle) *[256]int64 {
	var h [256]int64
	for y := rect.Min.Y; y < rect.Max.Y; y++ {
		countBytes(h[:], l.Pix[y*l.W+rect.Min.X:y*l.W+rect.Max.X])
	}
	return &h
}

// crop writes a rectangle of the picture to dst, which has its size.
func (p *picture) crop(dst *raster.Image, rect image.Rectangle) {
	red, green, blue := dst.Plane(0), dst.Plane(1), dst.Plane(2)
	i := 0
	for y := rect.Min.Y; y < rect.Max.Y; y++ {
		row := p.row(y)[3*rect.Min.X : 3*rect.Max.X]
		for ; len(row) >= 3; row = row[3:] {
			red[i], green[i], blue[i] = float32(row[0]), float32(row[1]), float32(row[2])
			i++
		}
	}
}

// image converts the whole picture.
func (p *picture) image() *raster.Image {
	out := raster.NewImage(p.w, p.h)
	p.crop(out, image.Rect(0, 0, p.w, p.h))
	return out
}
