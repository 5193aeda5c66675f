package losses

import (
	"fmt"

	"t2sda/graphs"
)

// Association are two domains' maps whose positions are associated in cycles (Kang et al.,
// "Pixel-Level Cycle Association", PLCA, NeurIPS 2020, section 3.1).
type Association struct {
	Source *graphs.Value // float32 [N,D,h,w]
	Target *graphs.Value // float32 [N,D,k,l]
	Labels *graphs.Value // int64 [N,h·w], of the source's positions
	Valid  *graphs.Value // float32 [N,h·w], 1, and 0 at void
	// Aggregate is α, the share of what target positions take over from those that are like
	// them (equation 9); 0: nothing.
	Aggregate float32
}

// Features is the loss of maps of features, whose similarity is the cosine of their angle.
func (a Association) Features() *graphs.Value {
	own := func(x *graphs.Value) *graphs.Value { return standardised(cosines(x, x)) }
	return a.loss("Association.Features", own, func(source, target *graphs.Value) (forth, back *graphs.Value) {
		forth = cosines(source, target)
		return forth, forth.Graph().Transpose(forth, 0, 2, 1)
	})
}

// Probabilities is the loss of maps of probabilities, whose similarity is their divergence
// from each other, less than 0.
func (a Association) Probabilities() *graphs.Value {
	own := func(x *graphs.Value) *graphs.Value { return divergences(x, x) }
	return a.loss("Association.Probabilities", own, func(source, target *graphs.Value) (forth, back *graphs.Value) {
		return divergences(source, target), divergences(target, source)
	})
}

// loss is that of cycles by similarities, [N,P,Q] and [N,Q,P] of both ways; own, [N,Q,Q], are
// those of a map's positions to each other.
func (a Association) loss(op string, own func(x *graphs.Value) *graphs.Value, ways func(source, target *graphs.Value) (forth, back *graphs.Value)) *graphs.Value {
	a.check(op)
	var loss *graphs.Value
	inFloat32(a.Source.Graph(), "association", func() {
		source, target := positions(a.Source), positions(a.Target)
		if a.Aggregate > 0 {
			target = a.aggregated(target, own(target))
		}
		loss = a.cycles(ways(source, target))
	})
	return loss
}

func (a Association) check(op string) {
	s, t, l := a.Source.Shape(), a.Target.Shape(), a.Labels.Shape()
	ok := len(s) == 4 && len(t) == 4 && s[0] == t[0] && s[1] == t[1] && l.Equal(graphs.Shape{s[0], s[2] * s[3]}) && a.Valid.Shape().Equal(l)
	if !ok || a.Labels.DType() != graphs.Int64 {
		panic(&graphs.Error{
			Op: op, Node: a.Source.Name(), Shapes: []graphs.Shape{s, t, l, a.Valid.Shape()},
			Message: "want maps [N,D,h,w] of both domains, labels int64 and valid [N,h·w] of the source",
		})
	}
}

// positions returns a map [N,D,h,w] as [N,h·w,D].
func positions(x *graphs.Value) *graphs.Value {
	g := x.Graph()
	return g.Transpose(g.Reshape(x, x.Dim(0), x.Dim(1), x.Dim(2)*x.Dim(3)), 0, 2, 1)
}

// cosines returns the cosine of the angle between each position of a [N,P,D] and each of b
// [N,Q,D], as [N,P,Q].
func cosines(a, b *graphs.Value) *graphs.Value {
	g := a.Graph()
	return g.MatMul(unitLength(a), g.Transpose(unitLength(b), 0, 2, 1))
}

// unitLength scales each position of x [N,P,D] to length 1, unless it is 0.
func unitLength(x *graphs.Value) *graphs.Value {
	const least, most = 1e-24, 1e30 // as F.normalize has it, squared
	g := x.Graph()
	length := g.Sqrt(g.Clip(g.ReduceSum(g.Mul(x, x), []int{2}, true), least, most))
	return g.Div(x, length)
}

// divergences returns −KL(a‖b) of the distribution of each position of a [N,P,C] from that of
// each of b [N,Q,C], as [N,P,Q].
func divergences(a, b *graphs.Value) *graphs.Value {
	g := a.Graph()
	logs := func(x *graphs.Value) *graphs.Value { return g.Log(g.Add(x, g.Scalar(1e-10))) }
	own := g.ReduceSum(g.Mul(a, logs(a)), []int{2}, true)
	return g.Sub(g.MatMul(a, g.Transpose(logs(b), 0, 2, 1)), own)
}

// leastDeviation is what similarities differ by, at the least, where there is a choice.
const leastDeviation = 1e-4

// standardised returns similarities [N,P,Q] less their mean, over their deviation, along the
// last axis: contrast normalisation (equations 3 and 4), whose statistics are constants. Rows
// that are nearly constant, as all are to an image of one colour, come out as 0: over their
// deviation rounding would decide, and gradients have no bound.
func standardised(x *graphs.Value) *graphs.Value {
	g, n := x.Graph(), x.Dim(2)
	fixed := g.Detach(x)
	centred := g.Sub(fixed, g.ReduceMean(fixed, []int{2}, true))
	variance := g.Mul(g.ReduceSum(g.Mul(centred, centred), []int{2}, true), g.Scalar(1/float32(max(n-1, 1))))
	deviation := g.Add(g.Sqrt(variance), g.Scalar(1e-10))
	scale := g.Where(g.Less(deviation, g.Scalar(leastDeviation)), g.Scalar(0), g.Div(g.Scalar(1), deviation))
	return g.Mul(g.Sub(x, g.ReduceMean(fixed, []int{2}, true)), scale)
}

// aggregated mixes into x [N,Q,D] what is similar to it, by the softmax of similarities [N,Q,Q].
func (a Association) aggregated(x, similar *graphs.Value) *graphs.Value {
	g := x.Graph()
	mean := g.MatMul(g.Softmax(similar, 2), x)
	return g.Add(g.Mul(x, g.Scalar(1-a.Aggregate)), g.Mul(mean, g.Scalar(a.Aggregate)))
}

// cycles returns the mean of −log of the similarities of a source position to the target
// position that is most like it, and of that one to the source position that is most like that
// (equations 3 to 5), where the cycle ends in the class that it began in; 0 where none does.
// forth is [N,P,Q], back [N,Q,P].
func (a Association) cycles(forth, back *graphs.Value) *graphs.Value {
	g := forth.Graph()
	there, here := g.LogSoftmax(standardised(forth), 2), g.LogSoftmax(standardised(back), 2)
	middle := g.ArgMax(there, 2, false)                          // [N,P]
	end := g.GatherElements(g.ArgMax(here, 2, false), middle, 1) // [N,P]
	same := g.Cast(g.Equal(g.GatherElements(a.Labels, end, 1), a.Labels), graphs.Float32)
	same = g.Mul(same, g.Mul(a.Valid, g.GatherElements(a.Valid, end, 1))) // void is no class, at either end
	each := g.Add(g.ReduceMax(there, []int{2}, false), g.GatherElements(g.ReduceMax(here, []int{2}, false), middle, 1))
	count := g.Max(g.ReduceSum(same, []int{0, 1}, false), g.Scalar(1))
	return g.Neg(g.Div(g.ReduceSum(g.Mul(each, same), []int{0, 1}, false), count))
}

// Smoothness returns the mean over positions of (s/threshold − 1)·s as a scalar, with s the mean over
// classes of −log softmax(logits) of logits [N,C,h,w] and the factor a constant: predictions
// shall be as far from certainty as the threshold says (PLCA, equation 10). It panics with
// *graphs.Error on logits of another rank.
func Smoothness(logits *graphs.Value, threshold float32) *graphs.Value {
	if s := logits.Shape(); len(s) != 4 {
		panic(&graphs.Error{Op: "Smoothness", Node: logits.Name(), Shapes: []graphs.Shape{s}, Message: fmt.Sprintf("want logits [N,C,h,w], have rank %d", len(s))})
	}
	g := logits.Graph()
	var loss *graphs.Value
	inFloat32(g, "smoothness", func() {
		s := g.Neg(g.ReduceMean(g.LogSoftmax(logits, 1), []int{1}, false))
		factor := g.Detach(g.Sub(g.Mul(s, g.Scalar(1/threshold)), g.Scalar(1)))
		loss = g.ReduceMean(g.Mul(factor, s), []int{0, 1, 2}, false)
	})
	return loss
}
