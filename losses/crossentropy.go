package losses

import (
	"fmt"

	"t2sda/graphs"
)

// CrossEntropy returns Σ weights · −log softmax(logits)[label] as a scalar:
//
//	logits   float32 [N,C,h,w], brought to H×W linearly (half-pixel centres)
//	labels   int64   [N,H,W], all in 0 … C−1 (void mapped to any, with weight 0)
//	weights  float32 [N,H,W], denominators included
//
// [Encode] and [Mix.Encode] prepare labels and weights.
//
// [N,C,H,W] is the largest tensor of a training step, so few passes over it are
// made. Interpolation is linear and preserves constants: the largest logit per
// position, which the log-sum-exp needs to subtract, is subtracted before it, at
// 1/16 of the cost at stride 4, and cancels between both parts of
//
//	−log p = log Σ_c exp(x_c) − x_label
//
// That leaves one exponential and one sum at full size, and one product on the
// way back. A pixel where every class lies more than 85 below the interpolated
// maximum (neighbours that disagree by more than about 170) has a finite value
// that is too small.
//
// It panics with *graphs.Error on operands of other shapes.
func CrossEntropy(logits, labels, weights *graphs.Value) *graphs.Value {
	checkCrossEntropy(logits, labels, weights)
	g := logits.Graph()
	var loss *graphs.Value
	inFloat32(g, "cross_entropy", func() {
		p := softmaxOf(logits, labels.Dim(1), labels.Dim(2))
		loss = g.ReduceSum(g.Mul(p.nll(labels), p.order(weights)), []int{0, 1, 2}, false)
	})
	return loss
}

// inFloat32 lets f build a loss, whose products stay float32 whatever the precision of the
// network's, under a scope.
func inFloat32(g *graphs.Graph, scope string, f func()) { g.WithScope(scope, func() { g.Exact(f) }) }

// enlarge brings x [N,C,h,w] to height×width linearly and returns it as [N,C,P]
// with P = height·width pixels in some order, and the function that brings a
// map [N,height,width] to that order, as [N,1,P].
//
// Where the factors are whole, pixels are ordered by phase, that is by their
// place within the cell of their logit: a phase is a fixed combination of the
// 3×3 neighbourhood, so that all of them are one product of a constant
// [phases,9] with nine shifted copies of the small map. Forward and backward
// this takes a quarter of the time of Resize and its gradient, whose
// interpolation matrices are dense.
func enlarge(x *graphs.Value, height, width int) (*graphs.Value, func(*graphs.Value) *graphs.Value) {
	g := x.Graph()
	n, c, h, w := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	if height%h != 0 || width%w != 0 || (height == h && width == w) {
		flat := func(m *graphs.Value) *graphs.Value { return g.Reshape(m, n, 1, height*width) }
		return g.Reshape(g.Resize(x, height, width, "linear"), n, c, height*width), flat
	}
	sy, sx := height/h, width/w
	order := func(m *graphs.Value) *graphs.Value {
		m = g.Transpose(g.Reshape(m, n, h, sy, w, sx), 0, 2, 4, 1, 3) // [N,sy,sx,h,w]
		return g.Reshape(m, n, 1, height*width)
	}
	phases := g.MatMul(phaseKernel(g, sy, sx), neighbours(x)) // [N·C,sy·sx,h·w]
	return g.Reshape(phases, n, c, height*width), order
}

// neighbours returns the 3×3 neighbourhood of every position of x [N,C,h,w] as
// [N·C,9,h·w]; the border repeats the outermost values, as half-pixel
// interpolation does.
func neighbours(x *graphs.Value) *graphs.Value {
	g := x.Graph()
	maps, h, w := x.Dim(0)*x.Dim(1), x.Dim(2), x.Dim(3)
	cut := func(v *graphs.Value, axis, from, to int) *graphs.Value {
		return g.Slice(v, []int{from}, []int{to}, []int{axis}, nil)
	}
	x = g.Reshape(x, maps, h, w)
	x = g.Concat(1, cut(x, 1, 0, 1), x, cut(x, 1, h-1, h))
	x = g.Concat(2, cut(x, 2, 0, 1), x, cut(x, 2, w-1, w)) // [N·C,h+2,w+2]
	var taps []*graphs.Value
	for i := range 3 {
		rows := cut(x, 1, i, i+h)
		for j := range 3 {
			taps = append(taps, g.Reshape(cut(rows, 2, j, j+w), maps, 1, h*w))
		}
	}
	return g.Concat(1, taps...)
}

// phaseKernel holds in row (p·sx + q) the weights of the 3×3 neighbourhood for
// the pixel at row p, column q of a cell that is enlarged sy×sx times.
func phaseKernel(g *graphs.Graph, sy, sx int) *graphs.Value {
	vertical, horizontal := phaseTaps(sy), phaseTaps(sx)
	kernel := make([]float32, 0, sy*sx*9)
	for _, v := range vertical {
		for _, u := range horizontal {
			for i := range 3 {
				for j := range 3 {
					kernel = append(kernel, float32(v[i]*u[j]))
				}
			}
		}
	}
	return g.Floats(kernel, sy*sx, 9)
}

// phaseTaps returns, for every phase of an axis that is enlarged s times, the
// weights of the previous, the own and the next position: phase p lies at
// (p + ½)/s − ½ from the own position's centre.
func phaseTaps(s int) [][3]float64 {
	taps := make([][3]float64, s)
	for p := range taps {
		at := (float64(p)+0.5)/float64(s) - 0.5
		taps[p] = [3]float64{max(0, -at), 1 - max(at, -at), max(0, at)}
	}
	return taps
}

func checkCrossEntropy(logits, labels, weights *graphs.Value) {
	a, b, c := logits.Shape(), labels.Shape(), weights.Shape()
	ok := len(a) == 4 && len(b) == 3 && len(c) == 3 && a[0] == b[0] && b[0] == c[0] && b[1] == c[1] && b[2] == c[2]
	if !ok || labels.DType() != graphs.Int64 || weights.DType() != graphs.Float32 {
		panic(&graphs.Error{
			Op: "CrossEntropy", Node: logits.Name(), Shapes: []graphs.Shape{a, b, c},
			Message: fmt.Sprintf("want logits [N,C,h,w], labels int64 [N,H,W], weights float32 [N,H,W]; labels are %v, weights %v", labels.DType(), weights.DType()),
		})
	}
}
