package translate

import (
	"math"
	"sort"
)

const (
	toneSmoothing = 3.0 // grey levels: deviation of the Gaussian that smooths the tone map
	ranks         = 16  // bands of luma rank in which chroma is compared
)

// curve is the distribution of luma: cumulative[l] is the share of pixels
// darker than l − ½ (levels are bins of width 1 around their value).
type curve struct{ cumulative [levels + 1]float64 }

func newCurve(share []float64) *curve {
	c := &curve{}
	for l, s := range share {
		c.cumulative[l+1] = c.cumulative[l] + s
	}
	return c
}

// rank returns the share of pixels darker than luma y.
func (c *curve) rank(y float64) float64 {
	at := min(max(y+0.5, 0), levels)
	l := min(int(at), levels-1)
	return c.cumulative[l] + (at-float64(l))*(c.cumulative[l+1]-c.cumulative[l])
}

// quantile returns the luma below which the share q of the pixels lies; where
// none lies in between, the middle of the gap.
func (c *curve) quantile(q float64) float64 {
	total := c.cumulative[levels]
	q = min(max(q, 0), 1) * total
	const tiny = 1e-9
	up := sort.Search(levels, func(l int) bool { return c.cumulative[l+1] > q-tiny })
	down := sort.Search(levels, func(l int) bool { return c.cumulative[l+1] > q+tiny })
	return (c.invert(up, q) + c.invert(down, q)) / 2
}

func (c *curve) invert(l int, q float64) float64 {
	l = min(l, levels-1)
	share := c.cumulative[l+1] - c.cumulative[l]
	if share <= 0 {
		return float64(l)
	}
	return float64(l) - 0.5 + min(max((q-c.cumulative[l])/share, 0), 1)
}

// toneMap returns the monotone map of luma levels that gives pixels distributed
// as source the distribution of target: histogram specification (Gonzalez and
// Woods, Digital Image Processing, §3.3). Source levels that hardly a pixel has
// are bridged, and the map is smoothed so that a spike in the source's histogram
// makes no step.
func toneMap(source, target *curve) []float64 {
	raw := make([]float64, levels)
	for l := range raw {
		raw[l] = min(max(target.quantile(source.rank(float64(l))), 0), levels-1)
	}
	return smooth(raw, toneSmoothing)
}

// smooth convolves a map with a Gaussian. Beyond its ends the map is turned
// about them (2·end − mirrored), so that straight lines stay.
func smooth(v []float64, sigma float64) []float64 {
	n, radius := len(v), int(math.Ceil(3*sigma))
	at := func(i int) float64 {
		if i < 0 {
			return 2*v[0] - v[-i]
		}
		if i >= n {
			return 2*v[n-1] - v[2*(n-1)-i]
		}
		return v[i]
	}
	out := make([]float64, n)
	for i := range out {
		sum, weights := 0.0, 0.0
		for d := -radius; d <= radius; d++ {
			w := math.Exp(-float64(d*d) / (2 * sigma * sigma))
			sum += w * at(i+d)
			weights += w
		}
		out[i] = sum / weights
	}
	return out
}

// slopes returns the derivative of a map by central differences.
func slopes(v []float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		lo, hi := max(i-1, 0), min(i+1, len(v)-1)
		out[i] = (v[hi] - v[lo]) / float64(hi-lo)
	}
	return out
}

// rankMoments returns the mean and variance of chroma in bands of equal shares
// of the pixels, by rank of luma.
func rankMoments(c *curve, share []float64, m Moments) (mean, variance [ranks]float64) {
	var mass, sum, sum2 [ranks]float64
	for l, s := range share {
		if s == 0 {
			continue
		}
		lo, hi := c.cumulative[l], c.cumulative[l+1]
		second := m.Variance[l] + m.Mean[l]*m.Mean[l]
		for k := range ranks {
			part := min(hi, float64(k+1)/ranks) - max(lo, float64(k)/ranks)
			if part > 0 {
				mass[k] += part
				sum[k] += part * m.Mean[l]
				sum2[k] += part * second
			}
		}
	}
	for k := range ranks {
		if mass[k] > 0 {
			mean[k] = sum[k] / mass[k]
			variance[k] = max(sum2[k]/mass[k]-mean[k]*mean[k], 0)
		}
	}
	return mean, variance
}

// atRank interpolates between the middles of the bands.
func atRank(v *[ranks]float64, rank float64) float64 {
	at := min(max(rank*ranks-0.5, 0), ranks-1)
	k := min(int(at), ranks-2)
	return v[k] + (at-float64(k))*(v[k+1]-v[k])
}
