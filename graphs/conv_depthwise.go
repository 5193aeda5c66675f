package graphs

import "fmt"

// The weight gradient of depthwise convolutions. Of stride 1: tap (i,j) multiplies row h+t of x
// with row h of dy, where t = i·dilation − top, and column w+s with column w, where
// s = j·dilation − left.
// So, for every column j of the kernel, dy moves by s columns; then the product of x's rows with
// dy's rows along the width holds, at [r,q] with r − q = t, what tap (i,j) sums.
// Rows come in blocks, which bounds the useless part of the products; pairs of rows in adjacent
// blocks are added as dot products.
// That is more arithmetic than a dot product per tap, but moves less memory
// (BenchmarkDepthwiseWeightGrad).

// rowBlocks returns how many blocks of how many rows cover the given number of rows: about 16 rows
// to a block, with the least rest.
func rowBlocks(rows int) (count, height int) {
	const fewest, usual, most = 12, 16, 24
	if rows <= most {
		return 1, rows
	}
	height = usual
	for h := fewest; h <= most; h++ {
		if (rows+h-1)/h*h < (rows+height-1)/height*height {
			height = h
		}
	}
	return (rows + height - 1) / height, height
}

// byBlocks reports whether weightGradDepthwise applies: stride 1, and no tap that reaches beyond
// the adjacent block or past the map's width.
func byBlocks(x, dy, w Shape, a ConvAttrs) bool {
	_, height := rowBlocks(max(x[2], dy[2]))
	first, last := -a.Pads[0], (w[2]-1)*a.Dilations[0]-a.Pads[0]
	left, right := -a.Pads[1], (w[3]-1)*a.Dilations[1]-a.Pads[1]
	return a.Strides == [2]int{1, 1} && max(-first, last) < height && -left < dy[3] && right < x[3]
}

// weightGradDepthwise returns ∂w [C,1,kH,kW] where byBlocks holds.
func (g *Graph) weightGradDepthwise(x, dy *Value, w Shape, a ConvAttrs) *Value {
	maps, width := x.shape[0]*x.shape[1], x.shape[3]
	count, height := rowBlocks(max(x.shape[2], dy.shape[2]))
	inBlocks := func(v *Value, right int) *Value { // moved by right columns, as [maps,blocks,rows,width]
		v = g.Pad(v, []int{0, 0, 0, right, 0, 0, count*height - v.shape[2], width - v.shape[3] - right}, 0)
		return g.Reshape(v, maps, count, height, width)
	}
	xs := inBlocks(x, 0)
	columns := make([]*Value, w[3])
	for j := range columns {
		dys := inBlocks(dy, j*a.Dilations[1]-a.Pads[1])
		products := g.ReduceSum(g.FusedMatMul(xs, dys, false, true, 1), []int{1}, false) // [maps,rows of x,rows of dy]
		var column *Value
		g.Exact(func() { column = g.MatMul(g.Reshape(products, maps, height*height), g.rowPairs(height, w[2], a)) }) // a sum
		if count > 1 {
			edges := make([]*Value, w[2])
			for i := range edges {
				edges[i] = g.edgePairs(xs, dys, i*a.Dilations[0]-a.Pads[0])
			}
			column = g.Add(column, g.Concat(1, edges...))
		}
		columns[j] = g.Reshape(column, maps, w[2], 1)
	}
	d := g.Reshape(g.Concat(2, columns...), x.shape[0], w[0], w[2], w[3])
	return g.Reshape(g.sumAxes(d, []int{0}), w...)
}

// rowPairs returns the constant matrix [rows², k] that holds 1 where row r of x and row q of dy,
// r·rows + q in the product, belong to row i of the kernel.
func (g *Graph) rowPairs(rows, k int, a ConvAttrs) *Value {
	m := make([]float32, rows*rows*k)
	for q := range rows {
		for i := range k {
			if r := q + i*a.Dilations[0] - a.Pads[0]; r >= 0 && r < rows {
				m[(r*rows+q)*k+i] = 1
			}
		}
	}
	key := fmt.Sprint("row pairs ", rows, k, a.Dilations[0], a.Pads[0])
	return g.fold(key, "row_pairs", Float32, Shape{rows * rows, k}, &constant{floats: m})
}

// edgePairs sums the products of rows h+t of x with rows h of dy over all h for which the two lie
// in adjacent blocks; the result is [maps,1].
func (g *Graph) edgePairs(xs, dys *Value, t int) *Value {
	maps, count, height := xs.shape[0], xs.shape[1], xs.shape[2]
	upper := func(v *Value, rows int) *Value { // the last rows of all blocks but the last
		return g.Reshape(g.Slice(v, []int{0, height - rows}, []int{count - 1, height}, []int{1, 2}, nil), maps, 1, -1)
	}
	lower := func(v *Value, rows int) *Value { // the first rows of all blocks but the first
		return g.Reshape(g.Slice(v, []int{1, 0}, []int{count, rows}, []int{1, 2}, nil), maps, 1, -1)
	}
	var products *Value
	switch {
	case t == 0:
		return g.zeros(Shape{maps, 1})
	case t > 0:
		products = g.FusedMatMul(lower(xs, t), upper(dys, t), false, true, 1)
	default:
		products = g.FusedMatMul(upper(xs, -t), lower(dys, -t), false, true, 1)
	}
	return g.Reshape(products, maps, 1)
}

// weightGradByChannels returns ∂w [C,1,kH,kW] of a depthwise convolution: a convolution of every
// channel of every image of x with its dy as kernel, in which stride and dilation change places.
// Where a stride thins out what dy moves over, that is less work than the blocks of rows, for which
// x would have to be sorted by the stride first.
func (g *Graph) weightGradByChannels(x, dy *Value, w Shape, a ConvAttrs) *Value {
	maps := x.shape[0] * x.shape[1]
	a.Strides, a.Dilations, a.Group = a.Dilations, a.Strides, maps
	d := g.Conv(g.Reshape(x, 1, maps, x.shape[2], x.shape[3]), g.Reshape(dy, maps, 1, dy.shape[2], dy.shape[3]), nil, a)
	d = g.Slice(d, []int{0, 0}, []int{w[2], w[3]}, []int{2, 3}, nil)
	return g.Reshape(g.sumAxes(g.Reshape(d, x.shape[0], w[0], w[2], w[3]), []int{0}), w...)
}
