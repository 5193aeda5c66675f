package losses

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

// Probabilities returns softmax(logits) at height×width, [N,C,height,width], for logits
// [N,C,h,w] that are enlarged linearly first (half-pixel centres).
func Probabilities(logits *graphs.Value, height, width int) *graphs.Value {
	g := logits.Graph()
	var p *graphs.Value
	inFloat32(g, "probabilities", func() { p = g.Softmax(g.Resize(logits, height, width, "linear"), 1) })
	return p
}

// SelfInformation returns −p·log p / log C of probabilities p [N,C,H,W], whose sum over
// the classes is the normalised entropy (Vu et al., "ADVENT", CVPR 2019, section 3.2).
// Where p is 0 it is 0, and its gradient finite. It panics with *graphs.Error on less than
// two classes.
func SelfInformation(p *graphs.Value) *graphs.Value {
	g := p.Graph()
	if s := p.Shape(); len(s) != 4 || s[1] < 2 {
		panic(&graphs.Error{Op: "SelfInformation", Node: p.Name(), Shapes: []graphs.Shape{s}, Message: "want probabilities [N,C,H,W] of at least two classes"})
	}
	var information *graphs.Value
	inFloat32(g, "self_information", func() {
		logs := g.Log(g.Add(p, g.Scalar(tiniest)))
		information = g.Mul(g.Mul(p, logs), g.Scalar(float32(-1/math.Log(float64(p.Dim(1))))))
	})
	return information
}

// DomainLoss returns the mean of −log σ(sign·score) as a scalar: the cross-entropy of a
// discriminator's scores [N,1,h,w], logits of the source, with the domains that signs
// [N,1,1,1] give, 1 for source and −1 for target images (Tsai et al., CVPR 2018, equation 2;
// with all signs 1 for target images it is equation 5, what the segmentation network learns
// from). It panics with *graphs.Error on operands of other shapes.
func DomainLoss(scores, signs *graphs.Value) *graphs.Value {
	g, s := scores.Graph(), scores.Shape()
	if len(s) != 4 || s[1] != 1 || !signs.Shape().Equal(graphs.Shape{s[0], 1, 1, 1}) {
		panic(&graphs.Error{
			Op: "DomainLoss", Node: scores.Name(), Shapes: []graphs.Shape{s, signs.Shape()},
			Message: fmt.Sprintf("want scores [N,1,h,w], signs [%d,1,1,1]", s[0]),
		})
	}
	var loss *graphs.Value
	inFloat32(g, "domain_loss", func() {
		x := g.Neg(g.Mul(scores, signs))
		// log(1 + eˣ) = (x + |x|)/2 + log(1 + e^−|x|): nothing overflows, and at 0 the
		// derivative is ½.
		size := g.Abs(x)
		linear := g.Mul(g.Add(x, size), g.Scalar(0.5))
		loss = g.ReduceMean(g.Add(linear, g.Log(g.Add(g.Exp(g.Neg(size)), g.Scalar(1)))), []int{0, 1, 2, 3}, false)
	})
	return loss
}
