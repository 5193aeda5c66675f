package nets

import (
	"fmt"
	"slices"

	"t2sda/graphs"
)

// value abbreviates the type that all builders pass around.
type value = graphs.Value

// BatchStat holds the statistics [C] of one application of a batch norm, meant to become outputs.
// Running statistics take running ← (1 − m)·running + m·batch, with, as in PyTorch,
// Var·Count/(Count−1) for the variance.
type BatchStat struct {
	Name      string // of the batch norm; its buffers are Name.running_mean and Name.running_var
	Count     int    // elements per channel
	Mean, Var *graphs.Value
}

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

// Net builds the parts of one network into one graph. Parameters appear when a part first uses
// them, so a graph has those of its parts only. Parts may be applied several times; they share
// parameters.
type Net struct {
	g    *graphs.Graph
	arch Arch
	enc  encoder
	head head
	low  lowering

	batch    graphs.Size             // images
	group    Group                   // of what is declared now
	declared map[string]graphs.Shape // parameters and buffers
	params   []ParamSpec
	fixed    []ParamSpec // of an encoder that is not trained
	buffers  []BufferSpec
	adapters []adapter

	values map[string]*value // of parameters and buffers, as far as they are used
	levels []int             // channels of the encoder's levels
	taken  map[string]int
	stats  []BatchStat
	noise  []Noise
	inputs []*value // buffers
}

// New prepares a network. weights gives the content of a parameter or buffer by name; Deploy needs
// it, the other modes ignore it. Like all of its methods it panics with *graphs.Error, which
// graphs.Build returns: here when a is not valid or Deploy has no weights.
func New(g *graphs.Graph, a Arch, m Mode, weights func(name string) ([]float32, error)) *Net {
	if err := a.Validate(); err != nil {
		panic(&graphs.Error{Op: "nets.New", Message: err.Error()})
	}
	if m == Deploy && weights != nil {
		var err error
		if a, weights, err = a.Deployed(weights); err != nil {
			panic(&graphs.Error{Op: "nets.New", Message: err.Error()})
		}
	}
	return newNet(g, a, encoders[a.Encoder], newLowering(m, weights))
}

// newNet is New for a valid architecture, whose encoder is e.
func newNet(g *graphs.Graph, a Arch, e encoder, l lowering) *Net {
	return &Net{
		g: g, arch: a, enc: e, head: heads[a.Head], low: l,
		declared: map[string]graphs.Shape{}, values: map[string]*value{}, taken: map[string]int{},
	}
}

// Normalize returns (x − mean)/std per channel of x [N,3,H,W], raw RGB on the scale 0–255.
func (n *Net) Normalize(x *graphs.Value) *graphs.Value {
	checkImage("Normalize", x)
	inverse := make([]float32, 3)
	for i, s := range n.arch.Std {
		inverse[i] = 1 / s
	}
	g := n.g
	return g.Mul(g.Sub(x, g.Floats(n.arch.Mean[:], 1, 3, 1, 1)), g.Floats(inverse, 1, 3, 1, 1))
}

// Encode returns the encoder's levels, maps [N,C_i,h_i,w_i], finest first, for a normalised image x
// [N,3,H,W]. It panics with *graphs.Error when x has other than three channels or is smaller than
// Arch.MinSize.
func (n *Net) Encode(x *graphs.Value) []*graphs.Value {
	checkImage("Encode", x)
	if least := n.enc.least(); x.Dim(2) < least || x.Dim(3) < least {
		panic(&graphs.Error{
			Op: "Encode", Node: x.Name(), Shapes: []graphs.Shape{x.Shape()},
			Message: fmt.Sprintf("the image is smaller than %s can take: %d×%d pixels at least", n.arch.Encoder, least, least),
		})
	}
	n.group, n.batch = Encoder, n.g.SizeOf(x, 0)
	levels := n.enc.encode(n, x)
	n.levels = channels(levels)
	return levels
}

// Decode returns what the head's classifier reads, [N,D,h,w], for Encode's levels: the features of
// the head's last layer, D = HeadWidth, or those of the encoder where the head is a classifier
// only.
func (n *Net) Decode(levels []*graphs.Value) *graphs.Value {
	n.checkLevels("Decode", levels)
	return n.part(Head, "head", func() *value { return n.head.decode(n, levels) })
}

// Classify returns the logits [N,Classes,h,w] for the features that Decode returns.
func (n *Net) Classify(features *graphs.Value) *graphs.Value {
	return n.part(Head, "head", func() *value { return n.head.classify(n, features) })
}

// Segment returns the logits [N,Classes,h,w] for Encode's levels: Classify of Decode.
func (n *Net) Segment(levels []*graphs.Value) *graphs.Value {
	return n.Classify(n.Decode(levels))
}

// Project returns the features [N,ProjectorWidth,h,w] of unit length per position, for Encode's
// levels. It panics with *graphs.Error when the architecture has no projector.
func (n *Net) Project(levels []*graphs.Value) *graphs.Value {
	n.checkLevels("Project", levels)
	if n.arch.ProjectorWidth == 0 {
		panic(&graphs.Error{Op: "Project", Message: "the architecture has no projector (projector width 0)"})
	}
	return n.part(Head, "projector", func() *value { return n.project(levels) })
}

// Logits returns the logits [N,Classes,h,w], at the head's size, for an image x [N,3,H,W], RGB
// 0–255.
func (n *Net) Logits(x *graphs.Value) *graphs.Value {
	x = n.Normalize(x)
	return n.Predict(x, n.Encode(n.Context(x)))
}

// Features returns the projected features [N,ProjectorWidth,h,w], of unit length, for an image x
// [N,3,H,W], RGB 0–255; in HRDA those of its context.
func (n *Net) Features(x *graphs.Value) *graphs.Value {
	return n.Project(n.Encode(n.Context(n.Normalize(x))))
}

// BatchStats returns the statistics of all batch norms built so far, in order; mode Train only.
func (n *Net) BatchStats() []BatchStat { return n.stats }

// Noise returns the random inputs declared so far, in order; mode Train only.
func (n *Net) Noise() []Noise { return n.noise }

// Buffers returns the inputs that hold what is not trained, by their names: tensors of a fixed
// encoder and of frozen batch norms built so far, in order. Not in mode Deploy, where they are
// constants.
func (n *Net) Buffers() []*graphs.Value { return n.inputs }

// part builds a part of the network, whose parameters belong to the group.
func (n *Net) part(group Group, scope string, build func() *value) *value {
	n.group = group
	var y *value
	n.g.WithScope(scope, func() { y = build() })
	return y
}

// unique returns name, with a number from the second time on that it is asked for.
func (n *Net) unique(name string) string {
	n.taken[name]++
	if k := n.taken[name]; k > 1 {
		return fmt.Sprintf("%s#%d", name, k)
	}
	return name
}

func checkImage(op string, x *value) {
	if x.Rank() != 4 || x.Dim(1) != 3 || x.DType() != graphs.Float32 {
		panic(&graphs.Error{Op: op, Node: x.Name(), Shapes: []graphs.Shape{x.Shape()}, Message: "want float32 [N,3,H,W]"})
	}
}

// checkLevels panics unless levels look like what Encode has returned.
func (n *Net) checkLevels(op string, levels []*value) {
	var shapes []graphs.Shape
	maps := len(levels) > 0
	for _, v := range levels {
		shapes = append(shapes, v.Shape())
		maps = maps && v.Rank() == 4
	}
	if !maps || !slices.Equal(channels(levels), n.levels) {
		panic(&graphs.Error{
			Op: op, Shapes: shapes,
			Message: fmt.Sprintf("want the levels that Encode has returned for %s, of %v channels", n.arch.Encoder, n.levels),
		})
	}
}
