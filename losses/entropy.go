package losses

import (
	"math"

	"t2sda/graphs"
)

// Entropy returns the mean entropy of softmax(logits) over the pixels of an image, divided
// by log C, that is from 0 (certain) to 1 (uniform), as a scalar (Vu et al., "ADVENT",
// CVPR 2019, equations 2 and 3):
//
//	logits   float32 [N,C,h,w], brought to height×width linearly (half-pixel centres)
//
// It panics with *graphs.Error on logits of another rank or of less than two classes, of
// which there is no entropy.
func Entropy(logits *graphs.Value, height, width int) *graphs.Value {
	if s := logits.Shape(); len(s) != 4 || s[1] < 2 {
		panic(&graphs.Error{
			Op: "Entropy", Node: logits.Name(), Shapes: []graphs.Shape{s},
			Message: "want logits [N,C,h,w] of at least two classes",
		})
	}
	g := logits.Graph()
	var loss *graphs.Value
	inFloat32(g, "entropy", func() {
		p := softmaxOf(logits, height, width)
		pixels := logits.Dim(0) * height * width
		sum := g.ReduceSum(p.entropy(), []int{0, 1, 2}, false)
		loss = g.Mul(sum, g.Scalar(float32(1/(float64(pixels)*math.Log(float64(logits.Dim(1)))))))
	})
	return loss
}
