package translate

import (
	"math"
	"slices"
)

const (
	noiseStep = 0.25 // grey levels a bin of |HH|
	noiseBins = 512  // the last one holds all that is above

	// flatShare is the share of an image's cells, the flattest ones, in which
	// noise is measured.
	flatShare = 0.3

	// fewestCells is what a band needs to be trusted.
	fewestCells = 400
)

// noiseTally counts the absolute coefficients of the diagonal Haar band per
// luma band, in cells that are flat at the next coarser scale. For white noise
// the coefficients and what flatness is judged by are independent.
type noiseTally struct {
	count [noiseBands][noiseBins]int32
}

// measure counts the cells of a plane [h,w]; guide is the luma that chooses the
// band. Both are in grey levels except that a halved plane holds orthonormal
// coefficients.
func (t *noiseTally) measure(plane, guide []float32, w, h int) {
	cw, ch := w/2, h/2
	mean := halve(plane, w, h) // twice the mean of a cell
	limit := roughest(mean, cw, ch)
	for y := 1; y < ch-1; y++ {
		for x := 1; x < cw-1; x++ {
			if i := y*cw + x; roughness(mean, cw, i) <= limit {
				i = 2*y*w + 2*x
				hh := abs(plane[i]-plane[i+1]-plane[i+w]+plane[i+w+1]) / 2
				g := (guide[i] + guide[i+1] + guide[i+w] + guide[i+w+1]) / 4
				t.count[level(g)*noiseBands/levels][min(int(hh/noiseStep), noiseBins-1)]++
			}
		}
	}
}

// roughest returns what flatShare of the cells do not exceed, by a sample.
func roughest(mean []float32, w, h int) float32 {
	const samples = 4096
	inner := max((w-2)*(h-2), 0)
	step := max(inner/samples, 1) | 1 // odd: no column is left out where w−2 is even
	var sample []float32
	for k := 0; k < inner; k += step {
		sample = append(sample, roughness(mean, w, (k/(w-2)+1)*w+k%(w-2)+1))
	}
	if len(sample) == 0 {
		return 0
	}
	slices.Sort(sample)
	return sample[int(flatShare*float64(len(sample)))]
}

// roughness is how much the cells around cell i differ.
func roughness(mean []float32, w, i int) float32 {
	return abs(mean[i+1]-mean[i-1]) + abs(mean[i+w]-mean[i-w])
}

func (t *noiseTally) add(o *noiseTally) {
	for b := range t.count {
		for k, n := range o.count[b] {
			t.count[b][k] += n
		}
	}
}

// levels returns the noise's deviation per band, σ = median|HH| / 0.6745
// (Donoho and Johnstone, Biometrika 1994). Bands that hold too few cells take
// the level of the nearest one that does not.
func (t *noiseTally) levels() (sigma []float64, known []bool) {
	out := make([]float64, noiseBands)
	known = make([]bool, noiseBands)
	for b := range out {
		total := int64(0)
		for _, n := range t.count[b] {
			total += int64(n)
		}
		if known[b] = total >= fewestCells; known[b] {
			out[b] = medianOf(&t.count[b], total) / 0.6745
		}
	}
	return nearestKnown(out, known), known
}

// medianOf interpolates within the bin that holds the median.
func medianOf(count *[noiseBins]int32, total int64) float64 {
	half, below := float64(total)/2, 0.0
	for k, n := range count {
		if below+float64(n) >= half {
			return noiseStep * (float64(k) + (half-below)/math.Max(float64(n), 1))
		}
		below += float64(n)
	}
	return 0
}

// nearestKnown fills the unknown values with those of the nearest known index,
// the lower one of two; without any, with 0.
func nearestKnown(v []float64, known []bool) []float64 {
	out := slices.Clone(v)
	for i := range out {
		for d := 1; !known[i] && d < len(v); d++ {
			if i-d >= 0 && known[i-d] {
				out[i] = v[i-d]
				break
			}
			if i+d < len(v) && known[i+d] {
				out[i] = v[i+d]
				break
			}
		}
	}
	return out
}

// halve returns the orthonormal Haar approximation of a plane: half the sum of
// every 2×2 cell.
func halve(plane []float32, w, h int) []float32 {
	cw, ch := w/2, h/2
	out := make([]float32, cw*ch)
	for y := range ch {
		for x := range cw {
			i := 2*y*w + 2*x
			out[y*cw+x] = (plane[i] + plane[i+1] + plane[i+w] + plane[i+w+1]) / 2
		}
	}
	return out
}

// scaled multiplies a plane in place.
func scaled(plane []float32, f float32) []float32 {
	for i := range plane {
		plane[i] *= f
	}
	return plane
}

func abs(v float32) float32 {
	if v < 0 {
		return -v
	}
	return v
}
