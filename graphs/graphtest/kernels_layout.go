package graphtest

import (
	"slices"

	"t2sda/graphs"
)

func reshape(n *graphs.Node, in []Array) []Array {
	return one(Array{graphs.Shape(in[1].ints()), in[0].Data})
}

func transpose(n *graphs.Node, in []Array) []Array {
	perm := n.Ints("perm")
	y := New(n.Outputs()[0].Shape()...)
	from := make([]int, len(perm))
	each(y.Shape, func(k int, index []int) {
		for i, p := range perm {
			from[p] = index[i]
		}
		y.Data[k] = in[0].At(from...)
	})
	return one(y)
}

func expand(_ *graphs.Node, in []Array) []Array {
	y := New(in[1].ints()...)
	each(y.Shape, func(k int, index []int) { y.Data[k] = in[0].broadcastAt(index) })
	return one(y)
}

func concat(n *graphs.Node, in []Array) []Array {
	axis := n.Int("axis")
	y := New(n.Outputs()[0].Shape()...)
	start := 0
	for _, x := range in {
		each(x.Shape, func(k int, index []int) {
			to := slices.Clone(index)
			to[axis] += start
			y.Data[y.offset(to)] = x.Data[k]
		})
		start += x.Shape[axis]
	}
	return one(y)
}

func split(n *graphs.Node, in []Array) (out []Array) {
	axis, start := n.Int("axis"), 0
	for _, size := range in[1].ints() {
		s := in[0].Shape.Clone()
		s[axis] = size
		y := New(s...)
		each(s, func(k int, index []int) {
			from := slices.Clone(index)
			from[axis] += start
			y.Data[k] = in[0].At(from...)
		})
		start += size
		out = append(out, y)
	}
	return out
}

// slice handles bounds that count from the start and steps of either sign, as package graphs emits
// them.
func slice(n *graphs.Node, in []Array) []Array {
	starts, axes, steps := in[1].ints(), in[3].ints(), in[4].ints()
	y := New(n.Outputs()[0].Shape()...)
	each(y.Shape, func(k int, index []int) {
		from := slices.Clone(index)
		for i, a := range axes {
			from[a] = starts[i] + steps[i]*index[a]
		}
		y.Data[k] = in[0].At(from...)
	})
	return one(y)
}

func pad(_ *graphs.Node, in []Array) []Array {
	x, pads := in[0], in[1].ints()
	rank := len(x.Shape)
	s := x.Shape.Clone()
	for i := range s {
		s[i] += pads[i] + pads[rank+i]
	}
	y := New(s...)
	each(s, func(k int, index []int) {
		from := slices.Clone(index)
		for i := range from {
			from[i] -= pads[i]
			if from[i] < 0 || from[i] >= x.Shape[i] {
				y.Data[k] = in[2].Data[0]
				return
			}
		}
		y.Data[k] = x.At(from...)
	})
	return one(y)
}
