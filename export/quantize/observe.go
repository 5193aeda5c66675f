package quantize

import (
	"context"
	"errors"
	"fmt"

	"t2sda/graphs/engine"
	"t2sda/internal/onnxmodel"
)

// Samples are inputs to run a model on.
type Samples struct {
	Len int
	// At returns the inputs of sample i by their names. It is asked for the same one several times.
	At func(ctx context.Context, i int) (map[string]*engine.Tensor, error)
}

// First returns the first n samples at most.
func (s Samples) First(n int) Samples {
	s.Len = min(s.Len, n)
	return s
}

// observedBytes bounds the values that are taken out of one run; a larger one comes alone.
const observedBytes = 256 << 20

// observe runs a model on samples and calls each with the float32 values of those names, sample by
// sample within a group of values that fits into memory.
func observe(ctx context.Context, e *engine.Engine, m *onnxmodel.Model, values []string, s Samples, each func(value string, t *engine.Tensor) error) error {
	groups, err := grouped(ctx, e, m, values, s)
	if err != nil {
		return err
	}
	for _, group := range groups {
		err := run(ctx, e, exposing(m, group), s, func(_, results map[string]*engine.Tensor) error {
			for _, v := range group {
				if err := each(v, results[v]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// exposing returns the model with those values as its outputs; what is not float32 there is float16.
func exposing(m *onnxmodel.Model, values []string) *onnxmodel.Model {
	float := floats(m)
	m = m.Clone()
	m.Outputs = nil
	for _, v := range values {
		elem := onnxmodel.Float16
		if float[v] {
			elem = onnxmodel.Float32
		}
		m.Expose(v, elem)
	}
	return m
}

// grouped divides values into groups of bounded size, by what the first sample makes of them.
func grouped(ctx context.Context, e *engine.Engine, m *onnxmodel.Model, values []string, s Samples) (groups [][]string, err error) {
	sizes, err := reduced(ctx, e, m, values, s.First(1), "Size")
	if err != nil {
		return nil, err
	}
	var group []string
	bytes := 0
	for _, v := range values {
		size := 4 * int(sizes[v][0])
		if bytes += size; bytes > observedBytes && group != nil {
			groups, group, bytes = append(groups, group), nil, size
		}
		group = append(group, v)
	}
	if group != nil {
		groups = append(groups, group)
	}
	return groups, nil
}

// reduced runs a model on samples and returns, sample by sample, what the operator (Size,
// ReduceMin, ReduceMax) reduces each value to.
func reduced(ctx context.Context, e *engine.Engine, m *onnxmodel.Model, values []string, s Samples, op string) (map[string][]float64, error) {
	exposed := m.Clone()
	exposed.Outputs = nil
	elem := onnxmodel.Float32
	if op == "Size" {
		elem = onnxmodel.Int64
	}
	name := func(v string) string { return v + "/" + op }
	for _, v := range values {
		n := &onnxmodel.Node{Name: name(v), Op: op, Inputs: []string{v}, Outputs: []string{name(v)}}
		if op != "Size" {
			n.SetInt("keepdims", 0)
		}
		exposed.Nodes = append(exposed.Nodes, n)
		exposed.ExposeScalar(name(v), elem)
	}
	all := map[string][]float64{}
	err := run(ctx, e, exposed, s, func(_, results map[string]*engine.Tensor) error {
		for _, v := range values {
			t := results[name(v)]
			if elem == onnxmodel.Float32 {
				all[v] = append(all[v], float64(t.Floats()[0]))
				continue
			}
			n, err := engine.Data[int64](t)
			if err != nil {
				return err
			}
			all[v] = append(all[v], float64(n[0]))
		}
		return nil
	})
	return all, err
}

// open makes a session of a model, less what its outputs do not need.
func open(e *engine.Engine, m *onnxmodel.Model) (*engine.Session, error) {
	m.Prune()
	model, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	return e.NewSession("quantize", model)
}

// run runs a model on samples, one after the other, and calls each with inputs and outputs.
func run(ctx context.Context, e *engine.Engine, m *onnxmodel.Model, s Samples, each func(in, out map[string]*engine.Tensor) error) (err error) {
	if len(m.Outputs) == 0 {
		return nil
	}
	session, err := open(e, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	for i := range s.Len {
		if err := runOne(ctx, session, s, i, each); err != nil {
			return fmt.Errorf("sample %d: %w", i, err)
		}
	}
	return nil
}

func runOne(ctx context.Context, session *engine.Session, s Samples, i int, each func(in, out map[string]*engine.Tensor) error) error {
	in, err := s.At(ctx, i)
	if err != nil {
		return err
	}
	out, err := session.Run(ctx, in)
	if err != nil {
		return err
	}
	return each(in, out)
}
