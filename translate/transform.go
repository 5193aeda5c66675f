package translate

import (
	"image"
	"sync"

	"t2sda/internal/raster"
)

// transform is the 2-D Fourier transform restricted to a window around
// frequency 0: two passes of thin products, rows first.
//
// A spectrum is [3][2bv+1][2bu+1] real numbers: products of a horizontal wave
// (row axis order) and a vertical wave (column axis order). Products of
// cosines and sines hold what the complex coefficients of v ≥ 0 do; those of
// v < 0 are their conjugates.
type transform struct {
	rows    *axis // along x, length W
	columns *axis // along y, length H
	workers int
}

// spectrum returns the image's window.
func (t transform) spectrum(m *raster.Image) []float64 {
	kx, ky := t.rows.coefficients(), t.columns.coefficients()
	half := make([]float64, 3*kx*m.H) // [3][kx][H]: rows are transformed
	t.parallel(3*m.H, func(lo, hi int) {
		scratch, coef := t.rows.scratch(), make([]float64, kx)
		for row := lo; row < hi; row++ {
			analyse(t.rows, coef, m.Pix[row*m.W:(row+1)*m.W], scratch)
			at := row/m.H*kx*m.H + row%m.H
			for k, v := range coef {
				half[at+k*m.H] = v
			}
		}
	})
	out := make([]float64, 3*kx*ky)
	t.parallel(3*kx, func(lo, hi int) {
		scratch := t.columns.scratch()
		for k := lo; k < hi; k++ {
			analyse(t.columns, out[k*ky:(k+1)*ky], half[k*m.H:(k+1)*m.H], scratch)
		}
	})
	return out
}

// coefficient returns the complex coefficients (u,v) and (−u,v), u, v ≥ 0, of
// one channel: with C, S the cosine and sine sums along y and x,
// Σ x·(Cy − iSy)(Cx − iSx) and Σ x·(Cy + iSy)(Cx − iSx).
func (t transform) coefficient(s []float64, u, v int) (plus, minus complex128) {
	ky := t.columns.coefficients()
	cosine := s[t.rows.cos[v]*ky:][:ky]
	var cc, cs, sc, ss float64 // wave along x, wave along y
	cc = cosine[t.columns.cos[u]]
	if u > 0 {
		cs = cosine[t.columns.sin[u]]
	}
	if v > 0 {
		sine := s[t.rows.sin[v]*ky:][:ky]
		sc = sine[t.columns.cos[u]]
		if u > 0 {
			ss = sine[t.columns.sin[u]]
		}
	}
	return complex(cc-ss, -cs-sc), complex(cc+ss, cs-sc)
}

// setChange is the way back: it stores what (u,v), (−u,v) and their conjugates
// contribute to the inverse transform, as weights of the four products.
func (t transform) setChange(s []float64, u, v int, plus, minus complex128) {
	ky := t.columns.coefficients()
	scale := 1 / float64(t.rows.n*t.columns.n)
	if v > 0 {
		scale *= 2 // with its conjugate at −v
	}
	if u == 0 {
		minus = 0 // the same coefficient as plus
	}
	sum, diff := plus+minus, plus-minus
	cosine := s[t.rows.cos[v]*ky:][:ky]
	cosine[t.columns.cos[u]] = scale * real(sum)
	if u > 0 {
		cosine[t.columns.sin[u]] = -scale * imag(diff)
	}
	if v > 0 {
		sine := s[t.rows.sin[v]*ky:][:ky]
		sine[t.columns.cos[u]] = -scale * imag(sum)
		if u > 0 {
			sine[t.columns.sin[u]] = -scale * real(diff)
		}
	}
}

// add returns a rectangle of the image plus the inverse transform of the
// spectrum that setChange has filled.
func (t transform) add(m *raster.Image, spectrum []float64, crop image.Rectangle, clip bool) *raster.Image {
	kx, ky := t.rows.coefficients(), t.columns.coefficients()
	half := make([]float64, 3*kx*m.H) // [3][kx][H]
	t.parallel(3*kx, func(lo, hi int) {
		scratch := t.columns.scratch()
		for k := lo; k < hi; k++ {
			t.columns.synthesise(half[k*m.H:(k+1)*m.H], spectrum[k*ky:(k+1)*ky], scratch)
		}
	})
	out := raster.NewImage(crop.Dx(), crop.Dy())
	t.parallel(3*out.H, func(lo, hi int) {
		scratch, coef, change := t.rows.scratch(), make([]float64, kx), make([]float64, m.W)
		for row := lo; row < hi; row++ {
			c, y := row/out.H, crop.Min.Y+row%out.H
			for k := range coef {
				coef[k] = half[(c*kx+k)*m.H+y]
			}
			t.rows.synthesise(change, coef, scratch)
			from := (c*m.H+y)*m.W + crop.Min.X
			addRow(out.Pix[row*out.W:(row+1)*out.W], m.Pix[from:from+out.W], change[crop.Min.X:crop.Max.X], clip)
		}
	})
	return out
}

// addRow writes src + change to dst, all of one length.
func addRow(dst, src []float32, change []float64, clip bool) {
	src, change = src[:len(dst)], change[:len(dst)]
	if !clip {
		for i := range dst {
			dst[i] = src[i] + float32(change[i])
		}
		return
	}
	for i := range dst {
		dst[i] = clip255(src[i] + float32(change[i]))
	}
}

// parallel calls f on consecutive ranges of [0, n), on t.workers goroutines.
// Ranges write to different places, so results do not depend on their number.
func (t transform) parallel(n int, f func(lo, hi int)) {
	if t.workers == 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for w := range t.workers {
		wg.Go(func() { f(w*n/t.workers, (w+1)*n/t.workers) })
	}
	wg.Wait()
}
