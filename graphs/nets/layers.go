package nets

import (
	"math"

	"t2sda/graphs"
)

// Layers: what several parts of the networks share. Creating one declares its parameters, in the
// order of arenas; applying it makes them appear in the graph, in the order of use.

// linear is a linear layer: weight [out,in] and bias [out].
type linear struct{ weight, bias tensor }

func (n *Net) linear(name string, out, in int, init initialiser) linear {
	return linear{n.param(name+".weight", true, init, out, in), n.param(name+".bias", true, fill(0), out)}
}

// toMap applies the layer to tokens [N,L,in] and returns [N,out,L].
func (l linear) toMap(x *value) *value {
	n, bias := l.bias.net, l.bias.value()
	return n.g.Add(n.product(l.weight.value(), x, false, true, 1), n.g.Reshape(bias, bias.Dim(0), 1))
}

// toTokens applies the layer to [N,in,L] and returns tokens [N,L,out].
func (l linear) toTokens(x *value) *value {
	n := l.bias.net
	return n.g.Add(n.product(x, l.weight.value(), true, true, 1), l.bias.value())
}

// onMap applies the layer to a map [N,in,h,w] and returns [N,out,h,w].
func (l linear) onMap(x *value) *value {
	g, k := l.bias.net.g, l.weight.value()
	return g.Conv(x, g.Reshape(k, k.Dim(0), k.Dim(1), 1, 1), l.bias.value(), graphs.ConvAttrs{})
}

// conv is a convolution with bias: weight [out,in/group,k,k] and bias [out].
type conv struct {
	weight, bias tensor
	attrs        graphs.ConvAttrs
}

// conv declares a k×k convolution; attrs holds its strides, dilations, pads and groups.
func (n *Net) conv(name string, out, in, k int, attrs graphs.ConvAttrs) conv {
	return conv{n.kernel(name+".weight", out, in, k, attrs), n.param(name+".bias", true, fill(0), out), attrs}
}

// kernel declares the weight [out,in/group,k,k] of a convolution.
func (n *Net) kernel(name string, out, in, k int, attrs graphs.ConvAttrs) tensor {
	groups := max(attrs.Group, 1)
	return n.param(name, true, fanOut(out, k, groups), out, in/groups, k, k)
}

func (c conv) apply(x *value) *value {
	return c.bias.net.g.Conv(x, c.weight.value(), c.bias.value(), c.attrs)
}

// layerNorm declares a layer norm and normalises the last axis of x by it.
func (n *Net) layerNorm(x *value, name string, eps float32) *value {
	c := x.Dim(-1)
	scale, shift := n.param(name+".weight", false, fill(1), c), n.param(name+".bias", false, fill(0), c)
	return n.g.LayerNormalization(x, scale.value(), shift.value(), eps)
}

// dropPath multiplies a residual branch by stochastic depth's noise, one draw per image. An encoder
// that nothing trains has none.
func (n *Net) dropPath(y *value, name string, rate float64) *value {
	if n.arch.EncoderTrain == TrainFrozen {
		return y
	}
	shape := graphs.Shape{y.Dim(0)}
	for range y.Rank() - 1 {
		shape = append(shape, 1)
	}
	return n.noisy(y, "drop_path."+name, rate, shape)
}

// dropout multiplies the channels of x [N,C,h,w], which a classifier reads, by noise.
func (n *Net) dropout(x *value) *value {
	return n.noisy(x, "dropout.decode_head", n.arch.Dropout, graphs.Shape{x.Dim(0), x.Dim(1), 1, 1})
}

// noisy multiplies x by noise of the given shape that is 0 with probability rate and 1/(1−rate)
// otherwise.
func (n *Net) noisy(x *value, name string, rate float64, shape graphs.Shape) *value {
	if rate == 0 {
		return x
	}
	return n.low.noisy(n, x, name, rate, shape)
}

// product is alpha·a·b, with the last two axes of each swapped first where asked for.
func (n *Net) product(a, b *value, transA, transB bool, alpha float32) *value {
	return n.low.product(n.g, a, b, transA, transB, alpha)
}

// sumResized returns Σ_i resize(kernel_i · level_i) + bias at the first level's size, for kernels
// [D,C_i] and bias [D] (nil: none).
func (n *Net) sumResized(levels, kernels []*value, bias *value) *value {
	g := n.g
	var sum *value
	for i, x := range levels {
		k := kernels[i]
		y := g.Conv(x, g.Reshape(k, k.Dim(0), k.Dim(1), 1, 1), bias, graphs.ConvAttrs{})
		bias = nil
		y = n.resizedTo(y, levels[0])
		if sum != nil {
			y = g.Add(sum, y)
		}
		sum = y
	}
	return sum
}

// resizedTo returns the map x at the size of another one.
func (n *Net) resizedTo(x, like *value) *value {
	return n.g.ResizeTo(x, n.g.SizeOf(like, 2), n.g.SizeOf(like, 3), "linear")
}

// same returns the attributes of a 3×3 convolution of the given dilation that keeps a map's size.
func same(dilation int) graphs.ConvAttrs {
	return graphs.ConvAttrs{Dilations: [2]int{dilation, dilation}, Pads: [4]int{dilation, dilation, dilation, dilation}}
}

// strided returns the attributes of a convolution of that stride with pad elements on all sides.
func strided(stride, pad int) graphs.ConvAttrs {
	return graphs.ConvAttrs{Strides: [2]int{stride, stride}, Pads: [4]int{pad, pad, pad, pad}}
}

// channels returns the number of channels of each level.
func channels(levels []*value) []int {
	c := make([]int, len(levels))
	for i, x := range levels {
		c[i] = x.Dim(1)
	}
	return c
}

// defaultLinear is PyTorch's default initialisation of a linear layer's weight, U(±1/√in), at which
// public heads leave their layers.
func defaultLinear(in int) initialiser { return uniform(1 / math.Sqrt(float64(in))) }
