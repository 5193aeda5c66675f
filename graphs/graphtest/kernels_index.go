package graphtest

import (
	"slices"

	"t2sda/graphs"
)

func gather(n *graphs.Node, in []Array) []Array {
	x, idx, axis := in[0], in[1], n.Int("axis")
	y := New(n.Outputs()[0].Shape()...)
	k := len(idx.Shape)
	each(y.Shape, func(e int, o []int) {
		at := int(idx.At(o[axis : axis+k]...))
		from := slices.Concat(o[:axis], []int{wrap(at, x.Shape[axis])}, o[axis+k:])
		y.Data[e] = x.At(from...)
	})
	return one(y)
}

// wrap counts negative indices from the end.
func wrap(i, n int) int {
	if i < 0 {
		return i + n
	}
	return i
}

func gatherElements(n *graphs.Node, in []Array) []Array {
	x, idx, axis := in[0], in[1], n.Int("axis")
	y := New(idx.Shape...)
	each(y.Shape, func(k int, o []int) {
		from := slices.Clone(o)
		from[axis] = wrap(int(idx.Data[k]), x.Shape[axis])
		y.Data[k] = x.At(from...)
	})
	return one(y)
}

func scatterElements(n *graphs.Node, in []Array) []Array {
	y, idx, upd, axis := in[0].Clone(), in[1], in[2], n.Int("axis")
	each(idx.Shape, func(k int, o []int) {
		to := slices.Clone(o)
		to[axis] = wrap(int(idx.Data[k]), y.Shape[axis])
		put(n, y, y.offset(to), upd.Data[k])
	})
	return one(y)
}

func scatterND(n *graphs.Node, in []Array) []Array {
	y, idx, upd := in[0].Clone(), in[1], in[2]
	k := idx.Shape[len(idx.Shape)-1]
	inner := y.Shape[k:].Size()
	for t := range len(idx.Data) / k {
		o := 0
		for i := range k {
			o = o*y.Shape[i] + wrap(int(idx.Data[t*k+i]), y.Shape[i])
		}
		for i := range inner {
			put(n, y, o*inner+i, upd.Data[t*inner+i])
		}
	}
	return one(y)
}

// put writes or adds an element as the node's reduction says.
func put(n *graphs.Node, y Array, at int, x float64) {
	if n.Text("reduction") == "add" {
		x += y.Data[at]
	}
	y.Data[at] = x
}

func oneHot(n *graphs.Node, in []Array) []Array {
	idx, depth, axis := in[0], int(in[1].Data[0]), n.Int("axis")
	y := New(n.Outputs()[0].Shape()...)
	each(y.Shape, func(k int, o []int) {
		at := int(idx.At(slices.Concat(o[:axis], o[axis+1:])...))
		hit := at >= -depth && at < depth && wrap(at, depth) == o[axis]
		y.Data[k] = in[2].Data[int(truth(hit))]
	})
	return one(y)
}
