package nets

import (
	"math"
	"slices"

	"t2sda/graphs"
)

// Batch norm. As a rule it follows a convolution (or a product) without bias, and is written
// together with it: under fixed statistics it is a part of the convolution.

// bnEps is added to variances, as in PyTorch, where a network has nothing else.
const bnEps = 1e-5

// batchNorm is a batch norm over C channels: scale, shift and running statistics, [C] each.
type batchNorm struct {
	name                         string
	scale, shift, mean, variance tensor
	eps                          float64 // is added to variances
	frozen                       bool    // normalises by running statistics when trained, too
}

// batchNorm declares a batch norm over c channels, which takes running statistics where the encoder
// is fixed and it is its.
func (n *Net) batchNorm(name string, c int) batchNorm {
	return batchNorm{
		name, n.param(name+".weight", false, fill(1), c), n.param(name+".bias", false, fill(0), c),
		n.buffer(name+".running_mean", c, 0), n.buffer(name+".running_var", c, 1), bnEps, n.fixes(),
	}
}

// alone normalises a map x [N,C,h,w] by a batch norm that follows no convolution.
func (b batchNorm) alone(x *value) *value { return b.scale.net.low.norm(b).alone(x) }

// frozenNorm declares a batch norm over c channels that training does not change.
func (n *Net) frozenNorm(name string, c int) batchNorm {
	return batchNorm{
		name, n.buffer(name+".weight", c, 1), n.buffer(name+".bias", c, 0),
		n.buffer(name+".running_mean", c, 0), n.buffer(name+".running_var", c, 1), bnEps, true,
	}
}

// encoderNorm declares a batch norm of an encoder over c channels, as the architecture has it.
func (n *Net) encoderNorm(name string, c int) batchNorm {
	if n.arch.EncoderBN == BNFrozen {
		return n.frozenNorm(name, c)
	}
	return n.batchNorm(name, c)
}

// convBN is a convolution without bias and a batch norm.
type convBN struct {
	kernel tensor
	attrs  graphs.ConvAttrs
	norm   batchNorm
}

// convBN declares a k×k convolution called "name.conv" and a batch norm called "name.bn".
func (n *Net) convBN(name string, out, in, k int, attrs graphs.ConvAttrs) convBN {
	return n.normed(name+".conv", name+".bn", out, in, k, attrs)
}

// normed is convBN with both names given.
func (n *Net) normed(conv, bn string, out, in, k int, attrs graphs.ConvAttrs) convBN {
	return convBN{n.kernel(conv+".weight", out, in, k, attrs), attrs, n.batchNorm(bn, out)}
}

// apply returns the normalised convolution of x.
func (c convBN) apply(x *value) *value {
	n := c.kernel.net
	w := n.low.norm(c.norm)
	return w.after(n.g.Conv(x, w.kernel(c.kernel), w.bias(), c.attrs))
}

// relu is apply and ReLU.
func (c convBN) relu(x *value) *value { return c.kernel.net.g.Relu(c.apply(x)) }

// relu6 is apply, limited to [0, 6].
func (c convBN) relu6(x *value) *value { return c.kernel.net.g.Clip(c.apply(x), 0, 6) }

// weight returns the convolution's weight for a product that is written otherwise; finish makes of
// that product what apply makes of the convolution.
func (c convBN) weight() *value { return c.kernel.net.low.norm(c.norm).kernel(c.kernel) }

func (c convBN) finish(y *value) *value {
	n := c.kernel.net
	w := n.low.norm(c.norm)
	if b := w.bias(); b != nil {
		y = n.g.Add(y, n.g.Reshape(b, 1, y.Dim(1), 1, 1))
	}
	return w.after(y)
}

// norm is how a batch norm is written: what becomes of the convolution's weight [C,…], a bias for
// the convolution (nil: none), and what follows it.
type norm interface {
	kernel(w tensor) *value
	bias() *value // [C]
	after(y *value) *value
	alone(x *value) *value // all of it, on a map without a convolution before
}

// overBatch normalises each channel of a map [N,C,h,w] by the statistics of the batch. It is
// composed of reductions and elementwise operators: ONNX's BatchNormalization in training mode runs
// on the CPU only.
type overBatch struct {
	batchNorm
	keep bool // hands the statistics out
}

func (overBatch) kernel(w tensor) *value { return w.value() }

func (overBatch) bias() *value { return nil }

func (b overBatch) alone(x *value) *value { return b.after(x) }

func (b overBatch) after(x *value) *value {
	n, c := b.scale.net, x.Dim(1)
	g, axes := n.g, []int{0, 2, 3}
	mean := g.ReduceMean(x, axes, true) // [1,C,1,1]
	d := g.Sub(x, mean)
	variance := g.ReduceMean(g.Mul(d, d), axes, true)
	scale := g.Div(g.Reshape(b.scale.value(), 1, c, 1, 1), g.Sqrt(g.Add(variance, g.Scalar(float32(b.eps)))))
	if b.keep {
		n.stats = append(n.stats, BatchStat{
			Name: b.name, Count: x.Shape().Size() / c,
			Mean: g.Reshape(mean, c), Var: g.Reshape(variance, c),
		})
	}
	return g.Add(g.Mul(d, scale), g.Reshape(b.shift.value(), 1, c, 1, 1))
}

// fixed is a frozen batch norm, y = scale·x + offset per channel, inside of the convolution before
// it. Scale and offset are computed of its buffers, the weight's gradient goes through the scale.
type fixed struct{ batchNorm }

// factor returns scale/√(variance + ε) [C].
func (b fixed) factor() *value {
	g := b.scale.net.g
	return g.Div(b.scale.value(), g.Sqrt(g.Add(b.variance.value(), g.Scalar(float32(b.eps)))))
}

func (b fixed) kernel(w tensor) *value {
	g, rows := w.net.g, slices.Repeat([]int{1}, len(w.shape))
	rows[0] = w.shape[0]
	return g.Mul(w.value(), g.Reshape(b.factor(), rows...))
}

func (b fixed) bias() *value {
	g := b.scale.net.g
	return g.Sub(b.shift.value(), g.Mul(b.factor(), b.mean.value()))
}

func (fixed) after(y *value) *value { return y }

func (b fixed) alone(x *value) *value { return affine(b.scale.net.g, x, b.factor(), b.bias()) }

// affine is scale·x + offset per channel of a map x [N,C,h,w].
func affine(g *graphs.Graph, x, scale, offset *value) *value {
	c := x.Dim(1)
	return g.Add(g.Mul(x, g.Reshape(scale, 1, c, 1, 1)), g.Reshape(offset, 1, c, 1, 1))
}

// folded is a batch norm under fixed, known statistics as what it is, y = scale·x + offset per
// channel, inside of the convolution before it.
type folded struct {
	deploy
	g             *graphs.Graph
	scale, offset []float64
}

// fold returns b under its running statistics.
func (d deploy) fold(b batchNorm) folded {
	gamma, beta := d.data(b.scale), d.data(b.shift)
	mean, variance := d.data(b.mean), d.data(b.variance)
	f := folded{d, b.scale.net.g, make([]float64, len(gamma)), make([]float64, len(gamma))}
	for c := range gamma {
		f.scale[c] = float64(gamma[c]) / math.Sqrt(float64(variance[c])+b.eps)
		f.offset[c] = float64(beta[c]) - f.scale[c]*float64(mean[c])
	}
	return f
}

// kernel returns the weight [C,…] with row c multiplied by the scale of channel c: one constant,
// however often the layer is applied.
func (f folded) kernel(w tensor) *value {
	known, name := w.net.values, w.name+" folded"
	if known[name] == nil {
		known[name] = f.g.Floats(f.scaleRows(f.data(w)), w.shape...)
	}
	return known[name]
}

func (f folded) scaleRows(w []float32) []float32 {
	out, row := make([]float32, len(w)), len(w)/len(f.scale)
	for i, x := range w {
		out[i] = float32(float64(x) * f.scale[i/row])
	}
	return out
}

func (f folded) bias() *value { return f.channels(f.offset) }

// channels is a constant [C].
func (f folded) channels(x []float64) *value {
	b := make([]float32, len(x))
	for i, v := range x {
		b[i] = float32(v)
	}
	return f.g.Floats(b, len(b))
}

func (f folded) alone(x *value) *value { return affine(f.g, x, f.channels(f.scale), f.bias()) }

func (folded) after(y *value) *value { return y }
