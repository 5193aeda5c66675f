package quantize

import (
	"context"
	"fmt"
	"math"
	"slices"

	"t2sda/graphs/engine"
	"t2sda/internal/onnxmodel"
)

// headroom is how far above what samples show a channel may still reach after equalisation.
const headroom = 2

// pair is a convolution whose output only convolutions read, so that each channel between them may
// have a scale of its own: the first one's weights take it, the others' take it back.
type pair struct {
	from   *onnxmodel.Node
	to     []*onnxmodel.Node
	value  string
	shared bool // the readers mix channels; otherwise each reads one
}

// equalise multiplies channels that are small beside the others of their tensor by powers of two, and
// divides the weights that read them: otherwise one scale per tensor leaves such channels few levels,
// which weights that are large there then amplify. Outputs of the float32 model stay the same to the
// bit, save where a channel behind ReLU6 comes to more than twice what it does on any sample.
// (Cross-layer equalisation, Nagel et al. 2019; where readers mix channels, the square root that
// balances both sides, SmoothQuant, Xiao et al. 2023, eq. 4.)
func equalise(ctx context.Context, e *engine.Engine, m *onnxmodel.Model, s Samples) error {
	pairs := newPlan(m, nil).pairs()
	largest := map[string][]float64{} // of each channel
	values := make([]string, len(pairs))
	for i, p := range pairs {
		values[i] = p.value
	}
	err := observe(ctx, e, m, values, s, func(v string, t *engine.Tensor) error {
		shape := t.Shape() // [N,C,H,W]
		if largest[v] == nil {
			largest[v] = make([]float64, shape[1])
		}
		plane := shape[2] * shape[3]
		for i, x := range t.Floats() {
			c := i / plane % shape[1]
			largest[v][c] = max(largest[v][c], math.Abs(float64(x)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range pairs {
		p.apply(m, largest[p.value])
	}
	return nil
}

// pairs lists what can be equalised.
func (p *plan) pairs() (all []pair) {
	for _, n := range layers(p.m) {
		one := pair{from: n, value: p.result(n), to: p.consumers[p.result(n)]}
		if n.Op == "Conv" && p.equalisable(&one) {
			all = append(all, one)
		}
	}
	return all
}

func (p *plan) equalisable(one *pair) bool {
	if len(one.to) == 0 || p.m.IsOutput(one.value) || !p.scalable(one.from) {
		return false
	}
	channels := p.m.Tensor(one.from.Inputs[1]).Dims[0]
	for _, b := range one.to {
		if b.Op != "Conv" || !p.in[b] || len(p.m.Tensor(b.Inputs[1]).Dims) != 4 {
			return false
		}
		switch b.Int("group", 1) {
		case channels:
		case 1:
			one.shared = true
		default:
			return false
		}
	}
	return true
}

// scalable reports whether a layer's channels, grown, stay what they were but for their scale: what
// a ReLU behind it cuts off starts at 0.
func (p *plan) scalable(n *onnxmodel.Node) bool {
	clamp := p.fused(n.Outputs[0])
	if clamp == nil || clamp.Op == "Relu" {
		return true
	}
	if len(clamp.Inputs) < 2 || p.m.Tensor(clamp.Inputs[1]) == nil {
		return false
	}
	return p.m.Tensor(clamp.Inputs[1]).Floats()[0] == 0
}

// apply scales weights by what channels reach.
func (p pair) apply(m *onnxmodel.Model, largest []float64) {
	scales := p.scales(m, largest)
	rescale(m, p.from, 1, func(channel, _ int) float32 { return scales[channel] })
	if len(p.from.Inputs) > 2 && p.from.Inputs[2] != "" {
		rescale(m, p.from, 2, func(channel, _ int) float32 { return scales[channel] })
	}
	for _, b := range p.to {
		if b.Int("group", 1) == 1 {
			rescale(m, b, 1, func(_, in int) float32 { return 1 / scales[in] })
			continue
		}
		multiple := m.Tensor(b.Inputs[1]).Dims[0] / len(scales)
		rescale(m, b, 1, func(out, _ int) float32 { return 1 / scales[out/multiple] })
	}
}

// scales returns a power of two per channel, at least 1.
func (p pair) scales(m *onnxmodel.Model, largest []float64) []float32 {
	weights := make([]float64, len(largest)) // largest that reads each channel
	for _, b := range p.to {
		if b.Int("group", 1) != 1 {
			continue
		}
		t := m.Tensor(b.Inputs[1])
		data := t.Floats()
		eachWeight(t, func(i, _, in int) { weights[in] = max(weights[in], math.Abs(float64(data[i]))) })
	}
	most, heaviest := slices.Max(largest), slices.Max(weights)
	scales := make([]float32, len(largest))
	for c, r := range largest {
		scales[c] = 1
		if r == 0 {
			continue
		}
		s := most / (headroom * r)
		if p.shared && heaviest > 0 {
			s = min(s, math.Sqrt(most/r*weights[c]/heaviest))
		}
		if s > 1 {
			scales[c] = float32(math.Ldexp(1, min(int(math.Log2(s)), 30)))
		}
	}
	return scales
}

// eachWeight calls f with the places of a tensor's elements: along its first axis, and its second.
func eachWeight(t *onnxmodel.Tensor, f func(i, out, in int)) {
	inner, ins := 1, 1
	if len(t.Dims) > 1 {
		ins = t.Dims[1]
		for _, d := range t.Dims[2:] {
			inner *= d
		}
	}
	for i := range t.Size() {
		f(i, i/inner/ins, i/inner%ins)
	}
}

// rescale gives a node an operand of its own, multiplied.
func rescale(m *onnxmodel.Model, n *onnxmodel.Node, operand int, by func(out, in int) float32) {
	t := m.Tensor(n.Inputs[operand])
	data := t.Floats()
	eachWeight(t, func(i, out, in int) { data[i] *= by(out, in) })
	n.Inputs[operand] = fmt.Sprintf("%s/operand%d", n.Name, operand)
	m.AddTensor(onnxmodel.Floats(n.Inputs[operand], data, t.Dims...))
}
