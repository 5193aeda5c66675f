package configs

// The precisions of runtime.precision: of operands and results of products. All else is
// float32, weights and moments included.
const (
	FP32 = "fp32" // float32
	TF32 = "tf32" // float32; a CUDA device may round operands to 10 binary places
	BF16 = "bf16" // bfloat16: float32's range, 7 binary places
	FP16 = "fp16" // float16: 10 binary places, up to 65504; gradients are scaled
)

// Precision returns what products are computed in: runtime.precision, or where it is
// empty what runtime.cuda.tf32 says of products of float32.
func (c *Config) Precision() string {
	switch r := c.Runtime; {
	case r.Precision != "":
		return r.Precision
	case r.CUDA.TF32 != nil && !*r.CUDA.TF32:
		return FP32
	}
	return TF32
}

// AllowsTF32 reports whether products of float32, be it all or those that the device
// cannot compute in the precision, may be rounded as [TF32] has it.
func (c *Config) AllowsTF32() bool {
	if r := c.Runtime; r.CUDA.TF32 != nil {
		return *r.CUDA.TF32
	}
	return c.Runtime.Precision != FP32
}

// lowPrecision is the precision where it is below float32's on every device, else empty.
func (c *Config) lowPrecision() string {
	if p := c.Precision(); p == BF16 || p == FP16 {
		return p
	}
	return ""
}

// validatePrecision refuses two settings that contradict each other.
func (c *Config) validatePrecision(v *validator) {
	r := &c.Runtime
	if r.Precision == "" {
		return
	}
	v.oneOf("runtime.precision", r.Precision, FP32, TF32, BF16, FP16)
	if r.CUDA.TF32 != nil && (r.Precision == FP32 || r.Precision == TF32) {
		v.check("runtime.precision", *r.CUDA.TF32 == (r.Precision == TF32), "is %s, and runtime.cuda.tf32 is %t: leave one of the two out", r.Precision, *r.CUDA.TF32)
	}
}
