package nets

import (
	"fmt"

	"t2sda/graphs"
)

// value abbreviates the type that all builders pass around.
type value = graphs.Value

// Mode says what a network is built for.
type Mode int

// The modes.
const (
	Train   Mode = iota // batch statistics; stochastic depth and dropout through noise inputs
	Teacher             // batch statistics, no randomness
	Deploy              // running statistics folded into the convolutions, parameters constant, ONNX's own operators only
)

// BatchStat holds the statistics [C] of one application of a batch norm, meant to become outputs. Running statistics take running ← (1 − m)·running + m·batch with m = [Momentum] and, as in PyTorch, Var·Count/(Count−1) for the variance.
type BatchStat struct {
	Name      string // of the batch norm; its buffers are Name.running_mean and Name.running_var
	Count     int    // elements per channel
	Mean, Var *graphs.Value
}

// Momentum is the weight of a new batch in the running statistics (PyTorch's default).
const Momentum = 0.1

// Unbias is the factor that turns Var into the unbiased estimate which running variances average.
func (s BatchStat) Unbias() float64 {
	if s.Count < 2 {
		return 1
	}
	return float64(s.Count) / float64(s.Count-1)
}

// Noise is a random input: Bernoulli(Keep)/Keep per element.
type Noise struct {
	Input *graphs.Value
	Keep  float64
}

// Net builds the parts of one network into one graph. Parameters are declared when a part first uses them, so a graph has those of its parts only. Parts may be applied several times; they share parameters.
type Net struct {
	g       *graphs.Graph
	arch    Arch
	enc     encoder
	head    head
	mode    Mode
	weights func(name string) ([]float32, error)
	shapes  map[string]graphs.Shape // of parameters and buffers
	params  map[string]*value
	taken   map[string]int
	stats   []BatchStat
	noise   []Noise
}

// New prepares a network. weights gives the content of a parameter or buffer by name; Deploy needs it, the other modes ignore it. Like all of its methods it panics with *graphs.Error, which graphs.Build returns: here when a is not valid or Deploy has no weights.
func New(g *graphs.Graph, a Arch, m Mode, weights func(name string) ([]float32, error)) *Net {
	if err := a.Validate(); err != nil {
		panic(&graphs.Error{Op: "nets.New", Message: err.Error()})
	}
	if m == Deploy && weights == nil {
		panic(&graphs.Error{Op: "nets.New", Message: "mode Deploy needs weights"})
	}
	return newNet(g, a, encoders[a.Encoder], m, weights)
}

// newNet is New for a valid architecture whose encoder has the numbers e.
func newNet(g *graphs.Graph, a Arch, e encoder, m Mode, weights func(name string) ([]float32, error)) *Net {
	n := &Net{
		g: g, arch: a, enc: e, mode: m, weights: weights,
		shapes: map[string]graphs.Shape{}, params: map[string]*value{}, taken: map[string]int{},
	}
	n.head, _ = headNamed(a.Head) // the architecture is valid
	l := a.specs(e)
	for _, p := range l.params {
		n.shapes[p.Name] = p.Shape
	}
	for _, b := range l.buffers {
		n.shapes[b.Name] = graphs.Shape{b.Len}
	}
	return n
}

// Normalize returns (x − mean)/std per channel of x [N,3,H,W], raw RGB on the scale 0–255.
func (n *Net) Normalize(x *graphs.Value) *graphs.Value {
	n.checkImage("Normalize", x)
	inverse := make([]float32, 3)
	for i, s := range n.arch.Std {
		inverse[i] = 1 / s
	}
	g := n.g
	return g.Mul(g.Sub(x, g.Floats(n.arch.Mean[:], 1, 3, 1, 1)), g.Floats(inverse, 1, 3, 1, 1))
}

// Segment returns the logits [N,Classes,h,w] at stride 4 for the four levels that Encode returns: Classify of Decode.
func (n *Net) Segment(levels []*graphs.Value) *graphs.Value {
	return n.Classify(n.Decode(levels))
}

// Decode returns what the head makes of the four levels that Encode returns before it classifies: features [N,HeadWidth,h,w] at stride 4, ReLU's output.
func (n *Net) Decode(levels []*graphs.Value) *graphs.Value {
	n.checkLevels("Decode", levels)
	var y *value
	n.g.WithScope("head", func() { y = n.head.decode(n, levels) })
	return y
}

// Classify returns the logits [N,Classes,h,w] for the features that Decode returns: channel dropout and a 1×1 convolution.
func (n *Net) Classify(features *graphs.Value) *graphs.Value {
	y := features
	n.g.WithScope("head", func() {
		y = n.noisy(y, "dropout.decode_head", n.arch.Dropout, graphs.Shape{y.Dim(0), y.Dim(1), 1, 1})
		y = n.conv(y, n.head.classifier, graphs.ConvAttrs{})
	})
	return y
}

// BatchStats returns the statistics of all batch norms built so far, in order; mode Train only.
func (n *Net) BatchStats() []BatchStat { return n.stats }

// Noise returns the random inputs declared so far, in order; mode Train only.
func (n *Net) Noise() []Noise { return n.noise }

// param returns the parameter called name: a trainable input, or a constant in mode Deploy.
func (n *Net) param(name string) *value {
	if v := n.params[name]; v != nil {
		return v
	}
	var v *value
	if n.mode == Deploy {
		v = n.g.Floats(n.data(name), n.shapes[name]...)
	} else {
		v = n.g.Param(name, n.shapes[name]...)
	}
	n.params[name] = v
	return v
}

// data returns the content of a parameter or buffer; mode Deploy only.
func (n *Net) data(name string) []float32 {
	d, err := n.weights(name)
	if err == nil && len(d) != n.shapes[name].Size() {
		err = fmt.Errorf("%d elements", len(d))
	}
	if err != nil {
		panic(&graphs.Error{Op: "nets.Deploy", Node: name, Shapes: []graphs.Shape{n.shapes[name]}, Message: err.Error()})
	}
	return d
}

// unique returns name, with a number from the second time on that it is asked for.
func (n *Net) unique(name string) string {
	n.taken[name]++
	if k := n.taken[name]; k > 1 {
		return fmt.Sprintf("%s#%d", name, k)
	}
	return name
}

func (n *Net) checkImage(op string, x *value) {
	if x.Rank() != 4 || x.Dim(1) != 3 || x.DType() != graphs.Float32 {
		panic(&graphs.Error{Op: op, Node: x.Name(), Shapes: []graphs.Shape{x.Shape()}, Message: "want float32 [N,3,H,W]"})
	}
}

// checkLevels panics unless levels are what Encode returns.
func (n *Net) checkLevels(op string, levels []*value) {
	ok := len(levels) == 4
	var shapes []graphs.Shape
	for i, v := range levels {
		shapes = append(shapes, v.Shape())
		ok = ok && v.Rank() == 4 && v.Dim(1) == n.enc.widths[i]
	}
	if !ok {
		panic(&graphs.Error{Op: op, Shapes: shapes, Message: fmt.Sprintf("want the four levels of %s, %v channels", n.arch.Encoder, n.enc.widths)})
	}
}
