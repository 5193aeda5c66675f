// Package program joins a graph with the memory behind it: an input or output of a
// graph and the memory that runs read and write are declared in one place, and no
// tensor is known by its name in two.
package program

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"t2sda/graphs"
	"t2sda/graphs/engine"
)

// Program is a graph, the memory of its inputs and outputs and, once it is opened,
// the session that runs it. It is not safe for concurrent use.
type Program struct {
	graph           *graphs.Graph
	params          Params
	precision       Precision // of products
	inputs, outputs map[string]*engine.Tensor
	held            []string // parameters, see [Program.Hold]
	capture         bool     // see [Program.Capture]

	session *engine.Session
	memory  run // of the session on the memory; nil until it is opened
}

// run is a session tied to memory.
type run interface {
	Run(ctx context.Context) error
	Close() error
}

// Params gives the memory of a trainable parameter, by name and shape, usually a
// view of an arena. It stays where it is from run to run.
type Params func(name string, shape graphs.Shape) (*engine.Tensor, error)

// New builds the program called name, see [Build], and opens it on e.
func New(e *engine.Engine, name string, params Params, build func(p *Program)) (*Program, error) {
	p, err := Build(name, params, build)
	if err != nil {
		return nil, err
	}
	if err := p.open(e); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), p.Close())
	}
	return p, nil
}

// Build makes a graph called name and lets build fill it. Every parameter of the
// graph gets its memory from params, which may be nil for a graph without any.
// Panics with *graphs.Error become the returned error, as in [graphs.Build]. The
// result has no session: it serves those who look at the graph.
func Build(name string, params Params, build func(p *Program)) (*Program, error) {
	p := &Program{params: params, inputs: map[string]*engine.Tensor{}, outputs: map[string]*engine.Tensor{}}
	_, err := graphs.Build(name, func(g *graphs.Graph) {
		p.graph = g
		build(p)
		for _, v := range g.Params() {
			p.inputs[v.Name()] = p.resident(v)
		}
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// resident returns the memory of a parameter.
func (p *Program) resident(v *graphs.Value) *engine.Tensor {
	if p.params == nil {
		panic(&graphs.Error{Op: "program.Build", Node: v.Name(), Message: "a parameter in a program without memory for any"})
	}
	t, err := p.params(v.Name(), v.Shape())
	p.check("program.Build", v.Name(), err)
	return t
}

// Graph returns the graph, to build with and to look at.
func (p *Program) Graph() *graphs.Graph { return p.graph }

// Narrow makes the program compute its products in another precision than float32: those
// that are there when it is opened, gradients included.
func (p *Program) Narrow(to Precision) { p.precision = to }

// open makes the session and binds all memory to it. An input without memory is an
// error that names it.
func (p *Program) open(e *engine.Engine) error {
	p.precision.apply(p.graph)
	o, marshal := engine.SessionOptions{Capture: p.capture, Native: e.Native()}, p.graph.Marshal
	if o.Native {
		marshal = func() ([]byte, error) { return p.graph.MarshalNative(e.Exact()) }
	}
	model, err := marshal()
	if err != nil {
		return err
	}
	if p.session, err = e.NewSessionWith(p.graph.Name(), model, o); err != nil {
		return err
	}
	var memory run
	if p.session.Captured() {
		memory, err = capture(e, p.session, p.inputs, p.outputs)
	} else {
		memory, err = p.session.Bind(p.inputs, p.outputs)
	}
	if err != nil {
		return err
	}
	p.memory = memory
	return nil
}

// Run runs the session on the memory. When ctx ends meanwhile, the outputs are
// undefined, see [engine.Binding.Run].
func (p *Program) Run(ctx context.Context) error { return p.memory.Run(ctx) }

// Over returns a run of the program's session over other memory, by the names under which the
// program has declared what it is in place of. It ends with the program. Of a program whose runs are
// captured there is none.
func (p *Program) Over(memory map[string]*engine.Tensor) (*engine.Binding, error) {
	if p.session.Captured() {
		return nil, fmt.Errorf("%s: its runs are captured, over the memory that it has", p.graph.Name())
	}
	other := func(declared map[string]*engine.Tensor) map[string]*engine.Tensor {
		out := maps.Clone(declared)
		for name := range out {
			if t, ok := memory[name]; ok {
				out[name] = t
			}
		}
		return out
	}
	return p.session.Bind(other(p.inputs), other(p.outputs))
}

// Close frees the session. The memory stays usable.
func (p *Program) Close() error {
	var errs []error
	if p.memory != nil {
		errs = append(errs, p.memory.Close())
	}
	if p.session != nil {
		errs = append(errs, p.session.Close())
	}
	return errors.Join(errs...)
}

// check panics with a *graphs.Error about the value called name unless err is nil.
func (p *Program) check(op, name string, err error) {
	if err != nil {
		panic(&graphs.Error{Op: op, Node: name, Message: err.Error()})
	}
}
