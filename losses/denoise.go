package losses

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

// PrototypeDistances returns −(‖f − η_c‖ + absent_c)/τ, [N,C,h,w], of features f at each
// position to each class's prototype, whose softmax says how near a position is to each (Zhang
// et al., "Prototypical Pseudo Label Denoising", ProDA, CVPR 2021, equation 4):
//
//	features    float32 [N,D,h,w]
//	prototypes  float32 [C,D]
//	absent      float32 [C], 0, or a large number for classes without a prototype
//
// The gradient goes to the features only. It panics with *graphs.Error on operands of other
// shapes.
func PrototypeDistances(features, prototypes, absent *graphs.Value, tau float32) *graphs.Value {
	checkPrototypes("PrototypeDistances", features, prototypes, absent)
	g := features.Graph()
	var logits *graphs.Value
	inFloat32(g, "prototypes", func() {
		const least = 1e-12 // of a squared distance: a root has no derivative at 0
		distance := g.Sqrt(g.Clip(squaredDistances(features, prototypes), least, math.MaxFloat32))
		logits = g.Mul(g.Add(distance, g.Reshape(absent, 1, absent.Dim(0), 1, 1)), g.Scalar(-1/tau))
	})
	return logits
}

func checkPrototypes(op string, features, prototypes, absent *graphs.Value) {
	f, p := features.Shape(), prototypes.Shape()
	if len(f) != 4 || len(p) != 2 || p[1] != f[1] || !absent.Shape().Equal(graphs.Shape{p[0]}) {
		panic(&graphs.Error{
			Op: op, Node: features.Name(), Shapes: []graphs.Shape{f, p, absent.Shape()},
			Message: "want features [N,D,h,w], prototypes [C,D], absent [C]",
		})
	}
}

// squaredDistances returns ‖f − a_c‖², [N,C,h,w], of features [N,D,h,w] and rows [C,D].
func squaredDistances(features, rows *graphs.Value) *graphs.Value {
	g, c, d := features.Graph(), rows.Dim(0), rows.Dim(1)
	// ‖f − a‖² = ‖f‖² + ‖a‖² − 2·f·a
	own := g.ReduceSum(g.Mul(features, features), []int{1}, true)
	length := g.Reshape(g.ReduceSum(g.Mul(rows, rows), []int{1}, false), 1, c, 1, 1)
	products := g.Conv(features, g.Reshape(rows, c, d, 1, 1), nil, graphs.ConvAttrs{})
	return g.Add(g.Sub(length, g.Mul(products, g.Scalar(2))), own)
}

// Denoised returns the classes [N,h,w], int64, of the largest near·soft, of assignments to
// prototypes and soft labels [N,C,h,w] (ProDA, equation 3). Where no class has both, because
// of bytes and float32 that end at 0, it is that of the largest soft label.
func Denoised(near, soft *graphs.Value) *graphs.Value {
	g := near.Graph()
	both := g.Mul(near, soft)
	none := g.Equal(g.ReduceMax(both, []int{1}, true), g.Scalar(0))
	return g.ArgMax(g.Where(none, soft, both), 1, false)
}

// Symmetric are the weights of [SymmetricCrossEntropy].
type Symmetric struct {
	Cross   float64 // α, of −log p of the label
	Reverse float64 // β, of the reverse cross-entropy, −log A·(1 − p of the label)
	Smooth  float64 // of the mean over classes of −log p
}

// wrongLabel is −log A: what a label says of classes that are not it (Wang et al., "Symmetric
// Cross Entropy", ICCV 2019; A is 1e-4 in ProDA's public code).
var wrongLabel = -math.Log(1e-4)

// SymmetricCrossEntropy returns Σ weights·(α·(−log p_label) + β·(−log A)·(1 − p_label) +
// smooth·mean over classes of −log p) as a scalar, with p = softmax(logits) (ProDA, equations 10
// and 12):
//
//	logits   float32 [N,C,h,w]
//	labels   int64   [N,h,w], all in 0 … C−1
//	weights  float32 [N,h,w], denominators included
//
// It panics with *graphs.Error on operands of other shapes.
func SymmetricCrossEntropy(logits, labels, weights *graphs.Value, s Symmetric) *graphs.Value {
	checkCrossEntropy(logits, labels, weights)
	g := logits.Graph()
	var loss *graphs.Value
	inFloat32(g, "symmetric", func() {
		p := softmaxOf(logits, labels.Dim(1), labels.Dim(2))
		nll := p.nll(labels)
		wrong := g.Sub(g.Scalar(1), g.Exp(g.Neg(nll)))
		each := g.Add(g.Mul(nll, g.Scalar(float32(s.Cross))), g.Mul(wrong, g.Scalar(float32(s.Reverse*wrongLabel))))
		smooth := g.ReduceMean(g.Sub(p.logSum, p.x), []int{1}, true)
		each = g.Add(each, g.Mul(smooth, g.Scalar(float32(s.Smooth))))
		loss = g.ReduceSum(g.Mul(each, p.order(weights)), []int{0, 1, 2}, false)
	})
	return loss
}

// AssignmentDivergence returns Σ weights · the mean over classes of t·(log t − log
// softmax(logits)) as a scalar: the divergence of assignments from what they shall be, over C
// (ProDA, equation 9; the mean is of its public code), for logits and targets [N,C,h,w], of which
// the latter are distributions without a gradient, and weights [N,h,w], denominators included.
// It panics with *graphs.Error on operands of other shapes.
func AssignmentDivergence(logits, targets, weights *graphs.Value) *graphs.Value {
	s := logits.Shape()
	if len(s) != 4 || !targets.Shape().Equal(s) || !weights.Shape().Equal(graphs.Shape{s[0], s[2], s[3]}) {
		panic(&graphs.Error{
			Op: "AssignmentDivergence", Node: logits.Name(), Shapes: []graphs.Shape{s, targets.Shape(), weights.Shape()},
			Message: "want logits and targets [N,C,h,w], weights [N,h,w]",
		})
	}
	g := logits.Graph()
	var loss *graphs.Value
	inFloat32(g, "divergence", func() {
		known := g.Log(g.Add(targets, g.Scalar(tiniest)))
		each := g.ReduceMean(g.Mul(targets, g.Sub(known, g.LogSoftmax(logits, 1))), []int{1}, false)
		loss = g.ReduceSum(g.Mul(each, weights), []int{0, 1, 2}, false)
	})
	return loss
}

// EncodeDenoised fills ids with labels [N,h,w] and weights with one over the number of those
// that are not in a rim, 0 in the rims. rims are of images of so many rows, of which each row of
// the grid stands for the one in its middle.
func EncodeDenoised(ids []uint8, weights []float32, labels []uint8, rims []Rim, h, w, rows int) error {
	if len(labels) != len(rims)*h*w || len(ids) != len(labels) || len(weights) != len(labels) {
		return fmt.Errorf("losses: denoised: %d labels, %d ids and %d weights for %d rims do not fill grids of %d×%d", len(labels), len(ids), len(weights), len(rims), h, w)
	}
	inside := 0
	for i, label := range labels {
		ids[i], weights[i] = label, 0
		if !rims[i/(h*w)].HoldsCell(i/w%h, h, rows) {
			weights[i] = 1
			inside++
		}
	}
	for i := range weights {
		weights[i] /= float32(max(inside, 1))
	}
	return nil
}
