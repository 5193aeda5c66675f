package learner

import (
	"math/rand/v2"

	"t2sda/internal/raster"
)

// window is a part of an image that is looked at in the image's size, mirrored or not.
type window struct {
	y, x, h, w int // px
	flip       bool
}

// drawWindow draws one whose sides are least to all of the image's, mirrored as often as not.
func drawWindow(r *rand.Rand, height, width int, least float64) window {
	s := least + (1-least)*r.Float64()
	v := window{h: max(int(s*float64(height)), 1), w: max(int(s*float64(width)), 1)}
	v.y, v.x = r.IntN(height-v.h+1), r.IntN(width-v.w+1)
	v.flip = r.IntN(2) == 1
	return v
}

// tap is a linear interpolation between two neighbours of a row.
type tap struct {
	low, high int
	share     float32 // of high
}

// tapAt interpolates at a position of a row from index from to index to.
func tapAt(at float64, from, to int) tap {
	at = min(max(at, float64(from)), float64(to))
	low := int(at)
	return tap{low, min(low+1, to), float32(at - float64(low))}
}

// taps says between which cells, of stride pixels each, from low to high, n cells lie that
// share size pixels from one on evenly (half-pixel centres).
func taps(n, from, size, stride, low, high int, flip bool) []tap {
	out := make([]tap, n)
	for i := range out {
		k := i
		if flip {
			k = n - 1 - i
		}
		middle := float64(from) + (float64(k)+0.5)*float64(size)/float64(n)
		out[i] = tapAt(middle/float64(stride)-0.5, low, high)
	}
	return out
}

// show writes what the window shows of an image, in its size, planar RGB.
func (v window) show(dst []float32, m *raster.Image) {
	rows := taps(m.H, v.y, v.h, 1, v.y, v.y+v.h-1, false)
	columns := taps(m.W, v.x, v.w, 1, v.x, v.x+v.w-1, v.flip)
	inParallel(0, 3*m.H, func(from, to int) {
		for at := from; at < to; at++ {
			src, r, dst := m.Plane(at/m.H), rows[at%m.H], dst[at*m.W:]
			low, high := src[r.low*m.W:(r.low+1)*m.W], src[r.high*m.W:(r.high+1)*m.W]
			for x, t := range columns {
				dst[x] = lerp(lerp(low[t.low], low[t.high], t.share), lerp(high[t.low], high[t.high], t.share), r.share)
			}
		}
	})
}

func lerp(a, b, t float32) float32 { return a + t*(b-a) }

// back fills m [n,n] with what brings a map of n rows (or columns), of what a window of size
// pixels from pixel from on shows, back to the image of so many pixels: m·map. Rows outside of
// the window are 0.
func back(m []float32, n, pixels, from, size int, flip bool) {
	clear(m)
	for i := range n {
		at := (float64(i)+0.5)*float64(pixels)/float64(n) - float64(from)
		if at < 0 || at >= float64(size) {
			continue
		}
		at = at/float64(size)*float64(n) - 0.5
		if flip {
			at = float64(n) - 1 - at
		}
		t := tapAt(at, 0, n-1)
		m[i*n+t.low] += 1 - t.share
		m[i*n+t.high] += t.share
	}
}
