package quantize

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"t2sda/graphs/engine"
	"t2sda/internal/onnxmodel"
)

// rankSamples is how many samples layers are compared on.
const rankSamples = 4

// mostSQNR stands for outputs that do not differ, dB.
const mostSQNR = 200

// power sums up squares of a value and of its difference to the quantised model's.
type power struct{ signal, noise float64 }

// sqnr returns the ratio, dB.
func (p power) sqnr() float64 {
	switch {
	case p.noise == 0:
		return mostSQNR
	case p.signal == 0 || math.IsNaN(p.noise):
		return -mostSQNR
	}
	return min(max(10*math.Log10(p.signal/p.noise), -mostSQNR), mostSQNR)
}

// rank compares the model that keeps some layers with the float32 one and returns the layers that
// are quantised in it, those first that add most noise of their own, in relation to the signal.
func (q *quantisation) rank(ctx context.Context, kept []Layer) ([]Layer, error) {
	p := q.plan(kept)
	var left []*onnxmodel.Node
	for _, n := range q.layers {
		if p.in[n] {
			left = append(left, n)
		}
	}
	return ranked(ctx, q.engine, q.m, p.write(q.ranges, q.o), left, p.result, q.samples)
}

// ranked compares a model of fewer bits with the float32 one and sorts layers by the noise that they
// add; result names what a layer makes.
func ranked(ctx context.Context, e *engine.Engine, m, narrow *onnxmodel.Model, layers []*onnxmodel.Node, result func(*onnxmodel.Node) string, s Samples) ([]Layer, error) {
	var values []string
	producers, inputs := m.Producers(), map[*onnxmodel.Node][]string{}
	for _, n := range layers {
		for _, v := range n.Inputs[:2] {
			if producers[v] != nil {
				inputs[n] = append(inputs[n], v)
			}
		}
		values = append(append(values, inputs[n]...), result(n))
	}
	slices.Sort(values)
	ratio, err := compare(ctx, e, m, narrow, slices.Compact(values), s.First(rankSamples))
	if err != nil {
		return nil, err
	}
	var all []Layer
	for _, n := range layers {
		before := float64(mostSQNR)
		for _, v := range inputs[n] {
			before = min(before, ratio[v].sqnr())
		}
		after := ratio[result(n)].sqnr()
		all = append(all, Layer{Node: n.Name, SQNR: after, Added: added(before, after)})
	}
	slices.SortStableFunc(all, func(a, b Layer) int { return cmp.Compare(b.Added, a.Added) })
	return all, nil
}

// added returns the noise, in dB of the signal, that a layer adds to that of its input: powers of
// independent noises add up.
func added(before, after float64) float64 {
	own := math.Pow(10, -after/10) - math.Pow(10, -before/10)
	return 10 * math.Log10(max(own, 1e-20))
}

// compare runs both models on the same samples.
func compare(ctx context.Context, e *engine.Engine, a, b *onnxmodel.Model, values []string, s Samples) (map[string]power, error) {
	sums := map[string]power{}
	groups, err := grouped(ctx, e, a, values, s)
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		if err := compareGroup(ctx, e, exposing(a, group), exposing(b, group), s, sums); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// compareGroup adds the powers of the models' outputs to sums.
func compareGroup(ctx context.Context, e *engine.Engine, a, b *onnxmodel.Model, s Samples, sums map[string]power) (err error) {
	other, err := open(e, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	return run(ctx, e, a, s, func(in, reference map[string]*engine.Tensor) error {
		out, err := other.Run(ctx, in)
		if err != nil {
			return err
		}
		for v, t := range reference {
			sums[v] = sums[v].plus(t.Floats(), out[v].Floats())
		}
		return nil
	})
}

func (p power) plus(a, b []float32) power {
	for i, x := range a {
		d := float64(x) - float64(b[i])
		p.signal += float64(x) * float64(x)
		p.noise += d * d
	}
	return p
}
