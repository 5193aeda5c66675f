package nets

import (
	"math"
	"math/rand/v2"

	"t2sda/graphs"
)

// Group says which learning rate a parameter has.
type Group int

// The groups. The projector belongs to Head: both start from scratch and learn ten times as fast.
const (
	Encoder Group = iota
	Head
)

// String returns "encoder" or "head".
func (g Group) String() string {
	if g == Head {
		return "head"
	}
	return "encoder"
}

// ParamSpec describes a trainable parameter.
//
// Decay is false for scale and shift of every normalisation and true for all else, biases included. The public configuration exempts what has "norm" or "pos_block" in its name: that is MiT's
// LayerNorms; nothing in MiT is called pos_block, and the depthwise convolution of the Mix-FFN decays. The heads' batch norms are called "bn" there, which the pattern misses; ours are exempt too.
type ParamSpec struct {
	Name  string
	Shape graphs.Shape
	Group Group
	Decay bool
	Init  func(r *rand.Rand, dst []float32) // fills dst, of Shape.Size() elements
}

// BufferSpec describes a running statistic of a batch norm: "….running_mean" or "….running_var".
type BufferSpec struct {
	Name string
	Len  int
	Init float32 // the value of all elements at the start
}

// Params returns all parameters in arena order: encoder with decay, encoder without, head with, head without; within these, in order of use.
func (a Arch) Params() ([]ParamSpec, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	l := a.specs(encoders[a.Encoder])
	var out []ParamSpec
	for _, group := range []Group{Encoder, Head} {
		for _, decay := range []bool{true, false} {
			for _, p := range l.params {
				if p.Group == group && p.Decay == decay {
					out = append(out, p)
				}
			}
		}
	}
	return out, nil
}

// Buffers returns the running statistics of all batch norms, mean before variance, in order of use.
func (a Arch) Buffers() ([]BufferSpec, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return a.specs(encoders[a.Encoder]).buffers, nil
}

// specs returns what a valid architecture has, in order of use, for the encoder's numbers e.
func (a Arch) specs(e encoder) *specList {
	l := &specList{group: Encoder}
	encoderSpecs(l, e)
	l.group = Head
	h, _ := headNamed(a.Head) // the architecture is valid
	h.specs(l, a, e)
	if a.ProjectorWidth > 0 {
		projectorSpecs(l, a, e)
	}
	return l
}

// specList collects specifications layer by layer.
type specList struct {
	group   Group
	params  []ParamSpec
	buffers []BufferSpec
}

func (l *specList) add(name string, decay bool, init func(*rand.Rand, []float32), shape ...int) {
	l.params = append(l.params, ParamSpec{Name: name, Shape: shape, Group: l.group, Decay: decay, Init: init})
}

// linear adds weight [out,in] and bias [out] of a linear layer.
func (l *specList) linear(name string, out, in int, init func(*rand.Rand, []float32)) {
	l.add(name+".weight", true, init, out, in)
	l.add(name+".bias", true, fill(0), out)
}

// conv adds the weight of a k×k convolution, normal with deviation √(2/fan_out), where fan_out counts the outputs that one input feeds.
func (l *specList) conv(name string, out, in, k, groups int) {
	l.add(name+".weight", true, normal(math.Sqrt(2/float64(k*k*out/groups))), out, in/groups, k, k)
}

// convBias is conv with a bias [out] of zeros.
func (l *specList) convBias(name string, out, in, k, groups int) {
	l.conv(name, out, in, k, groups)
	l.add(name+".bias", true, fill(0), out)
}

// norm adds scale and shift of a layer norm over c channels.
func (l *specList) norm(name string, c int) {
	l.add(name+".weight", false, fill(1), c)
	l.add(name+".bias", false, fill(0), c)
}

// batchNorm adds scale, shift and running statistics of a batch norm over c channels.
func (l *specList) batchNorm(name string, c int) {
	l.norm(name, c)
	l.buffers = append(l.buffers, BufferSpec{name + ".running_mean", c, 0}, BufferSpec{name + ".running_var", c, 1})
}

// convBN adds "name.conv" without bias and "name.bn".
func (l *specList) convBN(name string, out, in, k, groups int) {
	l.conv(name+".conv", out, in, k, groups)
	l.batchNorm(name+".bn", out)
}

// fill returns an initialiser that sets all elements to v.
func fill(v float32) func(*rand.Rand, []float32) {
	return func(_ *rand.Rand, dst []float32) {
		for i := range dst {
			dst[i] = v
		}
	}
}

// normal returns an initialiser that draws from N(0, std²).
func normal(std float64) func(*rand.Rand, []float32) {
	return func(r *rand.Rand, dst []float32) {
		for i := range dst {
			dst[i] = float32(r.NormFloat64() * std)
		}
	}
}

// truncatedNormal returns an initialiser that draws from N(0, std²) within ±2, absolute as in the public code (so for std 0.02 it is the normal distribution).
func truncatedNormal(std float64) func(*rand.Rand, []float32) {
	return func(r *rand.Rand, dst []float32) {
		for i := range dst {
			x := r.NormFloat64() * std
			for math.Abs(x) > 2 {
				x = r.NormFloat64() * std
			}
			dst[i] = float32(x)
		}
	}
}

// uniform returns an initialiser that draws from U(−bound, bound).
func uniform(bound float64) func(*rand.Rand, []float32) {
	return func(r *rand.Rand, dst []float32) {
		for i := range dst {
			dst[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
}
