package losses

import (
	"fmt"

	"t2sda/graphs"
)

// maxLogitGap bounds how far below the position's largest logit a logit may lie
// before interpolation. e^−80 is near the smallest float32; clamped there, an
// interpolated class stays above e^−60 somewhere in every cell, so no logarithm
// of 0 can occur.
const maxLogitGap = 80

// CrossEntropy returns Σ weights · −log softmax(logits)[label] as a scalar:
//
//	logits   float32 [N,C,h,w], resized to H×W linearly (half-pixel centres)
//	labels   int64   [N,H,W], all in 0 … C−1 (void mapped to any, with weight 0)
//	weights  float32 [N,H,W], denominators included
//
// [Encode] and [Mix.Encode] prepare labels and weights.
//
// [N,C,H,W] is the largest tensor of a training step, so few passes over it are
// made. Resizing is linear: the largest logit per position, which the
// log-sum-exp needs to subtract, is subtracted before it, at 1/16 of the cost,
// and cancels between both parts of
//
//	−log p = log Σ_c exp(x_c) − x_label
//
// which leaves Resize, Exp and ReduceSum. The label's part is read by flat
// index. Beyond a gap of 80 between logits of one position (probabilities below
// e^−80) the log-sum-exp is an upper bound.
//
// It panics with *graphs.Error on operands of other shapes.
func CrossEntropy(logits, labels, weights *graphs.Value) *graphs.Value {
	checkCrossEntropy(logits, labels, weights)
	g := logits.Graph()
	var loss *graphs.Value
	g.WithScope("cross_entropy", func() {
		n, height, width := labels.Dim(0), labels.Dim(1), labels.Dim(2)
		shifted := g.Sub(logits, g.ReduceMax(logits, []int{1}, true))
		x := g.Resize(g.Clip(shifted, -maxLogitGap, 0), height, width, "linear") // [N,C,H,W]
		lse := g.Log(g.ReduceSum(g.Exp(x), []int{1}, true))                      // [N,1,H,W]
		target := g.GatherElements(g.Resize(shifted, height, width, "linear"), g.Reshape(labels, n, 1, height, width), 1)
		nll := g.Reshape(g.Sub(lse, target), n, height, width)
		loss = g.ReduceSum(g.Mul(nll, weights), []int{0, 1, 2}, false)
	})
	return loss
}

func checkCrossEntropy(logits, labels, weights *graphs.Value) {
	a, b, c := logits.Shape(), labels.Shape(), weights.Shape()
	if len(a) != 4 || len(b) != 3 || a[0] != b[0] || len(c) != 3 || c.Size() != b.Size() || c[2] != b[2] ||
		labels.DType() != graphs.Int64 || weights.DType() != graphs.Float32 {
		panic(&graphs.Error{
			Op: "CrossEntropy", Node: logits.Name(), Shapes: []graphs.Shape{a, b, c},
			Message: fmt.Sprintf("want logits [N,C,h,w], labels int64 [N,H,W], weights float32 [N,H,W]; labels are %v, weights %v", labels.DType(), weights.DType()),
		})
	}
}
