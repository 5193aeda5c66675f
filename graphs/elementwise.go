package graphs

import "math"

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

// addGrad: ∂a = dy, ∂b = dy.
func addGrad(s *step) {
	s.giveSum(0, s.dy)
	s.giveSum(1, s.dy)
}

// Sub returns a − b.
func (g *Graph) Sub(a, b *Value) *Value {
	if b.isScalarConst(0) {
		return g.pass("Sub", a)
	}
	return g.binary("Sub", a, b)
}

// subGrad: ∂a = dy, ∂b = −dy.
func subGrad(s *step) {
	s.giveSum(0, s.dy)
	if s.needs(1) { // negate the sum, which may be smaller than dy
		s.give(1, s.Neg(s.sumTo(s.dy(), s.out().shape, s.in(1).shape)))
	}
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

// mulGrad: ∂a = dy·b, ∂b = dy·a.
func mulGrad(s *step) {
	s.giveSum(0, func() *Value { return s.Mul(s.dy(), s.in(1)) })
	s.giveSum(1, func() *Value { return s.Mul(s.dy(), s.in(0)) })
}

// Div returns a / b. Integers are divided as in Go, towards zero.
func (g *Graph) Div(a, b *Value) *Value {
	if b.isScalarConst(1) {
		return g.pass("Div", a)
	}
	return g.binary("Div", a, b)
}

// divGrad: ∂a = dy/b, ∂b = −(dy/b)·y.
func divGrad(s *step) {
	s.giveSum(0, func() *Value { return s.Div(s.dy(), s.in(1)) })
	s.giveSum(1, func() *Value { return s.Neg(s.Mul(s.Div(s.dy(), s.in(1)), s.out())) })
}

// Max returns the larger of a and b.
func (g *Graph) Max(a, b *Value) *Value { return g.binary("Max", a, b) }

// maxGrad: ∂a = dy where a ≥ b, ∂b = dy where a < b.
func maxGrad(s *step) { s.choose(s.Less(s.in(0), s.in(1))) }

// Min returns the smaller of a and b.
func (g *Graph) Min(a, b *Value) *Value { return g.binary("Min", a, b) }

// minGrad: ∂a = dy where a ≤ b, ∂b = dy where a > b.
func minGrad(s *step) { s.choose(s.Greater(s.in(0), s.in(1))) }

// choose gives dy to operand 1 where second holds and to operand 0 elsewhere.
func (s *step) choose(second *Value) {
	zero := s.Scalar(0)
	s.giveSum(0, func() *Value { return s.Where(second, zero, s.dy()) })
	s.giveSum(1, func() *Value { return s.Where(second, s.dy(), zero) })
}

// Neg returns −x.
func (g *Graph) Neg(x *Value) *Value {
	if c, ok := x.scalarConst(); ok {
		return g.Scalar(-c)
	}
	return g.unary("Neg", x)
}

// negGrad: ∂x = −dy.
func negGrad(s *step) { s.give(0, s.Neg(s.dy())) }

// Exp returns eˣ.
func (g *Graph) Exp(x *Value) *Value { return g.unary("Exp", x) }

// expGrad: ∂x = dy·y.
func expGrad(s *step) { s.give(0, s.Mul(s.dy(), s.out())) }

// Log returns the natural logarithm of x.
func (g *Graph) Log(x *Value) *Value { return g.unary("Log", x) }

// logGrad: ∂x = dy/x.
func logGrad(s *step) { s.give(0, s.Div(s.dy(), s.in(0))) }

// Sqrt returns the square root of x.
func (g *Graph) Sqrt(x *Value) *Value { return g.unary("Sqrt", x) }

// sqrtGrad: ∂x = ½·dy/y.
func sqrtGrad(s *step) { s.give(0, s.Div(s.Mul(s.dy(), s.Scalar(0.5)), s.out())) }

// Reciprocal returns 1 / x.
func (g *Graph) Reciprocal(x *Value) *Value { return g.unary("Reciprocal", x) }

// reciprocalGrad: ∂x = −dy·y².
func reciprocalGrad(s *step) { s.give(0, s.Neg(s.Mul(s.dy(), s.Mul(s.out(), s.out())))) }

// Abs returns |x|.
func (g *Graph) Abs(x *Value) *Value { return g.unary("Abs", x) }

// absGrad: ∂x = dy·sign(x).
func absGrad(s *step) { s.give(0, s.Mul(s.dy(), s.Sign(s.in(0)))) }

// Sign returns −1, 0 or 1.
func (g *Graph) Sign(x *Value) *Value { return g.unary("Sign", x) }

// Floor returns the largest integer that is at most x.
func (g *Graph) Floor(x *Value) *Value { return g.unary("Floor", x) }

// Erf returns the error function of x.
func (g *Graph) Erf(x *Value) *Value { return g.unary("Erf", x) }

// erfGrad: ∂x = dy·(2/√π)·e^(−x²).
func erfGrad(s *step) {
	p := s.Exp(s.Neg(s.Mul(s.in(0), s.in(0))))
	s.give(0, s.Mul(s.Mul(s.dy(), s.Scalar(2/math.SqrtPi)), p))
}

// Relu returns max(x, 0).
func (g *Graph) Relu(x *Value) *Value { return g.unary("Relu", x) }

// reluGrad: ∂x = dy where y > 0. A HardSigmoid of the steepest slope is that step: 1 for every
// positive normal number, in one pass instead of the two of Greater and Cast.
func reluGrad(s *step) { s.give(0, s.Mul(s.dy(), s.HardSigmoid(s.out(), 3e38, 0))) }

// Sigmoid returns 1 / (1 + e⁻ˣ).
func (g *Graph) Sigmoid(x *Value) *Value { return g.unary("Sigmoid", x) }

// sigmoidGrad: ∂x = dy·(y − y²).
func sigmoidGrad(s *step) {
	y := s.out()
	s.give(0, s.Mul(s.dy(), s.Sub(y, s.Mul(y, y))))
}

// Tanh returns the hyperbolic tangent of x.
func (g *Graph) Tanh(x *Value) *Value { return g.unary("Tanh", x) }

// tanhGrad: ∂x = dy·(1 − y²).
func tanhGrad(s *step) {
	y := s.out()
	s.give(0, s.Mul(s.dy(), s.Sub(s.Scalar(1), s.Mul(y, y))))
}

// Identity returns a copy of x.
func (g *Graph) Identity(x *Value) *Value {
	g.check("Identity", x)
	return g.add1("Identity", []*Value{x}, x.dtype, x.shape)
}

// identityGrad: ∂x = dy.
func identityGrad(s *step) { s.give(0, s.dy()) }

// Gelu returns x · Φ(x) with the exact Gaussian distribution function Φ (com.microsoft's Gelu).
func (g *Graph) Gelu(x *Value) *Value {
	g.checkFloat("Gelu", x)
	return g.add("Gelu", microsoft, []*Value{x}, nil, 1, result{Float32, x.shape}).outputs[0]
}

// geluGrad: ∂x = dy·(Φ(x) + x·φ(x)) with the Gaussian density φ. For u = x/√2: Φ = ½ + ½·erf u, and
// x·φ = u·e^(−u²)/√π.
// HardSigmoid computes ½ + ½·erf u in one pass (its limits 0 and 1 are erf's), and the exponent
// takes in the constant: e^(−u²)/√π = e^(−ln √π − u²).
func geluGrad(s *step) {
	u := s.Mul(s.in(0), s.Scalar(math.Sqrt2/2))
	cdf := s.HardSigmoid(s.Erf(u), 0.5, 0.5)
	density := s.Exp(s.Sub(s.Scalar(-0.5723649429247001), s.Mul(u, u))) // −ln √π
	d := s.Mul(s.dy(), s.Add(cdf, s.Mul(u, density)))
	if s.dy().shape.Equal(d.shape) {
		s.shortcuts = append(s.shortcuts, shortcut{op: "GeluGrad", in: []*Value{s.dy(), s.in(0)}, out: []*Value{d}})
	}
	s.give(0, d)
}

// HardSigmoid returns alpha·x + beta limited to [0, 1].
func (g *Graph) HardSigmoid(x *Value, alpha, beta float32) *Value {
	g.checkFloat("HardSigmoid", x)
	return g.add1("HardSigmoid", []*Value{x}, Float32, x.shape, Attr{"alpha", alpha}, Attr{"beta", beta})
}

// hardSigmoidGrad: ∂x = alpha·dy where 0 < y < 1.
func hardSigmoidGrad(s *step) {
	y, zero := s.out(), s.Scalar(0)
	inside := s.Greater(s.Sub(y, s.Mul(y, y)), zero)
	s.give(0, s.Where(inside, s.Mul(s.dy(), s.Scalar(s.node.Float("alpha"))), zero))
}

// Clip returns x limited to [lo, hi].
func (g *Graph) Clip(x *Value, lo, hi float32) *Value {
	g.checkFloat("Clip", x)
	if !(lo <= hi) {
		g.fail("Clip", []*Value{x}, "empty range [%g, %g]", lo, hi)
	}
	return g.add1("Clip", []*Value{x, g.Scalar(lo), g.Scalar(hi)}, Float32, x.shape)
}

// clipGrad: ∂x = dy where lo < y < hi. It asks y alone, which what follows keeps anyway.
func clipGrad(s *step) {
	y := s.out()
	inside := s.Mul(s.Sub(y, s.in(1)), s.Sub(s.in(2), y))
	s.give(0, s.Where(s.Greater(inside, s.Scalar(0)), s.dy(), s.Scalar(0)))
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
