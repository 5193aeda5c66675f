package losses

import (
	"fmt"

	"t2sda/graphs"
)

// InfoNCE returns the weighted sum over queries q of
//
//	−log( e^{q·k⁺/τ} / (e^{q·k⁺/τ} + Σ_j e^{q·k⁻_j/τ}) )
//
// as a scalar. Queries come in B blocks of Q, each block of one class:
//
//	features    float32 [N,D,h,w], normalised per position
//	index       int64   [B·Q] flat positions (n·h + y)·w + x
//	weights     float32 [B,Q], 0 in empty slots
//	positives   float32 [B,D], k⁺ of each block
//	negatives   float32 [C,m,D], the k⁻ of each class
//	blockClass  int64   [B], the class of each block
//
// A slot of weight 0 adds exactly 0 to the value and to the gradient as long as
// features and keys are finite. The gradient goes to the features only.
//
// It panics with *graphs.Error on operands of other shapes and on τ ≤ 0.
func InfoNCE(features, index, weights, positives, negatives, blockClass *graphs.Value, tau float32) *graphs.Value {
	checkPull("InfoNCE", features, index, weights, positives)
	b, d := weights.Dim(0), features.Dim(1)
	if s := negatives.Shape(); !(tau > 0) || len(s) != 3 || s[2] != d || blockClass.Shape().Size() != b || blockClass.DType() != graphs.Int64 {
		panic(&graphs.Error{
			Op: "InfoNCE", Node: features.Name(), Shapes: []graphs.Shape{features.Shape(), s, blockClass.Shape()},
			Message: fmt.Sprintf("want negatives [C,m,%d], blockClass int64 [%d], tau > 0; tau is %g", d, b, tau),
		})
	}
	g := features.Graph()
	var loss *graphs.Value
	inFloat32(g, "info_nce", func() {
		queries := gatherQueries(features, index, weights)                                                       // [B,Q,D]
		positive := g.FusedMatMul(queries, g.Reshape(positives, b, d, 1), false, false, 1/tau)                   // [B,Q,1]
		negative := g.FusedMatMul(queries, g.Gather(negatives, g.Reshape(blockClass, b), 0), false, true, 1/tau) // [B,Q,m]
		// A constant shift: any integer near the largest logit keeps the exponentials in range,
		// and integers carry no gradient, so the sweep leaves the maximum alone.
		shift := g.Max(g.ReduceMax(negative, []int{2}, true), positive)
		shift = g.Cast(g.Cast(shift, graphs.Int64), graphs.Float32)
		positive = g.Sub(positive, shift)
		sum := g.Add(g.ReduceSum(g.Exp(g.Sub(negative, shift)), []int{2}, true), g.Exp(positive))
		nll := g.Sub(g.Log(sum), positive) // [B,Q,1]
		loss = g.ReduceSum(g.Mul(g.Reshape(nll, b, weights.Dim(1)), weights), []int{0, 1}, false)
	})
	return loss
}

// MSE returns the weighted sum over queries q of ‖q − k⁺‖² as a scalar, which
// is 2 − 2·cos for normalised q and k⁺. Operands and errors are those of
// [InfoNCE].
func MSE(features, index, weights, positives *graphs.Value) *graphs.Value {
	checkPull("MSE", features, index, weights, positives)
	g := features.Graph()
	var loss *graphs.Value
	g.WithScope("mse", func() {
		b, d := weights.Dim(0), features.Dim(1)
		difference := g.Sub(gatherQueries(features, index, weights), g.Reshape(positives, b, 1, d))
		square := g.ReduceSum(g.Mul(difference, difference), []int{2}, false) // [B,Q]
		loss = g.ReduceSum(g.Mul(square, weights), []int{0, 1}, false)
	})
	return loss
}

// gatherQueries returns the features at the flat positions index as [B,Q,D].
//
// Elements of a planar feature vector lie h·w apart. Reading them by flat index,
// plane by plane, spares the transposition of the whole map, and that of its
// gradient. GatherElements and its gradient are faster at single elements than
// Gather.
func gatherQueries(features, index, weights *graphs.Value) *graphs.Value {
	g := features.Graph()
	n, d, area := features.Dim(0), features.Dim(1), features.Dim(2)*features.Dim(3)
	b, q := weights.Dim(0), weights.Dim(1)
	position := g.Reshape(index, 1, b*q)
	image := g.Div(position, g.Ints([]int64{int64(area)}, 1))
	first := g.Add(position, g.Mul(image, g.Ints([]int64{int64((d - 1) * area)}, 1))) // n·D·area + y·w + x
	planes := make([]int64, d)
	for i := range planes {
		planes[i] = int64(i * area)
	}
	flat := g.Reshape(g.Add(first, g.Ints(planes, d, 1)), d*b*q)
	gathered := g.GatherElements(g.Reshape(features, n*d*area), flat, 0)
	return g.Transpose(g.Reshape(gathered, d, b, q), 1, 2, 0)
}

func checkPull(op string, features, index, weights, positives *graphs.Value) {
	f, i, w, k := features.Shape(), index.Shape(), weights.Shape(), positives.Shape()
	if len(f) != 4 || len(w) != 2 || i.Size() != w.Size() || len(k) != 2 || k[0] != w[0] || k[1] != f[1] || index.DType() != graphs.Int64 {
		panic(&graphs.Error{
			Op: op, Node: features.Name(), Shapes: []graphs.Shape{f, i, w, k},
			Message: "want features [N,D,h,w], index int64 [B·Q], weights [B,Q], positives [B,D]",
		})
	}
}
