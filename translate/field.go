package translate

import (
	"math/rand/v2"

	"t2sda/internal/raster"
)

// field is a quantity over a picture, [h,w].
type field struct {
	w, h int
	v    []float32
}

func newField(w, h int) *field { return &field{w, h, make([]float32, w*h)} }

// clone returns a copy.
func (f *field) clone() *field { return &field{f.w, f.h, append([]float32(nil), f.v...)} }

// aspect returns the width in heights, for numbers of things on a picture: bounded, so
// that a strip of few rows does not get millions.
func (f *field) aspect() float64 { return min(float64(f.w)/float64(f.h), 8) }

// lumaOf returns the luma of an image, 0–255.
func lumaOf(m *raster.Image) *field {
	out := newField(m.W, m.H)
	red, green, blue := planes(m)
	for i := range red {
		out.v[i] = luma(red[i], green[i], blue[i])
	}
	return out
}

// shrunk returns the means of k×k squares; those at the right and lower rim may
// be cut.
func (f *field) shrunk(k int) *field {
	out := newField((f.w+k-1)/k, (f.h+k-1)/k)
	for y := range out.h {
		rows := min((y+1)*k, f.h) - y*k
		sums := out.v[y*out.w : (y+1)*out.w]
		for r := range rows {
			row := f.v[(y*k+r)*f.w : (y*k+r+1)*f.w]
			for x := range sums {
				for _, v := range row[x*k : min((x+1)*k, f.w)] {
					sums[x] += v
				}
			}
		}
		for x := range sums {
			sums[x] /= float32(rows * (min((x+1)*k, f.w) - x*k))
		}
	}
	return out
}

// blur blurs the field in place by a Gaussian of σ px, as [BlurParams] has it.
func (f *field) blur(sigma float64) {
	scratch := make([]float32, len(f.v))
	blurRows(scratch, f.v, f.w, kernel(sigma, f.w))
	blurColumns(f.v, scratch, f.w, f.h, kernel(sigma, f.h))
}

// box returns the means of squares of 2·radius+1 px, cut at the rim.
func (f *field) box(radius int) *field {
	rows, out := newField(f.w, f.h), newField(f.w, f.h)
	for y := range f.h {
		src, dst := f.v[y*f.w:(y+1)*f.w], rows.v[y*f.w:(y+1)*f.w]
		sum, lo, hi := 0.0, 0, 0
		for x := range dst {
			for ; hi < min(x+radius+1, f.w); hi++ {
				sum += float64(src[hi])
			}
			for ; lo < x-radius; lo++ {
				sum -= float64(src[lo])
			}
			dst[x] = float32(sum / float64(hi-lo))
		}
	}
	sums, lo, hi := make([]float64, f.w), 0, 0
	for y := range f.h {
		for ; hi < min(y+radius+1, f.h); hi++ {
			for x, v := range rows.v[hi*f.w : (hi+1)*f.w] {
				sums[x] += float64(v)
			}
		}
		for ; lo < y-radius; lo++ {
			for x, v := range rows.v[lo*f.w : (lo+1)*f.w] {
				sums[x] -= float64(v)
			}
		}
		for x := range sums {
			out.v[y*f.w+x] = float32(sums[x] / float64(hi-lo))
		}
	}
	return out
}

// enlarger interpolates a small field for a picture of w × h px, row by row: linearly,
// or smoothly, without creases at the small pixels' centres.
type enlarger struct {
	f      *field
	smooth bool
	scale  float32   // small rows per row
	left   []int     // by column: the small one to its left
	share  []float32 // and that of the one to the right
	mixed  []float32 // scratch: a row of the small field's width
}

func newEnlarger(f *field, w, h int, smooth bool) *enlarger {
	e := &enlarger{f: f, smooth: smooth, scale: float32(f.h) / float32(h), left: make([]int, w), share: make([]float32, w), mixed: make([]float32, f.w)}
	for x := range w {
		e.left[x], e.share[x] = e.neighbours((float32(x)+0.5)*float32(f.w)/float32(w)-0.5, f.w)
	}
	return e
}

// row writes row y of the picture.
func (e *enlarger) row(dst []float32, y int) {
	top, share := e.neighbours((float32(y)+0.5)*e.scale-0.5, e.f.h)
	a := e.f.v[top*e.f.w : (top+1)*e.f.w]
	b := e.f.v[min(top+1, e.f.h-1)*e.f.w:][:e.f.w]
	for x := range e.mixed {
		e.mixed[x] = a[x] + share*(b[x]-a[x])
	}
	last := e.f.w - 1
	for x, left := range e.left[:len(dst)] {
		v := e.mixed[left]
		dst[x] = v + e.share[x]*(e.mixed[min(left+1, last)]-v)
	}
}

// neighbours returns the place of n below a position, and the share of the next.
func (e *enlarger) neighbours(at float32, n int) (int, float32) {
	at = min(max(at, 0), float32(n-1))
	i := int(at)
	share := at - float32(i)
	if e.smooth {
		share = smoothstep(0, 1, share)
	}
	return i, share
}

// clouds returns fractal noise of mean about 1/2 within 0–1: white noise on
// lattices, of which the coarsest has cells of the given size in px, each further
// one half the cell and half the weight (Perlin, SIGGRAPH 1985).
func clouds(r *rand.Rand, w, h int, cell float64, octaves int) *field {
	out := newField(w, h)
	row := make([]float32, w)
	cell = max(cell, 1)
	weight, total := float32(1), float32(0)
	for range octaves {
		lattice := newField(int(float64(w)/cell)+2, int(float64(h)/cell)+2)
		for i := range lattice.v {
			lattice.v[i] = r.Float32()
		}
		e := newEnlarger(lattice, int(float64(lattice.w)*cell), int(float64(lattice.h)*cell), true)
		for y := range h {
			e.row(row, y)
			for x, v := range row {
				out.v[y*w+x] += weight * v
			}
		}
		total += weight
		weight, cell = weight/2, max(cell/2, 1)
	}
	for i := range out.v {
		out.v[i] /= total
	}
	return out
}

// smoothstep is 0 below lo, 1 above hi, and smooth between.
func smoothstep(lo, hi, v float32) float32 {
	t := min(max((v-lo)/(hi-lo), 0), 1)
	return t * t * (3 - 2*t)
}
