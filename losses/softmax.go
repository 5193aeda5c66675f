package losses

import "t2sda/graphs"

// tiniest is added to sums of exponentials: a normal float32 far below any sum
// that matters, so that no logarithm of 0 occurs.
const tiniest = 1e-37

// softmax is a distribution over classes per pixel, in parts from which losses are made.
type softmax struct {
	x      *graphs.Value                       // [N,C,P] logits less a number per pixel
	sum    *graphs.Value                       // [N,1,P] Σ eˣ
	logSum *graphs.Value                       // [N,1,P]
	order  func(m *graphs.Value) *graphs.Value // brings maps [N,H,W] to the order of pixels, as [N,1,P]
}

// softmaxOf returns the softmax of logits that are enlarged to height×width.
func softmaxOf(logits *graphs.Value, height, width int) softmax {
	g := logits.Graph()
	shifted := g.Sub(logits, g.ReduceMax(logits, []int{1}, true))
	x, order := enlarge(shifted, height, width)
	sum := g.Add(g.ReduceSum(g.Exp(x), []int{1}, true), g.Scalar(tiniest))
	return softmax{x, sum, g.Log(sum), order}
}

// entropy returns log Σ eˣ − Σ x·eˣ / Σ eˣ, [N,1,P].
func (p softmax) entropy() *graphs.Value {
	g := p.x.Graph()
	return g.Sub(p.logSum, g.Div(g.ReduceSum(g.Mul(p.x, g.Exp(p.x)), []int{1}, true), p.sum))
}

// nll returns −log of the label's probability, [N,1,P].
func (p softmax) nll(labels *graphs.Value) *graphs.Value {
	g := p.x.Graph()
	return g.Sub(p.logSum, g.GatherElements(p.x, p.order(labels), 1))
}
