package nets

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

// Discriminator tells by maps of some channels which domain an image is of: five 4×4
// convolutions of stride 2, of Width, 2, 4, 8 times Width and one channel, a leaky ReLU of slope 0.2
// between them (Tsai et al., "Learning to Adapt Structured Output Space", CVPR 2018, section
// 3.2; Vu et al., "ADVENT", CVPR 2019, takes the same).
type Discriminator struct {
	Channels int // of the maps
	Width    int // of the first layer; 64 as published
}

const (
	discriminatorKernel = 4
	discriminatorSlope  = 0.2
)

// discriminatorLayers lists the convolutions by the names of AdaptSegNet's public code.
var discriminatorLayers = []string{"conv1", "conv2", "conv3", "conv4", "classifier"}

// Params lists the parameters, none of which decays, at PyTorch's default initialisation of
// a convolution, U(±1/√fan_in).
func (d Discriminator) Params() []ParamSpec {
	var specs []ParamSpec
	in := d.Channels
	for i, layer := range discriminatorLayers {
		out := d.Width << i
		if i == len(discriminatorLayers)-1 {
			out = 1
		}
		init := uniform(1 / math.Sqrt(float64(in*discriminatorKernel*discriminatorKernel)))
		name := "discriminator." + layer
		specs = append(specs,
			ParamSpec{Name: name + ".weight", Shape: graphs.Shape{out, in, discriminatorKernel, discriminatorKernel}, Init: init},
			ParamSpec{Name: name + ".bias", Shape: graphs.Shape{out}, Init: init})
		in = out
	}
	return specs
}

// Apply returns scores [N,1,h,w] of maps x [N,Channels,H,W], with h = ⌊H/32⌋: the logit of
// one of the two domains. tensor gives a parameter in x's graph. It panics with
// *graphs.Error on maps of other channels, or with less than 32 rows or columns.
func (d Discriminator) Apply(x *graphs.Value, tensor func(p ParamSpec) *graphs.Value) *graphs.Value {
	if s := x.Shape(); len(s) != 4 || s[1] != d.Channels || min(s[2], s[3]) < 32 {
		panic(&graphs.Error{
			Op: "nets.Discriminator", Node: x.Name(), Shapes: []graphs.Shape{s},
			Message: fmt.Sprintf("want maps [N,%d,H,W] of at least 32×32", d.Channels),
		})
	}
	g, specs := x.Graph(), d.Params()
	g.WithScope("discriminator", func() {
		for i := range discriminatorLayers {
			if i > 0 {
				x = g.Max(x, g.Mul(x, g.Scalar(discriminatorSlope)))
			}
			x = g.Conv(x, tensor(specs[2*i]), tensor(specs[2*i+1]), strided(2, 1))
		}
	})
	return x
}
