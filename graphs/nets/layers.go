package nets

import (
	"math"

	"t2sda/graphs"
)

// Layers: what several parts of the networks share.

// bnEps is added to batch variances, as in PyTorch.
const bnEps = 1e-5

// layerNorm normalises the last axis by the parameters called name.
func (n *Net) layerNorm(x *value, name string, eps float32) *value {
	return n.g.LayerNormalization(x, n.param(name+".weight"), n.param(name+".bias"), eps)
}

// conv convolves with weight and bias called name.
func (n *Net) conv(x *value, name string, attrs graphs.ConvAttrs) *value {
	return n.g.Conv(x, n.param(name+".weight"), n.param(name+".bias"), attrs)
}

// linearToMap applies a linear layer to tokens [N,L,in] and returns [N,out,L].
func (n *Net) linearToMap(x *value, name string) *value {
	bias := n.param(name + ".bias")
	return n.g.Add(n.matmul(n.param(name+".weight"), x, false, true, 1), n.g.Reshape(bias, bias.Dim(0), 1))
}

// linearToTokens applies a linear layer to [N,in,L] and returns tokens [N,L,out].
func (n *Net) linearToTokens(x *value, name string) *value {
	return n.g.Add(n.matmul(x, n.param(name+".weight"), true, true, 1), n.param(name+".bias"))
}

// matmul is FusedMatMul. A deployable model does with ONNX's own operators, so that any runtime takes it; ONNX Runtime fuses them again when it loads the model.
func (n *Net) matmul(a, b *value, transA, transB bool, alpha float32) *value {
	g := n.g
	if n.mode != Deploy {
		return g.FusedMatMul(a, b, transA, transB, alpha)
	}
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

// gelu is the exact GELU, x·Φ(x); for a deployable model from ONNX's own operators, in the form that ONNX Runtime fuses.
func (n *Net) gelu(x *value) *value {
	g := n.g
	if n.mode != Deploy {
		return g.Gelu(x)
	}
	phi := g.Add(g.Erf(g.Div(x, g.Scalar(math.Sqrt2))), g.Scalar(1))
	return g.Mul(g.Mul(x, phi), g.Scalar(0.5))
}

// convBN is a convolution without bias ("name.conv"), batch norm ("name.bn") and ReLU. attrs.Pads keep the size where the kernel is larger than 1.
func (n *Net) convBN(x *value, name string, attrs graphs.ConvAttrs) *value {
	if n.mode == Deploy {
		f := n.foldBN(name + ".bn")
		w := f.scaleRows(n.data(name + ".conv.weight"))
		return n.g.Relu(n.g.Conv(x, n.g.Floats(w, n.shapes[name+".conv.weight"]...), f.shiftValue(n.g), attrs))
	}
	return n.g.Relu(n.batchNorm(n.g.Conv(x, n.param(name+".conv.weight"), nil, attrs), name+".bn"))
}

// batchNorm normalises each channel of x [N,C,h,w] by the statistics of this batch. It is composed of reductions and elementwise operators: ONNX's BatchNormalization in training mode runs on the CPU only.
func (n *Net) batchNorm(x *value, name string) *value {
	g, c := n.g, x.Dim(1)
	axes := []int{0, 2, 3}
	mean := g.ReduceMean(x, axes, true) // [1,C,1,1]
	d := g.Sub(x, mean)
	variance := g.ReduceMean(g.Mul(d, d), axes, true)
	scale := g.Div(g.Reshape(n.param(name+".weight"), 1, c, 1, 1), g.Sqrt(g.Add(variance, g.Scalar(bnEps))))
	if n.mode == Train {
		n.stats = append(n.stats, BatchStat{
			Name: name, Count: x.Shape().Size() / c,
			Mean: g.Reshape(mean, c), Var: g.Reshape(variance, c),
		})
	}
	return g.Add(g.Mul(d, scale), g.Reshape(n.param(name+".bias"), 1, c, 1, 1))
}

// noisy multiplies x by a noise input of the given shape that is 0 with probability rate and 1/(1−rate) otherwise; in modes without randomness it returns x.
func (n *Net) noisy(x *value, name string, rate float64, shape graphs.Shape) *value {
	if n.mode != Train || rate == 0 {
		return x
	}
	in := n.g.Input(n.unique(name), graphs.Float32, shape...)
	n.noise = append(n.noise, Noise{in, 1 - rate})
	return n.g.Mul(x, in)
}

// same returns the pads that keep a map's size under a 3×3 kernel of the given dilation.
func same(dilation int) graphs.ConvAttrs {
	return graphs.ConvAttrs{Dilations: [2]int{dilation, dilation}, Pads: [4]int{dilation, dilation, dilation, dilation}}
}
