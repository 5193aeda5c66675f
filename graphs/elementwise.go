package graphs

// Element-wise operators of one and two operands; those of two broadcast as numpy does.

// Add returns a + b.
func (g *Graph) Add(a, b *Value) *Value {
	if b.isScalarConst(0) {
		return g.pass("Add", a)
	}
	if a.isScalarConst(0) {
		return g.pass("Add", b)
	}
	return g.binary("Add", a, b)
}

// Sub returns a − b.
func (g *Graph) Sub(a, b *Value) *Value {
	if b.isScalarConst(0) {
		return g.pass("Sub", a)
	}
	return g.binary("Sub", a, b)
}

// Mul returns a · b.
func (g *Graph) Mul(a, b *Value) *Value {
	ca, oka := a.scalarConst()
	cb, okb := b.scalarConst()
	switch {
	case oka && okb:
		return g.Scalar(ca * cb)
	case okb && cb == 1:
		return g.pass("Mul", a)
	case oka && ca == 1:
		return g.pass("Mul", b)
	}
	return g.binary("Mul", a, b)
}

// Div returns a / b. Integers are divided as in Go, towards zero.
func (g *Graph) Div(a, b *Value) *Value {
	if b.isScalarConst(1) {
		return g.pass("Div", a)
	}
	return g.binary("Div", a, b)
}

// Max returns the larger of a and b.
func (g *Graph) Max(a, b *Value) *Value { return g.binary("Max", a, b) }

// Min returns the smaller of a and b.
func (g *Graph) Min(a, b *Value) *Value { return g.binary("Min", a, b) }

// Neg returns −x.
func (g *Graph) Neg(x *Value) *Value {
	if c, ok := x.scalarConst(); ok {
		return g.Scalar(-c)
	}
	return g.unary("Neg", x)
}

// Exp returns eˣ.
func (g *Graph) Exp(x *Value) *Value { return g.unary("Exp", x) }

// Log returns the natural logarithm of x.
func (g *Graph) Log(x *Value) *Value { return g.unary("Log", x) }

// Sqrt returns the square root of x.
func (g *Graph) Sqrt(x *Value) *Value { return g.unary("Sqrt", x) }

// Reciprocal returns 1 / x.
func (g *Graph) Reciprocal(x *Value) *Value { return g.unary("Reciprocal", x) }

// Abs returns |x|.
func (g *Graph) Abs(x *Value) *Value { return g.unary("Abs", x) }

// Sign returns −1, 0 or 1.
func (g *Graph) Sign(x *Value) *Value { return g.unary("Sign", x) }

// Floor returns the largest integer that is at most x.
func (g *Graph) Floor(x *Value) *Value { return g.unary("Floor", x) }

// Erf returns the error function of x.
func (g *Graph) Erf(x *Value) *Value { return g.unary("Erf", x) }

// Relu returns max(x, 0).
func (g *Graph) Relu(x *Value) *Value { return g.unary("Relu", x) }

// Sigmoid returns 1 / (1 + e⁻ˣ).
func (g *Graph) Sigmoid(x *Value) *Value { return g.unary("Sigmoid", x) }

// Tanh returns the hyperbolic tangent of x.
func (g *Graph) Tanh(x *Value) *Value { return g.unary("Tanh", x) }

// Identity returns a copy of x.
func (g *Graph) Identity(x *Value) *Value {
	g.check("Identity", x)
	return g.add1("Identity", []*Value{x}, x.dtype, x.shape)
}

// Gelu returns x · Φ(x) with the exact Gaussian distribution function Φ (com.microsoft's Gelu).
func (g *Graph) Gelu(x *Value) *Value {
	g.checkFloat("Gelu", x)
	return g.add("Gelu", microsoft, []*Value{x}, nil, 1, result{Float32, x.shape}).outputs[0]
}

// Clip returns x limited to [lo, hi].
func (g *Graph) Clip(x *Value, lo, hi float32) *Value {
	g.checkFloat("Clip", x)
	if !(lo <= hi) {
		g.fail("Clip", []*Value{x}, "empty range [%g, %g]", lo, hi)
	}
	return g.add1("Clip", []*Value{x, g.Scalar(lo), g.Scalar(hi)}, Float32, x.shape)
}

func (g *Graph) unary(op string, x *Value) *Value {
	g.checkFloat(op, x)
	return g.add1(op, []*Value{x}, Float32, x.shape)
}

func (g *Graph) binary(op string, a, b *Value) *Value {
	g.check(op, a, b)
	if a.dtype != b.dtype || a.dtype == Bool || a.dtype == Uint8 {
		g.fail(op, []*Value{a, b}, "operands are %s and %s, want equal numeric types", a.dtype, b.dtype)
	}
	return g.add1(op, []*Value{a, b}, a.dtype, g.broadcast(op, a, b))
}

// pass returns the operand of an operation that would not change it.
func (g *Graph) pass(op string, v *Value) *Value {
	g.check(op, v)
	return v
}

// broadcast returns the common shape of the operands by numpy's rules, or panics.
func (g *Graph) broadcast(op string, in ...*Value) Shape {
	rank := 0
	for _, v := range in {
		rank = max(rank, len(v.shape))
	}
	out := make(Shape, rank)
	for i := range out {
		out[i] = 1
	}
	for _, v := range in {
		offset := rank - len(v.shape)
		for i, d := range v.shape {
			switch {
			case out[offset+i] == 1:
				out[offset+i] = d
			case d != 1 && d != out[offset+i]:
				g.fail(op, in, "shapes do not broadcast")
			}
		}
	}
	return out
}
