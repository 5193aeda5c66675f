package graphtest

import (
	"math"

	"t2sda/graphs"
)

// Round returns x as the nearest value of dt, of two equally near ones that with the even last
// digit; beyond the largest lies infinity. Types other than Float16 and BFloat16 leave it as it is.
func Round(dt graphs.DType, x float64) float64 {
	var digits, least int // of the significand; exponent of the smallest step
	var most float64
	switch dt {
	case graphs.Float16:
		digits, least, most = 11, -24, 65504
	case graphs.BFloat16:
		digits, least, most = 8, -133, math.Ldexp(255, 120)
	default:
		return x
	}
	_, exponent := math.Frexp(x) // |x| < 2^exponent
	step := max(exponent-digits, least)
	y := math.Ldexp(math.RoundToEven(math.Ldexp(x, -step)), step)
	if math.Abs(y) > most {
		return math.Copysign(math.Inf(1), x)
	}
	return y
}

// rounded returns a in the precision of dt, a itself for types that are held exactly.
func rounded(dt graphs.DType, a Array) Array {
	if dt != graphs.Float16 && dt != graphs.BFloat16 {
		return a
	}
	out := New(a.Shape...)
	for i, x := range a.Data {
		out.Data[i] = Round(dt, x)
	}
	return out
}
