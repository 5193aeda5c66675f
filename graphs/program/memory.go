package program

import (
	"fmt"
	"slices"

	"t2sda/graphs"
	"t2sda/graphs/engine"
)

// Input declares an input and makes its memory, zeroed, which the caller fills
// before a run. Like all that declares it panics with *graphs.Error, here when the
// name is taken or a dimension is not positive.
func Input[T engine.Element](p *Program, name string, dims ...int) (*graphs.Value, []T) {
	v := p.graph.Input(name, dtype[T](), dims...)
	return v, Feed[T](p, v)
}

// Labels declares an input of class indices and makes its memory, zeroed, as [Input] does. In
// memory, and on the way to a device, each is a byte; v is what operators take as an index, int64.
func Labels(p *Program, name string, dims ...int) (v *graphs.Value, memory []uint8) {
	bytes, memory := Input[uint8](p, name, dims...)
	return p.graph.Cast(bytes, graphs.Int64), memory
}

// InputOf declares an input over memory that there is already. It also panics when
// dims do not fit data.
func InputOf[T engine.Element](p *Program, name string, data []T, dims ...int) *graphs.Value {
	v := p.graph.Input(name, dtype[T](), dims...)
	p.inputs[name] = tensor(p, "program.InputOf", v, data)
	return v
}

// Feed makes the memory of an input that the graph has declared, zeroed.
func Feed[T engine.Element](p *Program, v *graphs.Value) []T {
	data := make([]T, v.Shape().Size())
	p.inputs[v.Name()] = tensor(p, "program.Feed", v, data)
	return data
}

// Lend gives inputs that the graph has declared the memory that from has for each, where
// it stays from run to run: buffers of a network. (Trainable parameters have theirs from
// [New].)
func (p *Program) Lend(inputs []*graphs.Value, from Params) {
	for _, v := range inputs {
		t, err := from(v.Name(), v.Shape())
		p.check("program.Lend", v.Name(), err)
		p.inputs[v.Name()] = t
	}
}

// Output declares v as an output called name and makes its memory, which a run
// fills.
func Output[T engine.Element](p *Program, name string, v *graphs.Value) []T {
	data := make([]T, v.Shape().Size())
	p.graph.Output(name, v)
	p.outputs[name] = tensor(p, "program.Output", v, data)
	return data
}

// Resident declares an input over a tensor, such as a view of an arena, that runs
// read where it lies.
func (p *Program) Resident(name string, t *engine.Tensor) *graphs.Value {
	p.inputs[name] = t
	return p.graph.Input(name, graphs.DType(t.DType()), t.Shape()...)
}

// Store makes each run write v, which is no input, to t. Of a tensor that is read,
// too, each element must be read for the last time when it is written, see
// [engine.Session.Bind].
func (p *Program) Store(name string, v *graphs.Value, t *engine.Tensor) {
	p.outputs[name] = t
	p.graph.Output(name, v)
}

// Add makes each run add d to t, of d's shape, in place.
func (p *Program) Add(name string, d *graphs.Value, t *engine.Tensor) {
	p.Store(name+"+", p.graph.Add(p.Resident(name, t), d), t)
}

// Derive takes the derivatives of a loss: [graphs.Gradients] or [graphs.Recomputed].
type Derive func(loss *graphs.Value, wrt ...*graphs.Value) []*graphs.Value

// Hold keeps the parameters that f adds to the graph out of [Program.Differentiate]: they are
// read and no objective reaches them.
func (p *Program) Hold(f func()) {
	before := len(p.graph.Params())
	f()
	for _, v := range p.graph.Params()[before:] {
		p.held = append(p.held, v.Name())
	}
}

// Differentiate adds the gradients of objective by all of the graph's parameters that are not
// held to the memory that grads gives for each.
func (p *Program) Differentiate(objective *graphs.Value, derive Derive, grads Params) {
	params := slices.DeleteFunc(p.graph.Params(), func(v *graphs.Value) bool { return slices.Contains(p.held, v.Name()) })
	for i, d := range derive(objective, params...) {
		name := params[i].Name()
		t, err := grads(name, params[i].Shape())
		p.check("program.Differentiate", name, err)
		p.Add("grad/"+name, d, t)
	}
}

// dtype is the element type of T.
func dtype[T engine.Element]() graphs.DType { return graphs.DType(engine.DTypeOf[T]()) }

// tensor is data in v's shape.
func tensor[T engine.Element](p *Program, op string, v *graphs.Value, data []T) *engine.Tensor {
	if want := dtype[T](); v.DType() != want {
		p.check(op, v.Name(), fmt.Errorf("it is %v, its memory %v", v.DType(), want))
	}
	t, err := engine.NewTensor(data, v.Shape()...)
	p.check(op, v.Name(), err)
	return t
}
