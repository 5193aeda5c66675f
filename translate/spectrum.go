package translate

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

const (
	tileSide     = 32 // pixels
	spectrumBins = tileSide / 2
	mostTiles    = 8 // along an axis of an image
)

// spectrum adds the power of tiles spread evenly over the image: mean removed,
// Hann window (so that edges of the tile are no edges of the picture), averaged
// over all directions.
func (t *tally) spectrum() {
	w, h := t.planes.w, t.planes.h
	f := fourier.NewCmplxFFT(tileSide)
	window, energy := hann()
	tile, column := make([]complex128, tileSide*tileSide), make([]complex128, tileSide)
	nx, ny := min(w/tileSide, mostTiles), min(h/tileSide, mostTiles)
	for ty := range ny {
		for tx := range nx {
			x0, y0 := spread(tx, nx, w), spread(ty, ny, h)
			load(tile, t.planes.y, nil, y0*w+x0, w, window)
			transformRows(f, tile)
			collect(&t.power[0], f, tile, column, energy)
			// The power of U + iV, over all directions, is the sum of both powers.
			load(tile, t.planes.u, t.planes.v, y0*w+x0, w, window)
			transformRows(f, tile)
			collect(&t.power[1], f, tile, column, energy)
			t.tiles++
		}
	}
}

// spread returns where tile i of n begins along an axis.
func spread(i, n, side int) int {
	if n == 1 {
		return (side - tileSide) / 2
	}
	return i * (side - tileSide) / (n - 1)
}

// hann returns the window and the mean square of its 2-D product.
func hann() (window [tileSide]float64, energy float64) {
	for i := range window {
		window[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/tileSide)
		energy += window[i] * window[i] / tileSide
	}
	return window, energy * energy
}

// load writes the tile at a position of the planes (the second one may be nil).
func load(tile []complex128, re, im []float32, at, stride int, window [tileSide]float64) {
	mean := complex(0, 0)
	for y := range tileSide {
		for x := range tileSide {
			i := at + y*stride + x
			v := complex(float64(re[i]), 0)
			if im != nil {
				v = complex(real(v), float64(im[i]))
			}
			tile[y*tileSide+x] = v
			mean += v
		}
	}
	mean /= tileSide * tileSide
	for y := range tileSide {
		for x := range tileSide {
			v := tile[y*tileSide+x] - mean
			tile[y*tileSide+x] = v * complex(window[x]*window[y], 0)
		}
	}
}

func transformRows(f *fourier.CmplxFFT, tile []complex128) {
	for r := range tileSide {
		row := tile[r*tileSide : (r+1)*tileSide]
		f.Coefficients(row, row)
	}
}

// collect transforms the columns of a tile whose rows are transformed, and adds
// the mean power of each ring of frequencies.
func collect(power *[spectrumBins]float64, f *fourier.CmplxFFT, tile, column []complex128, energy float64) {
	var sum, n [spectrumBins]float64
	for x := range tileSide {
		for y := range tileSide {
			column[y] = tile[y*tileSide+x]
		}
		f.Coefficients(column, column)
		fx := math.Min(float64(x), float64(tileSide-x))
		for y, c := range column {
			fy := math.Min(float64(y), float64(tileSide-y))
			if k := int(math.Round(math.Hypot(fx, fy))) - 1; k >= 0 && k < spectrumBins {
				sum[k] += real(c)*real(c) + imag(c)*imag(c)
				n[k]++
			}
		}
	}
	for k := range sum {
		power[k] += sum[k] / n[k] / (energy * tileSide * tileSide)
	}
}
