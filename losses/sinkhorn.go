package losses

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

// Sinkhorn returns soft assignments [N,C] of N positions to C classes, by scores [N,C], whose
// sums over the positions are nearly N times the prior [C] (Li et al., "Class-Balanced Pixel-Level
// Self-Labeling", CPSL, CVPR 2022, section 3.3; Cuturi, NIPS 2013): of e^(score/epsilon), rows and
// columns are scaled in turn. Each position's assignment sums to 1; a class of prior 0 has
// none. Scores must be so that e^(score/epsilon) is finite: cosines are.
func Sinkhorn(scores []float32, prior []float64, epsilon float64, iterations int) ([]float64, error) {
	c := len(prior)
	if c == 0 || len(scores) == 0 || len(scores)%c != 0 {
		return nil, fmt.Errorf("losses: sinkhorn: %d scores for %d classes", len(scores), c)
	}
	q := make([]float64, len(scores))
	for i, s := range scores {
		q[i] = math.Exp(float64(s) / epsilon)
	}
	sums := make([]float64, c)
	for range iterations {
		clear(sums)
		for i, v := range q {
			sums[i%c] += v
		}
		for at := 0; at < len(q); at += c {
			row, total := q[at:at+c], 0.0
			for k := range row {
				if sums[k] > 0 {
					row[k] *= prior[k] / sums[k]
				}
				total += row[k]
			}
			for k := range row {
				row[k] /= total
			}
		}
	}
	for i, v := range q {
		if v-v != 0 {
			return nil, fmt.Errorf("losses: sinkhorn: assignment %d is %g: scores over epsilon are too large, or the prior is 0", i, v)
		}
	}
	return q, nil
}

// PrototypeCosines returns f·p_c/(‖f‖·τ) − absent_c, [N,C,h,w], of features [N,D,h,w] and
// prototypes [C,D] of unit length, whose softmax says how near a position is to each (CPSL,
// equation 2). absent [C] is 0, or a large number for classes without a prototype. It panics with
// *graphs.Error on operands of other shapes.
func PrototypeCosines(features, prototypes, absent *graphs.Value, tau float32) *graphs.Value {
	checkPrototypes("PrototypeCosines", features, prototypes, absent)
	g, c := features.Graph(), prototypes.Dim(0)
	var logits *graphs.Value
	inFloat32(g, "prototypes", func() {
		const least = 1e-24
		length := g.Sqrt(g.Clip(g.ReduceSum(g.Mul(features, features), []int{1}, true), least, math.MaxFloat32))
		kernel := g.Mul(prototypes, g.Scalar(1/tau))
		logits = g.Conv(g.Div(features, length), g.Reshape(kernel, c, prototypes.Dim(1), 1, 1), g.Neg(absent), graphs.ConvAttrs{})
	})
	return logits
}

// SoftCrossEntropy returns Σ weights · Σ_c −targets_c · log softmax(logits)_c as a scalar, for
// logits and targets [N,C,h,w] and weights [N,1,h,w], denominators included. It panics with
// *graphs.Error on operands of other shapes.
func SoftCrossEntropy(logits, targets, weights *graphs.Value) *graphs.Value {
	s := logits.Shape()
	if len(s) != 4 || !targets.Shape().Equal(s) || !weights.Shape().Equal(graphs.Shape{s[0], 1, s[2], s[3]}) {
		panic(&graphs.Error{
			Op: "SoftCrossEntropy", Node: logits.Name(), Shapes: []graphs.Shape{s, targets.Shape(), weights.Shape()},
			Message: "want logits and targets [N,C,h,w], weights [N,1,h,w]",
		})
	}
	g := logits.Graph()
	var loss *graphs.Value
	inFloat32(g, "soft_cross_entropy", func() {
		each := g.ReduceSum(g.Mul(targets, g.LogSoftmax(logits, 1)), []int{1}, true)
		loss = g.Neg(g.ReduceSum(g.Mul(each, weights), []int{0, 1, 2, 3}, false))
	})
	return loss
}
