package graphs

// Gradients appends the reverse sweep of loss (a float32 scalar) to the graph and returns its derivative by every value of wrt, each of the value's shape.
// It panics with *Error when loss does not depend on one of wrt, naming it, or when an operator on the way is not differentiable.
func Gradients(loss *Value, wrt ...*Value) []*Value {
	return loss.g.sweep(loss, wrt)
}

func (g *Graph) sweep(loss *Value, wrt []*Value) []*Value {
	g.checkFloat("Gradients", loss)
	panic(&Error{Op: "Gradients", Node: loss.name, Message: "rules are under construction"})
}
