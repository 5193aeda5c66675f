package graphtest

import (
	"math"
	"slices"

	"t2sda/graphs"
)

// fold combines the elements over axes, starting from init; the result has the shape of the node's
// output.
func fold(n *graphs.Node, x Array, axes []int, init float64, f func(acc, x float64) float64) Array {
	y := New(n.Outputs()[0].Shape()...)
	for i := range y.Data {
		y.Data[i] = init
	}
	kept := x.Shape.Clone()
	for _, a := range axes {
		kept[a] = 1
	}
	view := Array{kept, y.Data}
	each(x.Shape, func(k int, index []int) {
		to := slices.Clone(index)
		for _, a := range axes {
			to[a] = 0
		}
		o := view.offset(to)
		y.Data[o] = f(y.Data[o], x.Data[k])
	})
	return y
}

func add(a, b float64) float64 { return a + b }

func reduceSum(n *graphs.Node, in []Array) []Array {
	return one(fold(n, in[0], in[1].ints(), 0, add))
}

func reduceMean(n *graphs.Node, in []Array) []Array {
	y := fold(n, in[0], n.Ints("axes"), 0, add)
	for i := range y.Data {
		y.Data[i] *= float64(len(y.Data)) / float64(len(in[0].Data))
	}
	return one(y)
}

func reduceMax(n *graphs.Node, in []Array) []Array {
	return one(fold(n, in[0], n.Ints("axes"), math.Inf(-1), math.Max))
}

func argMax(n *graphs.Node, in []Array) []Array {
	axis := n.Int("axis")
	best := fold(n, in[0], []int{axis}, math.Inf(-1), math.Max)
	kept := in[0].Shape.Clone()
	kept[axis] = 1
	best.Shape = kept
	y := New(kept...)
	each(kept, func(k int, index []int) {
		at := slices.Clone(index)
		for in[0].At(at...) != best.Data[k] {
			at[axis]++
		}
		y.Data[k] = float64(at[axis])
	})
	y.Shape = n.Outputs()[0].Shape()
	return one(y)
}

// rows calls f with the offsets of every line of elements along axis.
func rows(s graphs.Shape, axis int, f func(offsets []int)) {
	inner := s[axis+1:].Size()
	offsets := make([]int, s[axis])
	for outer := range s[:axis].Size() {
		for i := range inner {
			for j := range offsets {
				offsets[j] = (outer*s[axis]+j)*inner + i
			}
			f(offsets)
		}
	}
}

// logSumExp returns log Σ eˣ over the elements at offsets.
func logSumExp(x []float64, offsets []int) float64 {
	top, sum := math.Inf(-1), 0.0
	for _, o := range offsets {
		top = math.Max(top, x[o])
	}
	for _, o := range offsets {
		sum += math.Exp(x[o] - top)
	}
	return top + math.Log(sum)
}

func logSoftmax(n *graphs.Node, in []Array) []Array {
	y := in[0].Clone()
	rows(y.Shape, n.Int("axis"), func(offsets []int) {
		l := logSumExp(in[0].Data, offsets)
		for _, o := range offsets {
			y.Data[o] -= l
		}
	})
	return one(y)
}

func softmax(n *graphs.Node, in []Array) []Array {
	y := logSoftmax(n, in)[0]
	for i, x := range y.Data {
		y.Data[i] = math.Exp(x)
	}
	return one(y)
}

func layerNormalization(n *graphs.Node, in []Array) []Array {
	x, eps := in[0], float64(n.Float("epsilon"))
	axis := len(x.Shape) - 1
	y := x.Clone()
	mean, inverse := New(n.Outputs()[1].Shape()...), New(n.Outputs()[1].Shape()...)
	d := float64(x.Shape[axis])
	row := 0
	rows(x.Shape, axis, func(offsets []int) {
		var sum, squares float64
		for _, o := range offsets {
			sum += x.Data[o]
		}
		for _, o := range offsets {
			squares += (x.Data[o] - sum/d) * (x.Data[o] - sum/d)
		}
		mean.Data[row], inverse.Data[row] = sum/d, 1/math.Sqrt(squares/d+eps)
		for i, o := range offsets {
			y.Data[o] = (x.Data[o]-sum/d)*inverse.Data[row]*in[1].Data[i] + in[2].Data[i]
		}
		row++
	})
	return []Array{y, mean, inverse}
}
