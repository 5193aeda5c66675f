package nets

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

// PixelDiscriminator tells of every position of a feature map of which class in which domain
// it is: 3×3 convolutions to Width and to half of it, a leaky ReLU of slope 0.2 after each,
// and one to the classes for each domain (Wang et al., "Classes Matter", ECCV 2020, section
// 4.2).
type PixelDiscriminator struct {
	Channels int // of the features
	Width    int // of the first layer; 256 as published
	Classes  int
}

// Params lists the parameters by the names of FADA's public code, none of which decays, at
// PyTorch's default initialisation of a convolution, U(±1/√fan_in).
func (d PixelDiscriminator) Params() []ParamSpec {
	var specs []ParamSpec
	for _, layer := range []struct {
		name    string
		in, out int
	}{
		{"D.0", d.Channels, d.Width},
		{"D.2", d.Width, d.Width / 2},
		{"cls1", d.Width / 2, d.Classes},
		{"cls2", d.Width / 2, d.Classes},
	} {
		init, name := uniform(1/math.Sqrt(float64(9*layer.in))), "discriminator."+layer.name
		specs = append(specs,
			ParamSpec{Name: name + ".weight", Shape: graphs.Shape{layer.out, layer.in, 3, 3}, Init: init},
			ParamSpec{Name: name + ".bias", Shape: graphs.Shape{layer.out}, Init: init})
	}
	return specs
}

// Apply returns scores [N,2·Classes,h,w] of features x [N,Channels,h,w]: logits of the
// source's classes, then of the target's. tensor gives a parameter in x's graph. It panics
// with *graphs.Error on features of other channels.
func (d PixelDiscriminator) Apply(x *graphs.Value, tensor func(p ParamSpec) *graphs.Value) *graphs.Value {
	if s := x.Shape(); len(s) != 4 || s[1] != d.Channels {
		panic(&graphs.Error{
			Op: "nets.PixelDiscriminator", Node: x.Name(), Shapes: []graphs.Shape{s},
			Message: fmt.Sprintf("want features [N,%d,h,w]", d.Channels),
		})
	}
	g, specs := x.Graph(), d.Params()
	var scores *graphs.Value
	g.WithScope("discriminator", func() {
		layer := func(i int, x *graphs.Value) *graphs.Value {
			return g.Conv(x, tensor(specs[2*i]), tensor(specs[2*i+1]), strided(1, 1))
		}
		for i := range 2 {
			x = layer(i, x)
			x = g.Max(x, g.Mul(x, g.Scalar(discriminatorSlope)))
		}
		scores = g.Concat(1, layer(2, x), layer(3, x))
	})
	return scores
}
