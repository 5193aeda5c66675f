package quantize

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// HasVNNI reports whether this CPU sums up products of 8 bits without saturation. x86 without VNNI
// adds two of them in 16 bits, which uint8 × int8 of full range exceeds; weights of 7 bits do not
// (ONNX Runtime's reduce_range). Others than x86 have no such step.
func HasVNNI() bool {
	return runtime.GOARCH != "amd64" || cpu.X86.HasAVX512VNNI || cpu.X86.HasAVXVNNI
}
