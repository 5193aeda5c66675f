package quantize

import (
	"encoding/binary"
	"math"

	"t2sda/internal/onnxmodel"
)

// grid is a linear quantisation: value = scale·(level − zero), levels from least to most.
type grid struct {
	scale       float32
	zero        int
	least, most int
	elem        int // element type: onnxmodel.Uint8 or Int8
}

// Target says for which machines activations are quantised.
type Target string

// The targets.
const (
	CPU Target = "cpu" // uint8, asymmetric
	GPU Target = "gpu" // int8 with zero point 0, which TensorRT asks for
)

// activation returns the grid of an activation's range; 0 is always one of its values, which
// padding and ReLU need.
func (t Target) activation(r span) grid {
	lo, hi := min(r.Min, 0), max(r.Max, 0)
	if t == GPU {
		return grid{scale: positive(max(-lo, hi) / 127), least: -127, most: 127, elem: onnxmodel.Int8}
	}
	g := grid{scale: positive((hi - lo) / 255), most: 255, elem: onnxmodel.Uint8}
	g.zero = int(min(max(math.RoundToEven(-lo/float64(g.scale)), 0), 255))
	return g
}

// positive returns a scale: 1 where all values are 0, and never one that would divide by 0.
func positive(scale float64) float32 {
	if scale == 0 {
		return 1
	}
	return max(float32(scale), math.SmallestNonzeroFloat32*(1<<23))
}

// level returns the level of a value: the nearest, of two equally near ones the even one, or the
// last one of that side.
func (g grid) level(x float32) int {
	q := math.RoundToEven(float64(x/g.scale)) + float64(g.zero)
	return int(min(max(q, float64(g.least)), float64(g.most)))
}

// constant returns the levels of a constant.
func (g grid) constant(name string, t *onnxmodel.Tensor) *onnxmodel.Tensor {
	out := &onnxmodel.Tensor{Name: name, Type: g.elem, Dims: t.Dims}
	for _, x := range t.Floats() {
		out.Raw = append(out.Raw, byte(g.level(x)))
	}
	return out
}

// channels are the symmetric grids of weights, one scale per slice along an axis.
type channels struct {
	axis   int
	scales []float32
	most   int // 127, or 64 with a reduced range
}

// weightChannels returns the scales of weights. bias, if there is one, has an element per channel
// and gets the scale input·weights; a channel's scale is raised where an int32 could not hold its
// bias.
func weightChannels(t *onnxmodel.Tensor, axis, most int, bias []float32, input float32) channels {
	c := channels{axis: axis, most: most, scales: make([]float32, t.Dims[axis])}
	largest := make([]float64, len(c.scales))
	for i, x := range t.Floats() {
		k := c.channel(t, i)
		largest[k] = max(largest[k], math.Abs(float64(x)))
	}
	for k := range c.scales {
		s := largest[k] / float64(most)
		if bias != nil {
			s = max(s, math.Abs(float64(bias[k]))/(float64(input)*(1<<30)))
		}
		c.scales[k] = positive(s)
	}
	return c
}

// channel returns the channel of element i.
func (c channels) channel(t *onnxmodel.Tensor, i int) int {
	inner := 1
	for _, d := range t.Dims[c.axis+1:] {
		inner *= d
	}
	return i / inner % t.Dims[c.axis]
}

// constant returns weights as int8.
func (c channels) constant(name string, t *onnxmodel.Tensor) *onnxmodel.Tensor {
	out := &onnxmodel.Tensor{Name: name, Type: onnxmodel.Int8, Dims: t.Dims}
	for i, x := range t.Floats() {
		g := grid{scale: c.scales[c.channel(t, i)], least: -c.most, most: c.most}
		out.Raw = append(out.Raw, byte(int8(g.level(x))))
	}
	return out
}

// holds reports whether an int32 holds the levels of a bias: not if a column's weights are as good as zeros
// and were given a scale without it.
func (c channels) holds(bias *onnxmodel.Tensor, input float32) bool {
	for k, x := range bias.Floats() {
		if math.Abs(float64(x)) > float64(input)*float64(c.scales[k])*(1<<30) {
			return false
		}
	}
	return true
}

// bias returns a bias as int32, and its scales.
func (c channels) bias(name string, bias *onnxmodel.Tensor, input float32) (levels *onnxmodel.Tensor, scales []float32) {
	levels = &onnxmodel.Tensor{Name: name, Type: onnxmodel.Int32, Dims: bias.Dims}
	for k, x := range bias.Floats() {
		s := input * c.scales[k]
		q := math.RoundToEven(float64(x) / float64(s))
		q = min(max(q, math.MinInt32), math.MaxInt32)
		levels.Raw = binary.LittleEndian.AppendUint32(levels.Raw, uint32(int32(q)))
		scales = append(scales, s)
	}
	return levels, scales
}
