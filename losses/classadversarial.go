package losses

import (
	"fmt"

	"t2sda/graphs"
)

// SoftLabels returns softmax(logits/temperature) at height×width, no probability more than
// ceiling, without a gradient, for logits [N,C,h,w] that are enlarged linearly first: what
// FADA's discriminator is to find out of a pixel (Wang et al., "Classes Matter", ECCV 2020,
// section 3.3; the numbers are of its public code).
func SoftLabels(logits *graphs.Value, height, width int, temperature, ceiling float32) *graphs.Value {
	g := logits.Graph()
	p := Probabilities(g.Mul(g.Detach(logits), g.Scalar(1/temperature)), height, width)
	return g.Min(p, g.Scalar(ceiling))
}

// ClassDomainLoss returns the mean over images and pixels of the cross-entropy of a
// discriminator's softmax over classes of both domains with soft labels of one of them, as a
// scalar (Wang et al., ECCV 2020, equations 5 and 6):
//
//	scores  float32 [N,2·C,h,w], logits of the source's classes and then of the target's,
//	        brought to H×W linearly
//	labels  float32 [N,C,H,W], soft labels
//	source  float32 [N,1,1,1], 1 where labels are those of the source's classes, 0 where of
//	        the target's
//
// It panics with *graphs.Error on operands of other shapes.
func ClassDomainLoss(scores, labels, source *graphs.Value) *graphs.Value {
	g, s, l := scores.Graph(), scores.Shape(), labels.Shape()
	if len(s) != 4 || len(l) != 4 || s[0] != l[0] || s[1] != 2*l[1] || !source.Shape().Equal(graphs.Shape{s[0], 1, 1, 1}) {
		panic(&graphs.Error{
			Op: "ClassDomainLoss", Node: scores.Name(), Shapes: []graphs.Shape{s, l, source.Shape()},
			Message: fmt.Sprintf("want scores [N,2·C,h,w], labels [N,C,H,W], source [%d,1,1,1]", s[0]),
		})
	}
	var loss *graphs.Value
	inFloat32(g, "class_domain_loss", func() {
		logs := g.LogSoftmax(g.Resize(scores, l[2], l[3], "linear"), 1)
		domains := g.Split(logs, 1, l[1], l[1])
		target := g.Sub(g.Scalar(1), source)
		chosen := g.Add(g.Mul(domains[0], source), g.Mul(domains[1], target))
		each := g.ReduceSum(g.Mul(labels, chosen), []int{1}, false)
		loss = g.Neg(g.ReduceMean(each, []int{0, 1, 2}, false))
	})
	return loss
}
