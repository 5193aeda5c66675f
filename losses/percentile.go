package losses

import (
	"fmt"
	"math"
)

// Percentile returns the p-th percentile (p in 0 … 100) of values with linear
// interpolation between order statistics, as numpy.percentile does by default:
// the value at rank p/100 · (n−1) of the sorted values. It is NaN when a value
// is NaN. values are not modified, and nothing is allocated.
//
// (gonum's stat.Quantile needs sorted data and its LinInterp places ranks at
// p·n, which is another percentile.)
//
// It panics when values is empty or p is out of range.
func Percentile(values []float32, p float64) float64 {
	if len(values) == 0 || !(p >= 0 && p <= 100) {
		panic(fmt.Sprintf("losses: percentile %g of %d values", p, len(values)))
	}
	for _, v := range values {
		if v != v {
			return math.NaN()
		}
	}
	rank := p / 100 * float64(len(values)-1)
	k := int(rank)
	low, upTo := selectRank(values, k)
	t := rank - float64(k)
	if t == 0 || upTo > k+1 { // the next order statistic is the same value
		return float64(low)
	}
	return lerp(float64(low), float64(nextAbove(values, low)), t)
}

// lerp interpolates as numpy's quantile does, from the nearer end, so that the
// result is monotonic in t and exact at both ends.
func lerp(a, b, t float64) float64 {
	if t >= 0.5 {
		return b - (b-a)*(1-t)
	}
	return a + (b-a)*t
}

// selectRank returns the k-th smallest value (k from 0) and how many values
// are not larger than it. It is a radix selection from the most significant
// digit: three passes of 11, 11 and 10 bits whatever the data, and ties, which
// saturated confidences have many of, cost nothing.
func selectRank(values []float32, k int) (value float32, upTo int) {
	var prefix, mask uint32 // the digits known so far
	below := 0              // values smaller than all that match the prefix
	equal := 0
	for _, digit := range [...]struct{ shift, bits int }{{21, 11}, {10, 11}, {0, 10}} {
		var counts [1 << 11]int
		radix := uint32(1)<<digit.bits - 1
		for _, v := range values {
			if key := orderedBits(v); key&mask == prefix {
				counts[key>>digit.shift&radix]++
			}
		}
		d := 0
		for below+counts[d] <= k {
			below += counts[d]
			d++
		}
		equal = counts[d]
		prefix |= uint32(d) << digit.shift
		mask |= radix << digit.shift
	}
	return fromOrderedBits(prefix), below + equal
}

// nextAbove returns the smallest value above low, which must exist.
func nextAbove(values []float32, low float32) float32 {
	next := float32(math.Inf(1))
	for _, v := range values {
		if v > low && v < next {
			next = v
		}
	}
	return next
}

// orderedBits maps floats to integers of the same order. −0 becomes 0 first,
// since they are equal.
func orderedBits(v float32) uint32 {
	b := math.Float32bits(v + 0)
	if b&(1<<31) != 0 {
		return ^b
	}
	return b | 1<<31
}

func fromOrderedBits(b uint32) float32 {
	if b&(1<<31) != 0 {
		return math.Float32frombits(b &^ (1 << 31))
	}
	return math.Float32frombits(^b)
}
