package graphtest

import "t2sda/graphs"

// product returns alpha · op(a) · op(b) over the last two axes, broadcasting the others.
func product(n *graphs.Node, a, b Array, transA, transB bool, alpha float64) Array {
	y := New(n.Outputs()[0].Shape()...)
	rank := len(y.Shape)
	inner := a.Shape[len(a.Shape)-1]
	if transA {
		inner = a.Shape[len(a.Shape)-2]
	}
	ia, ib := make([]int, rank), make([]int, rank)
	each(y.Shape, func(k int, index []int) {
		copy(ia, index)
		copy(ib, index)
		sum := 0.0
		for l := range inner {
			setPair(ia, index[rank-2], l, transA)
			setPair(ib, l, index[rank-1], transB)
			sum += a.broadcastAt(ia) * b.broadcastAt(ib)
		}
		y.Data[k] = alpha * sum
	})
	return y
}

// setPair sets the last two indices to row and column, the other way round when the matrix is
// transposed.
func setPair(index []int, row, col int, transposed bool) {
	if transposed {
		row, col = col, row
	}
	index[len(index)-2], index[len(index)-1] = row, col
}

func matMul(n *graphs.Node, in []Array) []Array {
	return one(product(n, in[0], in[1], false, false, 1))
}

func fusedMatMul(n *graphs.Node, in []Array) []Array {
	return one(product(n, in[0], in[1], n.Int("transA") == 1, n.Int("transB") == 1, float64(n.Float("alpha"))))
}

func gemm(n *graphs.Node, in []Array) []Array {
	y := product(n, in[0], in[1], n.Int("transA") == 1, n.Int("transB") == 1, 1)
	if len(in) == 3 {
		each(y.Shape, func(k int, index []int) { y.Data[k] += in[2].broadcastAt(index) })
	}
	return one(y)
}
