package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	ort "github.com/yalue/onnxruntime_go"
)

// Run runs the session once on unbound inputs and returns all outputs in fresh
// memory: convenient for tools and tests, wasteful in a loop. Outputs with free
// dimensions get the shape that the run gives them.
func (s *Session) Run(ctx context.Context, inputs map[string]*Tensor) (map[string]*Tensor, error) {
	results, err := s.runOnce(ctx, inputs)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", s.name, err)
	}
	return results, nil
}

func (s *Session) runOnce(ctx context.Context, inputs map[string]*Tensor) (_ map[string]*Tensor, err error) {
	outputs := map[string]*Tensor{}
	for _, info := range s.outputs {
		if !info.IsStatic() {
			continue
		}
		if outputs[info.Name], err = NewTensorOf(info.DType, info.Dims); err != nil {
			return nil, fmt.Errorf("output %q: %w", info.Name, err)
		}
	}
	b, err := s.bind(inputs, outputs, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	b.mu.Lock()
	defer b.mu.Unlock()
	fresh, err := b.run(ctx)
	if err != nil {
		return nil, err
	}
	for name, t := range fresh {
		outputs[name] = t
	}
	return outputs, nil
}

// IsStatic reports whether the model fixes every dimension.
func (i IOInfo) IsStatic() bool {
	if i.Unranked {
		return false
	}
	for _, d := range i.Dims {
		if d < 0 {
			return false
		}
	}
	return true
}

// run does one run with b.mu held and returns the outputs that ONNX Runtime
// allocated, by name.
func (b *Binding) run(ctx context.Context) (_ map[string]*Tensor, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := b.session
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, errSessionClosed
	}
	scalars := map[*Tensor]ort.Value{}
	defer func() {
		for _, v := range scalars {
			err = errors.Join(err, v.Destroy())
		}
	}()
	in, err := b.ortValues(b.inputs, b.inputValues, scalars)
	if err != nil {
		return nil, err
	}
	out, err := b.ortValues(b.outputs, b.outputValues, scalars)
	if err != nil {
		return nil, err
	}
	if err := b.inside(func() error { return s.call(ctx, in, out) }); err != nil {
		return nil, err
	}
	s.engine.count(b.in, b.out)
	for _, t := range b.outputs {
		if t != nil && t.copied() {
			t.data.load(scalars[t])
		}
	}
	return b.collect(out)
}

// inside calls f while the arenas are accessible.
func (b *Binding) inside(f func() error) (err error) {
	for a := range b.arenas {
		if err := a.enter(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.leave()) }()
	}
	return f()
}

// ortValues lists the values of tensors, making those of scalars into scalars.
func (b *Binding) ortValues(tensors []*Tensor, list []ort.Value, scalars map[*Tensor]ort.Value) ([]ort.Value, error) {
	list = slices.Clone(list)
	for i, t := range tensors {
		if t == nil || !t.copied() {
			continue
		}
		if scalars[t] == nil {
			v, err := t.data.value(nil)
			if err != nil {
				return nil, err
			}
			scalars[t] = v
		}
		list[i] = scalars[t]
	}
	return list, nil
}

// listed lists the values of tensors but those of scalars, which are made at each run.
func (b *Binding) listed(tensors []*Tensor) []ort.Value {
	list := make([]ort.Value, len(tensors))
	for i, t := range tensors {
		if v, ok := b.values[t]; ok {
			list[i] = v
		}
	}
	return list
}

// collect turns the outputs that ONNX Runtime allocated into tensors.
func (b *Binding) collect(out []ort.Value) (fresh map[string]*Tensor, err error) {
	for i, t := range b.outputs {
		if t != nil {
			continue
		}
		name := b.session.outputs[i].Name
		made, convErr := tensorFrom(out[i])
		if convErr != nil {
			err = errors.Join(err, fmt.Errorf("output %q: %w", name, convErr))
		}
		if fresh == nil {
			fresh = map[string]*Tensor{}
		}
		fresh[name] = made
		if made != nil {
			b.session.engine.count(0, made.crossing())
		}
		// Frees ONNX Runtime's handle; the Go slice lives on in the tensor.
		err = errors.Join(err, out[i].Destroy())
	}
	return fresh, err
}

// call hands the values to ONNX Runtime. It uses the plain Run with given outputs
// rather than an IoBinding: on the CPU both read and write the same memory
// without copies, on a device it takes host inputs anew each time, and only it
// takes the run options that cancelling needs. It costs about 0.2 µs more per
// tensor than an IoBinding (BenchmarkBindingRun).
func (s *Session) call(ctx context.Context, in, out []ort.Value) (err error) {
	if s.Captured() {
		return s.callCaptured(ctx, in, out)
	}
	s.engine.capturing.RLock()
	defer s.engine.capturing.RUnlock()
	if len(in) == 0 {
		return s.callWithoutInputs(out)
	}
	if ctx.Done() == nil {
		return s.session.Run(in, out)
	}
	options, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(terminated)
		// It fails only on options that are gone, and these are not.
		_ = options.Terminate()
	})
	err = s.session.RunWithOptions(in, out, options)
	if !stop() {
		<-terminated
		if err != nil {
			err = ctx.Err()
		}
	}
	return errors.Join(err, options.Destroy())
}

// callWithoutInputs runs a model of constants, which onnxruntime_go's Run cannot.
func (s *Session) callWithoutInputs(out []ort.Value) (err error) {
	b, err := s.session.CreateIoBinding()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Destroy()) }()
	for i, v := range out {
		if v == nil {
			return fmt.Errorf("output %q has no static shape in a model without inputs", s.outputs[i].Name)
		}
		if err := b.BindOutput(s.outputs[i].Name, v); err != nil {
			return err
		}
	}
	return s.session.RunWithBinding(b)
}
