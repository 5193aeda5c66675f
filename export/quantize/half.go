package quantize

import (
	"encoding/binary"
	"math"

	"t2sda/internal/half"
	"t2sda/internal/onnxmodel"
)

// maxHalf is the largest finite float16.
const maxHalf = 65504

// halved returns a constant in float16.
func halved(t *onnxmodel.Tensor, name string) *onnxmodel.Tensor {
	h := &onnxmodel.Tensor{Name: name, Type: onnxmodel.Float16, Dims: t.Dims, Raw: make([]byte, 0, len(t.Raw)/2)}
	for _, x := range t.Floats() {
		h.Raw = binary.LittleEndian.AppendUint16(h.Raw, half.Bits(x))
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
