package graphs_test

import (
	"fmt"
	"testing"

	"t2sda/graphs"
)

// gradient returns the derivative by x of what f builds, for the cotangent c.
func gradient(g *graphs.Graph, x, c *graphs.Value, f func(x *graphs.Value) *graphs.Value) *graphs.Value {
	return graphs.Gradients(g.ReduceSum(g.Mul(f(x), c), nil, false), x)[0]
}

// convCase is a convolution of x with w whose output has the shape y.
type convCase struct {
	name    string
	x, w, y []int
	a       graphs.ConvAttrs
}

// BenchmarkConvWeightGrad compares the ways to the weight gradient of dense convolutions: the
// package's choice, a product per tap with channels first, and the cotangent as kernel of one
// convolution.
func BenchmarkConvWeightGrad(b *testing.B) {
	one, ones := [2]int{1, 1}, [4]int{1, 1, 1, 1}
	for _, c := range []convCase{
		{"3x3", []int{2, 64, 128, 128}, []int{64, 64, 3, 3}, []int{2, 64, 128, 128}, graphs.ConvAttrs{Strides: one, Dilations: one, Pads: ones}},
		{"3x3few", []int{4, 16, 64, 128}, []int{32, 16, 3, 3}, []int{4, 32, 64, 128}, graphs.ConvAttrs{Strides: one, Dilations: one, Pads: ones}},
		{"stride2", []int{2, 32, 128, 128}, []int{64, 32, 3, 3}, []int{2, 64, 64, 64}, graphs.ConvAttrs{Strides: [2]int{2, 2}, Dilations: one, Pads: ones}},
		{"dilation6", []int{2, 256, 32, 32}, []int{64, 256, 3, 3}, []int{2, 64, 32, 32}, graphs.ConvAttrs{Strides: one, Dilations: [2]int{6, 6}, Pads: [4]int{6, 6, 6, 6}}},
		{"fuse", []int{2, 1024, 64, 64}, []int{256, 1024, 3, 3}, []int{2, 256, 64, 64}, graphs.ConvAttrs{Strides: one, Dilations: one, Pads: ones}},
		{"aspp", []int{2, 2048, 64, 64}, []int{19, 2048, 3, 3}, []int{2, 19, 64, 64}, graphs.ConvAttrs{Strides: one, Dilations: [2]int{6, 6}, Pads: [4]int{6, 6, 6, 6}}},
		{"stem7x7", []int{2, 3, 512, 512}, []int{32, 3, 7, 7}, []int{2, 32, 128, 128}, graphs.ConvAttrs{Strides: [2]int{4, 4}, Dilations: one, Pads: [4]int{3, 3, 3, 3}}},
		{"patches8", []int{2, 32, 128, 128}, []int{32, 32, 8, 8}, []int{2, 32, 16, 16}, graphs.ConvAttrs{Strides: [2]int{8, 8}, Dilations: one}},
		{"1x1", []int{2, 256, 64, 64}, []int{256, 256, 1, 1}, []int{2, 256, 64, 64}, graphs.ConvAttrs{Strides: one, Dilations: one}},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchmark(b, [][]int{c.x, c.w, c.y},
				variant{name: "forward", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Conv(v[0], v[1], nil, c.a) }},
				variant{name: "input", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return gradient(g, v[0], v[2], func(x *graphs.Value) *graphs.Value { return g.Conv(x, v[1], nil, c.a) })
				}},
				variant{name: "weight", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return gradient(g, v[1], v[2], func(w *graphs.Value) *graphs.Value { return g.Conv(v[0], w, nil, c.a) })
				}},
				variant{name: "channels-first", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return c.channelsFirst(g, v[0], v[2]) }},
				variant{name: "as-kernel", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return c.asKernel(g, v[0], v[2]) }},
			)
		})
	}
}

// tap returns what tap (i,j) of the kernel sees.
func (c convCase) tap(g *graphs.Graph, x *graphs.Value, i, j int) *graphs.Value {
	padded := g.Pad(x, []int{0, 0, c.a.Pads[0], c.a.Pads[1], 0, 0, c.a.Pads[2], c.a.Pads[3]}, 0)
	top, left := i*c.a.Dilations[0], j*c.a.Dilations[1]
	ends := []int{top + (c.y[2]-1)*c.a.Strides[0] + 1, left + (c.y[3]-1)*c.a.Strides[1] + 1}
	return g.Slice(padded, []int{top, left}, ends, []int{2, 3}, c.a.Strides[:])
}

func (c convCase) channelsFirst(g *graphs.Graph, x, dy *graphs.Value) *graphs.Value {
	n, m, in := c.x[0], c.w[0], c.w[1]
	var parts []*graphs.Value
	for i := range c.w[2] {
		for j := range c.w[3] {
			seen := g.Reshape(c.tap(g, x, i, j), n, in, -1)
			parts = append(parts, g.Reshape(g.FusedMatMul(g.Reshape(dy, n, m, -1), seen, false, true, 1), n, m, in, 1))
		}
	}
	return g.Reshape(g.ReduceSum(g.Concat(3, parts...), []int{0}, false), c.w...)
}

func (c convCase) asKernel(g *graphs.Graph, x, dy *graphs.Value) *graphs.Value {
	a := graphs.ConvAttrs{Strides: c.a.Dilations, Dilations: c.a.Strides, Pads: c.a.Pads}
	d := g.Conv(g.Transpose(x, 1, 0, 2, 3), g.Transpose(dy, 1, 0, 2, 3), nil, a)
	return g.Transpose(g.Slice(d, []int{0, 0}, c.w[2:], []int{2, 3}, nil), 1, 0, 2, 3)
}

// BenchmarkDepthwiseWeightGrad compares the ways to the weight gradient of depthwise 3×3
// convolutions, of stride 1 and 2: the package's choice, dot products per tap, products and sums per tap, and a
// convolution with one group per channel and image.
func BenchmarkDepthwiseWeightGrad(b *testing.B) {
	for _, c := range []convCase{
		{name: "128at128x128", x: []int{2, 128, 128, 128}},
		{name: "256at64x64", x: []int{2, 256, 64, 64}},
		{name: "640at32x32", x: []int{2, 640, 32, 32}},
		{name: "1024at16x16", x: []int{2, 1024, 16, 16}},
		{name: "64at32x64", x: []int{4, 64, 32, 64}},
		{name: "96at256x256stride2", x: []int{2, 96, 256, 256}, a: graphs.ConvAttrs{Strides: [2]int{2, 2}}},
		{name: "144at128x128stride2", x: []int{2, 144, 128, 128}, a: graphs.ConvAttrs{Strides: [2]int{2, 2}}},
		{name: "576at32x32stride2", x: []int{2, 576, 32, 32}, a: graphs.ConvAttrs{Strides: [2]int{2, 2}}},
	} {
		n, ch, stride := c.x[0], c.x[1], max(c.a.Strides[0], 1)
		h, w := c.x[2]/stride, c.x[3]/stride
		c.w, c.y = []int{ch, 1, 3, 3}, []int{n, ch, h, w}
		c.a = graphs.ConvAttrs{Strides: [2]int{stride, stride}, Dilations: [2]int{1, 1}, Pads: [4]int{1, 1, 1, 1}, Group: ch}
		perTap := func(g *graphs.Graph, x *graphs.Value, f func(seen *graphs.Value) *graphs.Value) *graphs.Value {
			var parts []*graphs.Value
			for t := range 9 {
				parts = append(parts, g.Reshape(f(c.tap(g, x, t/3, t%3)), n, ch, 1))
			}
			return g.Reshape(g.ReduceSum(g.Concat(2, parts...), []int{0}, false), c.w...)
		}
		b.Run(c.name, func(b *testing.B) {
			benchmark(b, [][]int{c.x, c.w, c.y},
				variant{name: "forward", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Conv(v[0], v[1], nil, c.a) }},
				variant{name: "forward-native", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Conv(v[0], v[1], nil, c.a) }, native: true},
				variant{name: "input", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return gradient(g, v[0], v[2], func(x *graphs.Value) *graphs.Value { return g.Conv(x, v[1], nil, c.a) })
				}},
				variant{name: "weight", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return gradient(g, v[1], v[2], func(w *graphs.Value) *graphs.Value { return g.Conv(v[0], w, nil, c.a) })
				}},
				variant{name: "weight-native", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return gradient(g, v[1], v[2], func(w *graphs.Value) *graphs.Value { return g.Conv(v[0], w, nil, c.a) })
				}, native: true},
				variant{name: "dots", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					dy := g.Reshape(v[2], n, ch, 1, h*w)
					return perTap(g, v[0], func(seen *graphs.Value) *graphs.Value {
						return g.FusedMatMul(dy, g.Reshape(seen, n, ch, 1, h*w), false, true, 1)
					})
				}},
				variant{name: "sums", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					return perTap(g, v[0], func(seen *graphs.Value) *graphs.Value {
						return g.ReduceSum(g.Mul(seen, v[2]), []int{2, 3}, false)
					})
				}},
				variant{name: "grouped", build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
					a := graphs.ConvAttrs{Group: n * ch, Dilations: c.a.Strides, Pads: c.a.Pads}
					d := g.Conv(g.Reshape(v[0], 1, n*ch, c.x[2], c.x[3]), g.Reshape(v[2], n*ch, 1, h, w), nil, a)
					d = g.Slice(d, []int{0, 0}, []int{3, 3}, []int{2, 3}, nil)
					return g.Reshape(g.ReduceSum(g.Reshape(d, n, ch, 9), []int{0}, false), c.w...)
				}},
			)
		})
	}
}

// BenchmarkResize is bilinear enlargement as a SegFormer head has it, by ONNX Runtime and by ours.
func BenchmarkResize(b *testing.B) {
	for _, size := range []int{16, 32, 64} {
		enlarge := func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Resize(v[0], 128, 128, "linear") }
		b.Run(fmt.Sprint("256at", size), func(b *testing.B) {
			benchmark(b, [][]int{{2, 256, size, size}}, variant{name: "forward", build: enlarge}, variant{name: "forward-native", build: enlarge, native: true})
		})
	}
}
