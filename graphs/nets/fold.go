package nets

import (
	"math"

	"t2sda/graphs"
)

// folded is a batch norm with fixed statistics as what it is: y = scale·x + shift per channel.
type folded struct {
	scale, shift []float64
}

// foldBN returns the batch norm called name under its running statistics; mode Deploy only.
func (n *Net) foldBN(name string) folded {
	gamma, beta := n.data(name+".weight"), n.data(name+".bias")
	mean, variance := n.data(name+".running_mean"), n.data(name+".running_var")
	f := folded{make([]float64, len(gamma)), make([]float64, len(gamma))}
	for c := range gamma {
		f.scale[c] = float64(gamma[c]) / math.Sqrt(float64(variance[c])+bnEps)
		f.shift[c] = float64(beta[c]) - f.scale[c]*float64(mean[c])
	}
	return f
}

// scaleRows returns w [C,…] with row c multiplied by the scale of channel c.
func (f folded) scaleRows(w []float32) []float32 {
	out, row := make([]float32, len(w)), len(w)/len(f.scale)
	for i, x := range w {
		out[i] = float32(float64(x) * f.scale[i/row])
	}
	return out
}

// shiftValue returns the shift as a constant [C].
func (f folded) shiftValue(g *graphs.Graph) *graphs.Value {
	b := make([]float32, len(f.shift))
	for i, x := range f.shift {
		b[i] = float32(x)
	}
	return g.Floats(b, len(b))
}
