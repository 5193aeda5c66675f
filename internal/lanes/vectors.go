package lanes

/*
#cgo CFLAGS: -O3
#include "vectors.h"
*/
import "C"

import (
	"math"
	"unsafe"
)

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func at(x []float32) *C.float { return (*C.float)(unsafe.SliceData(x)) }

func (k AdamW) updateVectors(p, g, m, v []float32) {
	C.t2sda_adamw_vectors(at(p), at(g), at(m), at(v), C.size_t(len(p)),
		C.float(k.Beta1), C.float(k.Beta2), C.float(k.Eps), C.float(k.New1), C.float(k.New2),
		C.float(k.Grad), C.float(k.Keep), C.float(k.Rate), C.float(k.RsqrtC))
}

func blendVectors(dst, src []float32, a, b float32) {
	C.t2sda_blend_vectors(at(dst), at(src), C.size_t(len(dst)), C.float(a), C.float(b))
}
