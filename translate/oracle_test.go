package translate

import (
	"math/cmplx"

	"gonum.org/v1/gonum/dsp/fourier"

	"t2sda/internal/raster"
)

// fullFFT is FDA by complete 2-D transforms: the oracle.
type fullFFT struct {
	w, h          int
	rows, columns *fourier.CmplxFFT
}

func newFullFFT(w, h int) *fullFFT {
	return &fullFFT{w: w, h: h, rows: fourier.NewCmplxFFT(w), columns: fourier.NewCmplxFFT(h)}
}

// pass transforms the rows, then the columns of x, [h,w], in place.
func (f *fullFFT) pass(x []complex128, rows, columns func(dst, src []complex128) []complex128) {
	for y := range f.h {
		rows(x[y*f.w:(y+1)*f.w], x[y*f.w:(y+1)*f.w])
	}
	column := make([]complex128, f.h)
	for i := range f.w {
		for y := range column {
			column[y] = x[y*f.w+i]
		}
		columns(column, column)
		for y, v := range column {
			x[y*f.w+i] = v
		}
	}
}

func (f *fullFFT) forward(plane []float32) []complex128 {
	x := make([]complex128, len(plane))
	for i, v := range plane {
		x[i] = complex(float64(v), 0)
	}
	f.pass(x, f.rows.Coefficients, f.columns.Coefficients)
	return x
}

// translate replaces the amplitudes of frequencies −lo ≤ u ≤ hi (bu, bv per
// axis; hi = b−1 when asymmetric) as the paper's text says, without clipping.
func (f *fullFFT) translate(source, target *raster.Image, bu, bv int, asymmetric bool) *raster.Image {
	hiU, hiV := bu, bv
	if asymmetric {
		hiU, hiV = bu-1, bv-1
	}
	out := raster.NewImage(f.w, f.h)
	n := float64(f.w * f.h)
	for c := range 3 {
		s, t := f.forward(source.Plane(c)), f.forward(target.Plane(c))
		for u := -bu; u <= hiU; u++ {
			for v := -bv; v <= hiV; v++ {
				i := (u+f.h)%f.h*f.w + (v+f.w)%f.w
				phase := 0.0
				if cmplx.Abs(s[i]) > zeroAmplitude*n {
					phase = cmplx.Phase(s[i])
				}
				s[i] = cmplx.Rect(cmplx.Abs(t[i]), phase)
			}
		}
		f.pass(s, f.rows.Sequence, f.columns.Sequence)
		for i, v := range s {
			out.Plane(c)[i] = float32(real(v) / n)
		}
	}
	return out
}

// realFFT is the strongest full-transform opponent at hand: real transforms
// along x, complex ones along y of the W/2+1 columns that remain.
type realFFT struct {
	w, h, half int
	rows       *fourier.FFT
	columns    *fourier.CmplxFFT
}

func newRealFFT(w, h int) *realFFT {
	return &realFFT{w: w, h: h, half: w/2 + 1, rows: fourier.NewFFT(w), columns: fourier.NewCmplxFFT(h)}
}

// forward returns the half spectrum, transposed: [W/2+1, H].
func (f *realFFT) forward(plane []float32) []complex128 {
	x := make([]complex128, f.half*f.h)
	row, coef := make([]float64, f.w), make([]complex128, f.half)
	for y := range f.h {
		for i, v := range plane[y*f.w : (y+1)*f.w] {
			row[i] = float64(v)
		}
		f.rows.Coefficients(coef, row)
		for v, c := range coef {
			x[v*f.h+y] = c
		}
	}
	for v := range f.half {
		column := x[v*f.h : (v+1)*f.h]
		f.columns.Coefficients(column, column)
	}
	return x
}

func (f *realFFT) translate(source, target *raster.Image, bu, bv int) *raster.Image {
	out := raster.NewImage(f.w, f.h)
	row, coef := make([]float64, f.w), make([]complex128, f.half)
	for c := range 3 {
		s, t := f.forward(source.Plane(c)), f.forward(target.Plane(c))
		for v := range bv + 1 {
			for u := -bu; u <= bu; u++ {
				i := v*f.h + (u+f.h)%f.h
				s[i] = cmplx.Rect(cmplx.Abs(t[i]), cmplx.Phase(s[i]))
			}
		}
		for v := range f.half {
			column := s[v*f.h : (v+1)*f.h]
			f.columns.Sequence(column, column)
		}
		for y := range f.h {
			for v := range coef {
				coef[v] = s[v*f.h+y]
			}
			f.rows.Sequence(row, coef)
			for i, v := range row {
				out.Plane(c)[y*f.w+i] = float32(v / float64(f.w*f.h))
			}
		}
	}
	return out
}
