package graphs

// Softmax returns eˣ normalised to sum 1 along axis.
func (g *Graph) Softmax(x *Value, axis int) *Value { return g.softmax("Softmax", x, axis) }

// softmaxGrad: ∂x = y·dy − y·Σ(y·dy).
func softmaxGrad(s *step) {
	y, dy, axis := s.out(), s.dy(), s.node.Int("axis")
	t := s.Mul(y, dy)
	d := s.Sub(t, s.Mul(y, s.ReduceSum(t, []int{axis}, true)))
	if n := y.shape[axis]; axis == len(y.shape)-1 && n%4 == 0 && dy.shape.Equal(y.shape) {
		s.shortcuts = append(s.shortcuts, shortcut{op: "SoftmaxGrad", in: []*Value{dy, y}, out: []*Value{d}, sizes: []int{n}, exact: true})
	}
	s.give(0, d)
}

// LogSoftmax returns the logarithm of Softmax.
func (g *Graph) LogSoftmax(x *Value, axis int) *Value { return g.softmax("LogSoftmax", x, axis) }

// logSoftmaxGrad: ∂x = dy − eʸ·Σ dy.
func logSoftmaxGrad(s *step) {
	dy := s.fullDy(0)
	s.give(0, s.Sub(dy, s.Mul(s.Exp(s.out()), s.ReduceSum(dy, []int{s.node.Int("axis")}, true))))
}

func (g *Graph) softmax(op string, x *Value, axis int) *Value {
	g.checkFloat(op, x)
	return g.add1(op, []*Value{x}, Float32, x.shape, Attr{"axis", g.axis(op, x, axis)})
}
