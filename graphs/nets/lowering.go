package nets

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

// Mode says what a network is built for.
type Mode int

// The modes.
const (
	// Train takes batch statistics, and stochastic depth and dropout from noise inputs.
	Train Mode = iota
	// Teacher takes batch statistics and has no randomness.
	Teacher
	// Settled is Teacher under running statistics, which are inputs: what Deploy writes otherwise,
	// and must agree with.
	Settled
	// Deploy folds running statistics into the convolutions; parameters are constants, and all
	// operators are ONNX's own.
	Deploy
)

// A lowering is how layers are written for one mode.
type lowering interface {
	// tensor returns a parameter or buffer in the graph.
	tensor(t tensor) *value
	// product is alpha·a·b, with the last two axes of each swapped first where asked for.
	product(g *graphs.Graph, a, b *value, transA, transB bool, alpha float32) *value
	// gelu is the exact GELU, x·Φ(x).
	gelu(g *graphs.Graph, x *value) *value
	// noisy multiplies x by a noise input called name of that rate and shape, where the mode has
	// randomness.
	noisy(n *Net, x *value, name string, rate float64, shape graphs.Shape) *value
	// norm returns how a convolution with the batch norm b after it is written.
	norm(b batchNorm) norm
}

// newLowering returns the lowering of mode m. It panics with *graphs.Error when Deploy has no
// weights.
func newLowering(m Mode, weights func(name string) ([]float32, error)) lowering {
	switch m {
	case Train:
		return train{}
	case Teacher:
		return teacher{}
	case Settled:
		return settled{}
	}
	if weights == nil {
		panic(&graphs.Error{Op: "nets.New", Message: "mode Deploy needs weights"})
	}
	return deploy{weights}
}

// teacher writes what is computed of parameters that change from run to run.
type teacher struct{}

// tensor is an input.
func (teacher) tensor(t tensor) *value {
	if t.trained {
		return t.net.g.Param(t.name, t.shape...)
	}
	v := t.net.g.Input(t.name, graphs.Float32, t.shape...)
	t.net.inputs = append(t.net.inputs, v)
	return v
}

func (teacher) product(g *graphs.Graph, a, b *value, transA, transB bool, alpha float32) *value {
	return g.FusedMatMul(a, b, transA, transB, alpha)
}

func (teacher) gelu(g *graphs.Graph, x *value) *value { return g.Gelu(x) }

func (teacher) noisy(_ *Net, x *value, _ string, _ float64, _ graphs.Shape) *value { return x }

func (teacher) norm(b batchNorm) norm { return live(b, false) }

// train is teacher with noise, and hands batch statistics out.
type train struct{ teacher }

func (train) noisy(n *Net, x *value, name string, rate float64, shape graphs.Shape) *value {
	in := n.g.Input(n.unique(name), graphs.Float32, shape...)
	n.noise = append(n.noise, Noise{in, 1 - rate})
	return n.g.Mul(x, in)
}

func (train) norm(b batchNorm) norm { return live(b, true) }

// settled is teacher with every batch norm as it is after training.
type settled struct{ teacher }

func (settled) norm(b batchNorm) norm { return fixed{b} }

// live is how a batch norm is written while it is trained; keep hands its statistics out.
func live(b batchNorm, keep bool) norm {
	if b.frozen {
		return fixed{b}
	}
	return overBatch{b, keep}
}

// deploy writes a model that any runtime takes; ONNX Runtime fuses products and GELUs again when it
// loads it.
type deploy struct {
	weights func(name string) ([]float32, error)
}

// tensor is a constant.
func (d deploy) tensor(t tensor) *value { return t.net.g.Floats(d.data(t), t.shape...) }

// data returns the content of a parameter or buffer. It panics with *graphs.Error when there is
// none, or one of another size.
func (d deploy) data(t tensor) []float32 {
	x, err := d.weights(t.name)
	if err == nil && len(x) != t.shape.Size() {
		err = fmt.Errorf("%d elements", len(x))
	}
	if err != nil {
		panic(&graphs.Error{Op: "nets.Deploy", Node: t.name, Shapes: []graphs.Shape{t.shape}, Message: err.Error()})
	}
	return x
}

func (deploy) product(g *graphs.Graph, a, b *value, transA, transB bool, alpha float32) *value {
	if transA {
		a = g.Transpose(a, swapLast(a)...)
	}
	if transB {
		b = g.Transpose(b, swapLast(b)...)
	}
	return g.Mul(g.MatMul(a, b), g.Scalar(alpha))
}

// swapLast returns the permutation that swaps the last two axes.
func swapLast(v *value) []int {
	perm := make([]int, v.Rank())
	for i := range perm {
		perm[i] = i
	}
	k := len(perm)
	perm[k-2], perm[k-1] = k-1, k-2
	return perm
}

// gelu takes the form that ONNX Runtime fuses.
func (deploy) gelu(g *graphs.Graph, x *value) *value {
	phi := g.Add(g.Erf(g.Div(x, g.Scalar(math.Sqrt2))), g.Scalar(1))
	return g.Mul(g.Mul(x, phi), g.Scalar(0.5))
}

func (deploy) noisy(_ *Net, x *value, _ string, _ float64, _ graphs.Shape) *value { return x }

func (d deploy) norm(b batchNorm) norm { return d.fold(b) }
