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
	// centred says that channels may be shifted: nothing clamps them, and readers are 1×1 with a bias.
	centred bool
}

// equalise makes channels of a tensor alike: one scale per tensor leaves those that are small beside
// the others few levels, which weights that are large there then amplify. Channels that are read by
// 1×1 convolutions only are centred, the readers' biases take what is taken off; small ones are
// multiplied by powers of two, by which the weights that read them are divided. The float32 model's
// outputs stay the same but for rounding, save where a channel behind ReLU6 comes to more than twice
// what it does on any sample. (Cross-layer equalisation and bias absorption, Nagel et al. 2019, §4;
// where readers mix channels, the square root that balances both sides, SmoothQuant, Xiao et al.
// 2023, eq. 4.)
func equalise(ctx context.Context, e *engine.Engine, m *onnxmodel.Model, s Samples) error {
	pairs := newPlan(m, nil).pairs()
	ranges := map[string][]span{} // of each channel
	values := make([]string, len(pairs))
	for i, p := range pairs {
		values[i] = p.value
	}
	err := observe(ctx, e, m, values, s, func(v string, t *engine.Tensor) error {
		shape := t.Shape() // [N,C,H,W]
		if ranges[v] == nil {
			ranges[v] = slices.Repeat([]span{{math.Inf(1), math.Inf(-1)}}, shape[1])
		}
		plane := shape[2] * shape[3]
		for i, x := range t.Floats() {
			r := &ranges[v][i/plane%shape[1]]
			r.Min, r.Max = min(r.Min, float64(x)), max(r.Max, float64(x))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if p.centred {
			p.centre(m, ranges[p.value])
		}
		p.apply(m, ranges[p.value])
	}
	return nil
}

// centre shifts channels so that their ranges lie around 0.
func (p pair) centre(m *onnxmodel.Model, ranges []span) {
	middle := make([]float32, len(ranges))
	for c, r := range ranges {
		middle[c] = float32((r.Min + r.Max) / 2)
		ranges[c] = span{r.Min - float64(middle[c]), r.Max - float64(middle[c])}
	}
	change(m, p.from, 2, func(x float32, channel, _ int) float32 { return x - middle[channel] })
	for _, b := range p.to {
		t := m.Tensor(b.Inputs[1])
		data, more := t.Floats(), make([]float64, t.Dims[0])
		eachWeight(t, func(i, out, in int) { more[out] += float64(data[i]) * float64(middle[in]) })
		change(m, b, 2, func(x float32, out, _ int) float32 { return float32(float64(x) + more[out]) })
	}
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
	one.centred = hasBias(one.from) && p.fused(one.from.Outputs[0]) == nil
	for _, b := range one.to {
		if b.Op != "Conv" || !p.in[b] || len(p.m.Tensor(b.Inputs[1]).Dims) != 4 {
			return false
		}
		one.centred = one.centred && p.centrable(b)
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

// centrable reports whether a layer reads channels without their neighbours, so that a shift of a
// channel is one of its bias.
func (p *plan) centrable(n *onnxmodel.Node) bool {
	dims := p.m.Tensor(n.Inputs[1]).Dims
	padded := slices.ContainsFunc(n.Ints("pads"), func(x int) bool { return x != 0 })
	return hasBias(n) && n.Int("group", 1) == 1 && len(dims) == 4 && dims[2] == 1 && dims[3] == 1 && !padded
}

func hasBias(n *onnxmodel.Node) bool { return len(n.Inputs) > 2 && n.Inputs[2] != "" }

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
func (p pair) apply(m *onnxmodel.Model, ranges []span) {
	scales := p.scales(m, ranges)
	change(m, p.from, 1, func(x float32, channel, _ int) float32 { return x * scales[channel] })
	if hasBias(p.from) {
		change(m, p.from, 2, func(x float32, channel, _ int) float32 { return x * scales[channel] })
	}
	for _, b := range p.to {
		if b.Int("group", 1) == 1 {
			change(m, b, 1, func(x float32, _, in int) float32 { return x / scales[in] })
			continue
		}
		multiple := m.Tensor(b.Inputs[1]).Dims[0] / len(scales)
		change(m, b, 1, func(x float32, out, _ int) float32 { return x / scales[out/multiple] })
	}
}

// scales returns a power of two per channel, at least 1.
func (p pair) scales(m *onnxmodel.Model, ranges []span) []float32 {
	largest := make([]float64, len(ranges))
	for c, r := range ranges {
		largest[c] = max(-r.Min, r.Max)
	}
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

// change gives a node an operand of its own, with other elements.
func change(m *onnxmodel.Model, n *onnxmodel.Node, operand int, to func(x float32, out, in int) float32) {
	t := m.Tensor(n.Inputs[operand])
	data := t.Floats()
	eachWeight(t, func(i, out, in int) { data[i] = to(data[i], out, in) })
	n.Inputs[operand] = fmt.Sprintf("%s/operand%d", n.Name, operand)
	m.AddTensor(onnxmodel.Floats(n.Inputs[operand], data, t.Dims...))
}
