package orchestrator

import (
	"errors"
	"fmt"

	"t2sda/graphs/engine"
)

// binder collects the tensors of a binding and the first error.
type binder struct {
	inputs, outputs map[string]*engine.Tensor
	err             error
}

func newBinder() *binder {
	return &binder{inputs: map[string]*engine.Tensor{}, outputs: map[string]*engine.Tensor{}}
}

func bindTo[T float32 | int64](b *binder, to map[string]*engine.Tensor, name string, data []T, dims ...int) {
	t, err := engine.NewTensor(data, dims...)
	b.err = errors.Join(b.err, err)
	to[name] = t
}

func (b *binder) in(name string, data []float32, dims ...int) {
	bindTo(b, b.inputs, name, data, dims...)
}

func (b *binder) out(name string, data []float32, dims ...int) {
	bindTo(b, b.outputs, name, data, dims...)
}

// param returns the view of a named parameter in an arena.
func (b *binder) param(s *state, a *engine.Arena, name string) *engine.Tensor {
	i, ok := s.index[name]
	if !ok {
		b.err = errors.Join(b.err, fmt.Errorf("the architecture's list of parameters lacks %s", name))
		return nil
	}
	t, err := a.View(s.offsets[i], s.specs[i].Shape...)
	b.err = errors.Join(b.err, err)
	return t
}

func (b *binder) bind(s *engine.Session) (*engine.Binding, error) {
	if b.err != nil {
		return nil, b.err
	}
	return s.Bind(b.inputs, b.outputs)
}

// closeAll closes what is not nil, all of it.
func closeAll(binding *engine.Binding, session *engine.Session) error {
	var errs []error
	if binding != nil {
		errs = append(errs, binding.Close())
	}
	if session != nil {
		errs = append(errs, session.Close())
	}
	return errors.Join(errs...)
}
