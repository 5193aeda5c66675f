package engine

import (
	"errors"

	ort "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/cpu"
)

// nativeDomain is the graphs package's NativeDomain: operators whose kernels for the CPU are part of
// this program (native*.c).
const nativeDomain = "t2sda"

// Kernels says which operators of our own sessions may have, on a device that has some.
type Kernels string

// The choices; names in configurations are the same.
const (
	KernelsFast  Kernels = "fast"  // all
	KernelsExact Kernels = "exact" // those that give ONNX Runtime's bits
	KernelsStock Kernels = "stock" // none
)

// Native reports whether sessions may have operators of our own: on the CPU, if it is an x86-64 with
// AVX2 and FMA. That they give ONNX Runtime's bits rests on its kernels there, which make two roundings of a
// product and a sum; elsewhere they may make one, or add up in another order.
func (e *Engine) Native() bool {
	return !e.HasOwnMemory() && e.options.Kernels != KernelsStock && cpu.X86.HasAVX2 && cpu.X86.HasFMA
}

// Exact reports whether operators of our own are to give ONNX Runtime's bits.
func (e *Engine) Exact() bool { return e.options.Kernels == KernelsExact }

// addNative lets sessions of those options have the operators.
func (e *Engine) addNative(o *ort.SessionOptions) error {
	if e.native == nil {
		return errors.New("the engine has no operators of its own")
	}
	options, err := optionsOf(o)
	if err != nil {
		return err
	}
	return e.api.addDomain(options, e.native)
}
