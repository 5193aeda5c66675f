package graphs

// Comparisons, selection and conversion of element types.

// Equal returns a == b as Bool, broadcasting.
func (g *Graph) Equal(a, b *Value) *Value { return g.compare("Equal", a, b) }

// Greater returns a > b as Bool, broadcasting.
func (g *Graph) Greater(a, b *Value) *Value { return g.compare("Greater", a, b) }

// Less returns a < b as Bool, broadcasting.
func (g *Graph) Less(a, b *Value) *Value { return g.compare("Less", a, b) }

func (g *Graph) compare(op string, a, b *Value) *Value {
	g.check(op, a, b)
	if a.dtype != b.dtype || a.dtype == Uint8 || a.dtype == Bool && op != "Equal" {
		g.fail(op, []*Value{a, b}, "operands are %s and %s, want equal comparable types", a.dtype, b.dtype)
	}
	return g.add1(op, []*Value{a, b}, Bool, g.broadcast(op, a, b))
}

// Not returns the negation of a Bool.
func (g *Graph) Not(x *Value) *Value {
	g.check("Not", x)
	if x.dtype != Bool {
		g.fail("Not", []*Value{x}, "operand is %s, want bool", x.dtype)
	}
	return g.add1("Not", []*Value{x}, Bool, x.shape)
}

// Where returns a where c holds and b elsewhere; all three broadcast.
func (g *Graph) Where(c, a, b *Value) *Value {
	in := []*Value{c, a, b}
	g.check("Where", in...)
	if c.dtype != Bool || a.dtype != b.dtype {
		g.fail("Where", in, "operands are %s, %s and %s, want bool and two equal types", c.dtype, a.dtype, b.dtype)
	}
	return g.add1("Where", in, a.dtype, g.broadcast("Where", in...))
}

// whereGrad: ∂a = dy where c holds, ∂b = dy elsewhere.
func whereGrad(s *step) {
	c, zero := s.in(0), s.Scalar(0)
	s.giveSum(1, func() *Value { return s.Where(c, s.dy(), zero) })
	s.giveSum(2, func() *Value { return s.Where(c, zero, s.dy()) })
}

// Cast converts the elements of x to another type.
func (g *Graph) Cast(x *Value, dt DType) *Value {
	g.check("Cast", x)
	if x.dtype == dt {
		return x
	}
	return g.cast(x, dt)
}

func (g *Graph) cast(x *Value, dt DType) *Value {
	return g.add1("Cast", []*Value{x}, dt, x.shape, Attr{"to", int(dt)})
}

// Detach returns x as a constant to the reverse sweep, which ends there: a cast to x's own type.
func (g *Graph) Detach(x *Value) *Value {
	g.check("Detach", x)
	return g.cast(x, x.dtype)
}
