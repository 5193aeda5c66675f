package cases

import (
	"context"
	"errors"
	"fmt"

	"t2sda/graphs"
	"t2sda/graphs/engine"
)

// Run runs a graph once on an engine. Inputs and results are row-major, booleans 0 and 1.
func Run(ctx context.Context, e *engine.Engine, g *graphs.Graph, inputs map[string][]float64) (_ map[string]*engine.Tensor, err error) {
	model, err := g.Marshal()
	if err != nil {
		return nil, err
	}
	s, err := e.NewSession(g.Name(), model)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	feeds := map[string]*engine.Tensor{}
	for _, v := range g.Inputs() {
		if feeds[v.Name()], err = Tensor(inputs[v.Name()], v.DType(), v.Shape()...); err != nil {
			return nil, fmt.Errorf("input %s: %w", v.Name(), err)
		}
	}
	return s.Run(ctx, feeds)
}

// Tensor makes a tensor of an element type.
func Tensor(data []float64, dt graphs.DType, dims ...int) (*engine.Tensor, error) {
	switch dt {
	case graphs.Float32:
		return engine.NewTensor(converted[float32](data), dims...)
	case graphs.Int64:
		return engine.NewTensor(converted[int64](data), dims...)
	case graphs.Int32:
		return engine.NewTensor(converted[int32](data), dims...)
	case graphs.Uint8:
		return engine.NewTensor(converted[uint8](data), dims...)
	case graphs.Bool:
		b := make([]bool, len(data))
		for i, v := range data {
			b[i] = v != 0
		}
		return engine.NewTensor(b, dims...)
	}
	return nil, fmt.Errorf("there are no tensors of %v", dt)
}

// Values returns a tensor's elements.
func Values(t *engine.Tensor) ([]float64, error) {
	switch t.DType() {
	case engine.Float32:
		return widened[float32](t)
	case engine.Int64:
		return widened[int64](t)
	case engine.Int32:
		return widened[int32](t)
	case engine.Uint8:
		return widened[uint8](t)
	}
	data, err := engine.Data[bool](t)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(data))
	for i, v := range data {
		if v {
			out[i] = 1
		}
	}
	return out, nil
}

type number interface {
	float32 | int64 | int32 | uint8
}

func converted[T number](data []float64) []T {
	out := make([]T, len(data))
	for i, v := range data {
		out[i] = T(v)
	}
	return out
}

func widened[T number](t *engine.Tensor) ([]float64, error) {
	data, err := engine.Data[T](t)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(data))
	for i, v := range data {
		out[i] = float64(v)
	}
	return out, nil
}
