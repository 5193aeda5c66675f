package quantize

import (
	"encoding/binary"
	"math"

	"t2sda/internal/onnxmodel"
)

// maxHalf is the largest finite float16.
const maxHalf = 65504

// half returns the bits of the float16 nearest to x, of two equally near ones the even one;
// beyond [maxHalf] that is infinity.
func half(x float32) uint16 {
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

// halved returns a constant in float16.
func halved(t *onnxmodel.Tensor, name string) *onnxmodel.Tensor {
	h := &onnxmodel.Tensor{Name: name, Type: onnxmodel.Float16, Dims: t.Dims, Raw: make([]byte, 0, len(t.Raw)/2)}
	for _, x := range t.Floats() {
		h.Raw = binary.LittleEndian.AppendUint16(h.Raw, half(x))
	}
	return h
}

// fitsHalf reports whether all elements are finite in float16.
func fitsHalf(t *onnxmodel.Tensor) bool {
	for _, x := range t.Floats() {
		if !(math.Abs(float64(x)) <= maxHalf) {
			return false
		}
	}
	return true
}
