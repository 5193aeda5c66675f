package engine

import (
	"context"
	"errors"
	"fmt"
)

// Copies copies tensors between any two kinds of memory, by a session of nodes that do nothing:
// what an execution provider reads and writes it can copy, whatever its kind. It must be closed; nil copies nothing.
type Copies struct {
	session *Session
	binding *Binding
}

// NewCopies makes what copies each of from to the tensor of to at the same place, which has its
// type and shape.
func (e *Engine) NewCopies(name string, from, to []*Tensor) (*Copies, error) {
	if len(from) != len(to) {
		return nil, fmt.Errorf("copies %s: from %d tensors to %d", name, len(from), len(to))
	}
	session, err := e.NewSessionWith(name, identities(from), SessionOptions{IntraOpThreads: 1, OptimizationLevel: OptimizeNone})
	if err != nil {
		return nil, err
	}
	inputs, outputs := map[string]*Tensor{}, map[string]*Tensor{}
	for i := range from {
		inputs[fmt.Sprint("x", i)], outputs[fmt.Sprint("y", i)] = from[i], to[i]
	}
	binding, err := session.Bind(inputs, outputs)
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return &Copies{session, binding}, nil
}

// Run copies.
func (c *Copies) Run(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.binding.Run(ctx)
}

// Close lets go of the tensors.
func (c *Copies) Close() error {
	if c == nil {
		return nil
	}
	return c.session.Close() // with its binding
}
