package engine

import (
	"errors"

	ort "github.com/yalue/onnxruntime_go"
	"golang.org/x/sys/cpu"
)

// nativeDomain is the graphs package's NativeDomain: operators whose kernels for the CPU are part of
// this program (native*.c).
const nativeDomain = "t2sda"

// Native reports whether sessions may have operators of our own: on the CPU, if it is an x86-64 with
// AVX2. That they give ONNX Runtime's bits rests on its kernels there, which make two roundings of a
// product and a sum; elsewhere they may make one, or add up in another order.
func (e *Engine) Native() bool {
	return !e.HasOwnMemory() && !e.options.Stock && cpu.X86.HasAVX2
}

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
