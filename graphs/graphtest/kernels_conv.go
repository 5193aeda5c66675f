package graphtest

import (
	"math"

	"t2sda/graphs"
)

// window visits what a kernel of size k sees at output (oh, ow) of a map of size h×w: tap (i,j) and
// the position (y,x) in the map.
func window(n *graphs.Node, dilations []int, h, w, oh, ow int, f func(i, j, y, x int)) {
	k, s, p := n.Ints("kernel_shape"), n.Ints("strides"), n.Ints("pads")
	for i := range k[0] {
		for j := range k[1] {
			y := oh*s[0] + i*dilations[0] - p[0]
			x := ow*s[1] + j*dilations[1] - p[1]
			if y >= 0 && y < h && x >= 0 && x < w {
				f(i, j, y, x)
			}
		}
	}
}

func conv(n *graphs.Node, in []Array) []Array {
	x, w := in[0], in[1]
	y := New(n.Outputs()[0].Shape()...)
	perGroup := w.Shape[0] / n.Int("group")
	each(y.Shape, func(k int, o []int) {
		sum := 0.0
		first := o[1] / perGroup * w.Shape[1] // input channel
		window(n, n.Ints("dilations"), x.Shape[2], x.Shape[3], o[2], o[3], func(i, j, r, c int) {
			for l := range w.Shape[1] {
				sum += w.At(o[1], l, i, j) * x.At(o[0], first+l, r, c)
			}
		})
		if len(in) == 3 {
			sum += in[2].Data[o[1]]
		}
		y.Data[k] = sum
	})
	return one(y)
}

// convTranspose scatters every input element through the kernel.
func convTranspose(n *graphs.Node, in []Array) []Array {
	x, w := in[0], in[1]
	y := New(n.Outputs()[0].Shape()...)
	perGroup := w.Shape[0] / n.Int("group")
	each(x.Shape, func(k int, o []int) {
		first := o[1] / perGroup * w.Shape[1] // output channel
		window(n, n.Ints("dilations"), y.Shape[2], y.Shape[3], o[2], o[3], func(i, j, r, c int) {
			for l := range w.Shape[1] {
				y.Data[y.offset([]int{o[0], first + l, r, c})] += w.At(o[1], l, i, j) * x.Data[k]
			}
		})
	})
	if len(in) == 3 {
		each(y.Shape, func(k int, o []int) { y.Data[k] += in[2].Data[o[1]] })
	}
	return one(y)
}

func maxPool(n *graphs.Node, in []Array) []Array {
	x := in[0]
	y, index := New(n.Outputs()[0].Shape()...), New(n.Outputs()[0].Shape()...)
	each(y.Shape, func(k int, o []int) {
		y.Data[k] = math.Inf(-1)
		window(n, n.Ints("dilations"), x.Shape[2], x.Shape[3], o[2], o[3], func(_, _, r, c int) {
			at := x.offset([]int{o[0], o[1], r, c})
			if x.Data[at] > y.Data[k] {
				y.Data[k], index.Data[k] = x.Data[at], float64(at)
			}
		})
	})
	return []Array{y, index}
}

func averagePool(n *graphs.Node, in []Array) []Array {
	x := in[0]
	y := New(n.Outputs()[0].Shape()...)
	each(y.Shape, func(k int, o []int) {
		count := 0
		window(n, []int{1, 1}, x.Shape[2], x.Shape[3], o[2], o[3], func(_, _, r, c int) {
			y.Data[k] += x.At(o[0], o[1], r, c)
			count++
		})
		y.Data[k] /= float64(count)
	})
	return one(y)
}

// resize samples at half-pixel centres: bilinearly, clamped at the border, or at the nearest
// element (halves go down).
func resize(n *graphs.Node, in []Array) []Array {
	x := in[0]
	y := New(n.Outputs()[0].Shape()...)
	nearest := n.Text("mode") == "nearest"
	each(y.Shape, func(k int, o []int) {
		r0, r1, fr := sample(o[2], x.Shape[2], y.Shape[2], nearest)
		c0, c1, fc := sample(o[3], x.Shape[3], y.Shape[3], nearest)
		top := (1-fc)*x.At(o[0], o[1], r0, c0) + fc*x.At(o[0], o[1], r0, c1)
		bottom := (1-fc)*x.At(o[0], o[1], r1, c0) + fc*x.At(o[0], o[1], r1, c1)
		y.Data[k] = (1-fr)*top + fr*bottom
	})
	return one(y)
}

// sample returns the two elements that output i of an axis lies between and its distance from the
// first.
func sample(i, from, to int, nearest bool) (lo, hi int, frac float64) {
	at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
	if nearest {
		at = math.Ceil(at - 0.5)
	}
	at = min(max(at, 0), float64(from-1))
	lo = int(at)
	return lo, min(lo+1, from-1), at - float64(lo)
}
