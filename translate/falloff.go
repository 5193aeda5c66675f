package translate

import "math"

const (
	falloffCell = 8 // pixels: luma is averaged over squares, so that noise hardly counts

	// Between the same thing's neighbouring cells luma changes by less than this
	// factor, edges of things by more.
	falloffEdge = 0.1

	falloffDark, falloffBright = 16, 239 // beyond, the tone curve bends or clips
)

// falloff estimates how light falls off from the middle of pictures. The
// horizontal gradients of log luma along one thing's surface point outwards as
// often as inwards; what is left of their mean is the vignette's (the symmetry of
// Zheng et al., IEEE PAMI 2009; horizontal ones only, since skies and roads have
// gradients of their own vertically).
//
// For the gain 1 − v·ρ² ≈ exp(−v·ρ²) a gradient is −v·Δρ², hence
// v = −Σ d·Δρ² / Σ (Δρ²)².
type falloff struct{ cross, square float64 }

// measure replaces the sums by those of a plane [h,w] of luma.
func (f *falloff) measure(luma []float32, w, h int) {
	*f = falloff{}
	columns := w / falloffCell
	diagonal2 := float64(w*w+h*h) / 4
	row := make([]float64, columns)
	for y := 0; y+falloffCell <= h; y += falloffCell {
		cellMeans(row, luma[y*w:], w)
		for x := 1; x < columns; x++ {
			a, b := row[x-1], row[x]
			if min(a, b) < falloffDark || max(a, b) > falloffBright {
				continue
			}
			d := math.Log(b / a)
			if math.Abs(d) > falloffEdge {
				continue
			}
			right := (float64(x)+0.5)*falloffCell - float64(w)/2 // middle of cell x, from the image's
			left := right - falloffCell
			outwards := (right*right - left*left) / diagonal2
			f.cross += d * outwards
			f.square += outwards * outwards
		}
	}
}

// cellMeans averages the cells of falloffCell rows.
func cellMeans(dst []float64, rows []float32, w int) {
	for x := range dst {
		sum := float32(0)
		for y := range falloffCell {
			at := y*w + x*falloffCell
			for _, v := range rows[at : at+falloffCell] {
				sum += v
			}
		}
		dst[x] = float64(sum) / (falloffCell * falloffCell)
	}
}

func (f *falloff) add(o falloff) {
	f.cross += o.cross
	f.square += o.square
}

// vignette returns v.
func (f *falloff) vignette() float64 {
	if f.square == 0 {
		return 0
	}
	return -f.cross / f.square
}
