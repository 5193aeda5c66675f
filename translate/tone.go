package translate

import (
	"math"
	"slices"
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

// over returns the mean of f over the ranks that the pixels of a level take.
func (c *curve) over(l int, f func(rank float64) float64) float64 {
	const steps = 16
	from, to := c.cumulative[l], c.cumulative[l+1]
	sum := 0.0
	for k := range steps {
		sum += f(from+(to-from)*(float64(k)+0.5)/steps) / steps
	}
	return sum
}

// corrected returns a tone map for source whose outcome has the distribution of
// result, changed by what that differs from the target's: what later stages do
// to the distribution, noise above all, is made up for.
func corrected(tone []float64, source, result, target *curve) []float64 {
	const fewest = 1e-6
	off, known := make([]float64, levels), make([]bool, levels)
	for l := range off {
		if known[l] = source.cumulative[l+1]-source.cumulative[l] > fewest; known[l] {
			off[l] = source.over(l, func(rank float64) float64 { return target.quantile(rank) - result.quantile(rank) })
		}
	}
	off = nearestKnown(off, known)
	out := make([]float64, levels)
	for l := range out {
		out[l] = tone[l] + off[l]
		if l > 0 {
			out[l] = max(out[l], out[l-1])
		}
	}
	return clipped(smooth(limitSlope(out, steepest), toneSmoothing/2))
}

// toneMap returns the monotone map of luma levels that gives pixels distributed
// as source the distribution of target: histogram specification (Gonzalez and
// Woods, Digital Image Processing, §3.3), with contrast limited and smoothed so
// that a spike in the source's histogram makes no step.
func toneMap(source, target *curve) []float64 {
	const fewest = 1e-6 // share of the pixels that makes a level worth following
	raw, known := make([]float64, levels), make([]bool, levels)
	for l := range raw {
		if known[l] = source.cumulative[l+1]-source.cumulative[l] > fewest; known[l] {
			raw[l] = source.over(l, target.quantile)
		}
	}
	bridge(raw, known)
	return clipped(smooth(limitSlope(raw, steepest), toneSmoothing))
}

// bridge fills unknown values on straight lines between their neighbours, and
// with slope 1 beyond the first and the last one.
func bridge(v []float64, known []bool) {
	last := -1
	for i := range v {
		if !known[i] {
			continue
		}
		for k := last + 1; k < i; k++ {
			if last < 0 {
				v[k] = v[i] - float64(i-k)
			} else {
				v[k] = v[last] + (v[i]-v[last])*float64(k-last)/float64(i-last)
			}
		}
		last = i
	}
	for k := last + 1; k < len(v); k++ {
		v[k] = v[last] + float64(k-last)
	}
}

// clipped limits luma to 0–255, in place.
func clipped(v []float64) []float64 {
	for i := range v {
		v[i] = min(max(v[i], 0), levels-1)
	}
	return v
}

// steepest is the largest slope of a tone map. Where many source pixels share a
// few levels (a road of one grey) the exact map would spread them over the whole
// range and show their rounding; contrast is limited as in CLAHE (Zuiderveld,
// Graphics Gems IV, 1994).
const steepest = 4

// limitSlope returns the middle between the largest map below v and the
// smallest map above it whose slopes are at most the limit. The result rises
// monotonically as v does, and a v without steeper places stays.
func limitSlope(v []float64, limit float64) []float64 {
	below, above := slices.Clone(v), slices.Clone(v)
	for l := 1; l < len(v); l++ {
		below[l] = min(v[l], below[l-1]+limit)
	}
	for l := len(v) - 2; l >= 0; l-- {
		above[l] = max(v[l], above[l+1]-limit)
	}
	for l := range below {
		below[l] = (below[l] + above[l]) / 2
	}
	return below
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
