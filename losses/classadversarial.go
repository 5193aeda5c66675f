package losses

import (
	"fmt"

	"t2sda/graphs"
)

// SoftLabels returns softmax(logits/temperature), no probability more than ceiling, without a
// gradient, of the pixels of height×width to which logits [N,C,h,w] are brought linearly, as
// [N,C,P]: what FADA's discriminator is to find out of a pixel (Wang et al., "Classes Matter",
// ECCV 2020, section 3.3; the numbers are of its public code). The order of the pixels is that of
// [ClassDomainLoss].
func SoftLabels(logits *graphs.Value, height, width int, temperature, ceiling float32) *graphs.Value {
	g := logits.Graph()
	var labels *graphs.Value
	inFloat32(g, "soft_labels", func() {
		x, _ := enlarge(g.Mul(g.Detach(logits), g.Scalar(1/temperature)), height, width)
		labels = g.Min(g.Softmax(x, 1), g.Scalar(ceiling))
	})
	return labels
}

// ClassDomainLoss returns the mean over images and pixels of the cross-entropy of a
// discriminator's softmax over classes of both domains with soft labels of one of them, as a
// scalar (Wang et al., ECCV 2020, equations 5 and 6):
//
//	scores  float32 [N,2·C,h,w], logits of the source's classes and then of the target's,
//	        brought to height×width linearly
//	labels  float32 [N,C,P], soft labels by [SoftLabels] of logits [N,C,h,w]
//	source  float32 [N,1,1], 1 where labels are those of the source's classes, 0 where of the
//	        target's
//
// It panics with *graphs.Error on operands of other shapes.
func ClassDomainLoss(scores, labels, source *graphs.Value, height, width int) *graphs.Value {
	g, s, l := scores.Graph(), scores.Shape(), labels.Shape()
	if len(s) != 4 || s[1]%2 != 0 || !l.Equal(graphs.Shape{s[0], s[1] / 2, height * width}) || !source.Shape().Equal(graphs.Shape{s[0], 1, 1}) {
		panic(&graphs.Error{
			Op: "ClassDomainLoss", Node: scores.Name(), Shapes: []graphs.Shape{s, l, source.Shape()},
			Message: fmt.Sprintf("want scores [N,2·C,h,w], labels [N,C,%d], source [N,1,1]", height*width),
		})
	}
	var loss *graphs.Value
	inFloat32(g, "class_domain_loss", func() {
		x, _ := enlarge(scores, height, width)
		domains := g.Split(g.LogSoftmax(x, 1), 1, l[1], l[1])
		target := g.Sub(g.Scalar(1), source)
		chosen := g.Add(g.Mul(domains[0], source), g.Mul(domains[1], target))
		each := g.ReduceSum(g.Mul(labels, chosen), []int{1}, false)
		loss = g.Neg(g.ReduceMean(each, []int{0, 1}, false))
	})
	return loss
}
