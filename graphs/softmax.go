package graphs

// Softmax returns eˣ normalised to sum 1 along axis.
func (g *Graph) Softmax(x *Value, axis int) *Value { return g.softmax("Softmax", x, axis) }

// LogSoftmax returns the logarithm of Softmax.
func (g *Graph) LogSoftmax(x *Value, axis int) *Value { return g.softmax("LogSoftmax", x, axis) }

func (g *Graph) softmax(op string, x *Value, axis int) *Value {
	g.checkFloat(op, x)
	return g.add1(op, []*Value{x}, Float32, x.shape, Attr{"axis", g.axis(op, x, axis)})
}
