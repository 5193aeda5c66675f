package translate

import "math"

// stroke is a line with soft edges: its coverage falls off across as a Gaussian,
// and along it rises from both ends.
type stroke struct {
	x0, y0, x1, y1 float64 // px
	sigma          float64 // of the Gaussian, px, > 0
	opacity        float32 // at its core, 0–1
	taper          float64 // share of the length over which each end fades, up to 1/2; 0: ends are round
}

const (
	strokeReach  = 2.5 // σ from the core to where a stroke is cut off
	fallOffSteps = 512
)

// fallOff is the Gaussian over the square of the distance, up to strokeReach.
var fallOff = func() (t [fallOffSteps + 1]float32) {
	for i := range t {
		t[i] = float32(math.Exp(-float64(i) / fallOffSteps * strokeReach * strokeReach / 2))
	}
	return t
}()

// cover adds the stroke to the coverage of a picture, 0–1, as one film over
// another: 1 − (1−a)(1−b).
func (f *field) cover(s stroke) {
	dx, dy := s.x1-s.x0, s.y1-s.y0
	length := math.Hypot(dx, dy)
	ux, uy := 0.0, 1.0 // a point has any direction
	if length > 0 {
		ux, uy = dx/length, dy/length
	}
	reach := strokeReach * s.sigma
	toStep := fallOffSteps / (reach * reach)
	left, right := limits(s.x0, s.x1, reach, f.w)
	top, bottom := limits(s.y0, s.y1, reach, f.h)
	for y := top; y < bottom; y++ {
		lo, hi := left, right
		if math.Abs(uy) > 0.05 { // the part of the row that is within reach of the line
			centre := s.x0 + (float64(y)-s.y0)*ux/uy
			half := reach/math.Abs(uy) + 1
			lo, hi = max(lo, int(centre-half)), min(hi, int(centre+half)+1)
		}
		for x := lo; x < hi; x++ {
			px, py := float64(x)-s.x0, float64(y)-s.y0
			along, across := px*ux+py*uy, px*uy-py*ux
			beyond := max(-along, along-length, 0)
			d2 := across*across + beyond*beyond
			if d2 > reach*reach {
				continue
			}
			a := s.opacity * fallOff[int(d2*toStep)]
			if s.taper > 0 {
				a *= float32(min(max(min(along, length-along)/(s.taper*length), 0), 1))
			}
			i := y*f.w + x
			f.v[i] += a * (1 - f.v[i])
		}
	}
}

// limits returns the pixels of n that a line from a to b reaches.
func limits(a, b, reach float64, n int) (lo, hi int) {
	lo, hi = int(math.Floor(min(a, b)-reach)), int(math.Ceil(max(a, b)+reach))+1
	return min(max(lo, 0), n), min(max(hi, 0), n)
}
