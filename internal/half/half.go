// Package half makes float16 of float32.
package half

import "math"

// Bits returns the bits of the float16 nearest to x, of two equally near ones the even one;
// beyond the largest finite one, 65504, that is infinity.
func Bits(x float32) uint16 {
	bits := math.Float32bits(x)
	sign, magnitude := uint16(bits>>16)&0x8000, bits&0x7fffffff
	switch {
	case magnitude > 0x7f800000:
		return sign | 0x7e00 // NaN
	case magnitude >= 0x47800000: // 2^16
		return sign | 0x7c00
	case magnitude < 0x38800000: // 2^-14: subnormal, of step 2^-24
		return sign | uint16(math.RoundToEven(math.Abs(float64(x))*(1<<24)))
	}
	// Rebias the exponent by 112, drop 13 digits; a carry runs into the exponent as it should.
	return sign | uint16((magnitude-112<<23+0xfff+magnitude>>13&1)>>13)
}
