package quantize

import "math"

const (
	bins   = 2048 // of a histogram
	levels = 128  // of int8's positive half, which entropy compares with
	// nothing stands for a share of 0 in a logarithm, as in ONNX Runtime's smoothing.
	nothing = 1e-4
	rarest  = 1e-5 // share of values that percentile leaves out, both ends together
)

// histogram counts values in bins of equal width from low on; with entropy it counts magnitudes.
type histogram struct {
	low, width float64
	magnitudes bool
	counts     [bins]int64
	total      int64
}

func newHistogram(r span, by Method) *histogram {
	h := &histogram{low: r.Min, magnitudes: by == Entropy}
	high := r.Max
	if h.magnitudes {
		h.low, high = 0, max(math.Abs(r.Min), math.Abs(r.Max))
	}
	h.width = (high - h.low) / bins
	return h
}

func (h *histogram) add(data []float32) {
	h.total += int64(len(data))
	if h.width == 0 {
		h.counts[0] += int64(len(data))
		return
	}
	for _, x := range data {
		v := float64(x)
		if h.magnitudes {
			v = math.Abs(v)
		}
		h.counts[min(max(int((v-h.low)/h.width), 0), bins-1)]++
	}
}

// percentile returns the range that leaves out a share of all values, half of it at each end; its
// ends are ends of bins.
func (h *histogram) percentile(share float64) span {
	spare := int64(share / 2 * float64(h.total))
	first, last := 0, bins-1
	for n := h.counts[first]; n <= spare && first < last; n += h.counts[first] {
		first++
	}
	for n := h.counts[last]; n <= spare && first < last; n += h.counts[last] {
		last--
	}
	return span{h.low + float64(first)*h.width, h.low + float64(last+1)*h.width}
}

// entropy returns the magnitude at which to clip: among those of 128, 129, … 2048 bins the one at
// which the clipped distribution and its reduction to 128 levels differ least (Kullback-Leibler).
// Zeros, which a ReLU makes many of and every grid has, do not count: the first bin takes the second
// one's count, as in NVIDIA's pytorch-quantization.
func (h *histogram) entropy() float64 {
	best, at := math.Inf(1), bins
	counts := h.counts
	counts[0] = counts[1]
	var outside int64
	for _, c := range counts[levels:] {
		outside += c
	}
	for i := levels; i <= bins; i++ {
		if d := divergence(counts[:i], outside); d < best {
			best, at = d, i
		}
		if i < bins {
			outside -= counts[i]
		}
	}
	return float64(at) * h.width
}

// divergence compares counts, those outside added to the last one, with the same counts without
// those outside after a reduction to levels: each group of bins shares its sum among its bins that
// are not empty.
func divergence(counts []int64, outside int64) float64 {
	n := len(counts)
	var inside int64
	for _, c := range counts {
		inside += c
	}
	if inside == 0 {
		return math.Inf(1)
	}
	p, q := 1/float64(inside+outside), 1/float64(inside)
	d := 0.0
	for g := range levels {
		from, to := g*n/levels, (g+1)*n/levels
		var sum int64
		filled := 0
		for _, c := range counts[from:to] {
			sum += c
			if c > 0 {
				filled++
			}
		}
		for i := from; i < to; i++ {
			c := counts[i]
			if i == n-1 {
				c += outside
			}
			switch {
			case c == 0:
			case counts[i] == 0: // all of it from outside: the reduction has nothing there
				d += float64(c) * p * math.Log(float64(c)*p/nothing)
			default:
				d += float64(c) * p * math.Log(float64(c)*p/(float64(sum)/float64(filled)*q))
			}
		}
	}
	return d
}
