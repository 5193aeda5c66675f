package nets

import (
	"fmt"
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
// Decay is false for scale and shift of every normalisation and true for all else, biases included.
// The public configuration exempts what has "norm" or "pos_block" in its name: that is MiT's
// LayerNorms; nothing in MiT is called pos_block, and the depthwise convolution of the Mix-FFN
// decays. Batch norms are called "bn" there, which the pattern misses; ours are exempt too.
type ParamSpec struct {
	Name  string
	Shape graphs.Shape
	Group Group
	Decay bool
	Init  func(r *rand.Rand, dst []float32) // fills dst, of Shape.Size() elements
}

// rank is the parameter's place in the order of arenas.
func (p ParamSpec) rank() int {
	r := 2 * int(p.Group)
	if !p.Decay {
		r++
	}
	return r
}

// BufferSpec describes a tensor that is saved with the parameters and never trained: a running
// statistic of a batch norm, "….running_mean" or "….running_var", or what else a frozen one has.
type BufferSpec struct {
	Name string
	Len  int
	Init float32 // the value of all elements at the start
}

// tensor is a parameter or buffer as a layer declares it.
type tensor struct {
	net     *Net
	name    string
	shape   graphs.Shape
	trained bool
}

// value returns the tensor in the graph, where it appears with its first use.
func (t tensor) value() *value {
	v := t.net.values[t.name]
	if v == nil {
		v = t.net.low.tensor(t)
		t.net.values[t.name] = v
	}
	return v
}

// param declares a parameter, which is trained unless the encoder is fixed and this is its. Parts
// that are applied again declare theirs again.
func (n *Net) param(name string, decay bool, init initialiser, shape ...int) tensor {
	if !n.fixes() {
		return n.trained(name, decay, init, shape...)
	}
	if n.isNew(name, shape) {
		n.fixed = append(n.fixed, ParamSpec{Name: name, Shape: shape, Group: n.group, Init: init})
	}
	return tensor{n, name, shape, false}
}

// trained declares a parameter that is trained in any case.
func (n *Net) trained(name string, decay bool, init initialiser, shape ...int) tensor {
	if n.isNew(name, shape) {
		n.params = append(n.params, ParamSpec{Name: name, Shape: shape, Group: n.group, Decay: decay, Init: init})
	}
	return tensor{n, name, shape, true}
}

// buffer declares a tensor [length] that is not trained and starts with the value init.
func (n *Net) buffer(name string, length int, init float32) tensor {
	shape := graphs.Shape{length}
	if n.isNew(name, shape) {
		n.buffers = append(n.buffers, BufferSpec{Name: name, Len: length, Init: init})
	}
	return tensor{n, name, shape, false}
}

// isNew reports whether name is declared for the first time. It panics with *graphs.Error where
// it was declared with another shape.
func (n *Net) isNew(name string, shape graphs.Shape) bool {
	old, known := n.declared[name]
	if known && !old.Equal(shape) {
		panic(&graphs.Error{
			Op: "nets", Node: name, Shapes: []graphs.Shape{old, shape},
			Message: "the network has this tensor already, in another shape",
		})
	}
	n.declared[name] = shape
	return !known
}

// declare builds the whole network once, on the smallest image, and returns it with all that its
// layers declared.
func declare(a Arch, e encoder) (*Net, error) {
	var n *Net
	_, err := graphs.Build("parameters", func(g *graphs.Graph) {
		n = newNet(g, a, e, teacher{})
		levels := n.Encode(g.Input("image", graphs.Float32, 1, 3, e.least(), e.least()))
		logits := n.Segment(levels)
		if a.HasDetails() {
			n.Attention(levels, logits)
		}
		if a.ProjectorWidth > 0 {
			n.Project(levels)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("network of %s and %s: %w", a.Encoder, a.Head, err)
	}
	return n, nil
}
