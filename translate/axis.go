package translate

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// axis holds the cosines and sines that take real vectors of length n to
// their 2b+1 lowest Fourier coefficients and back:
//
//	C_v = Σ_i x_i cos(2πvi/n), v = 0…b,   S_v = Σ_i x_i sin(2πvi/n), v = 1…b.
//
// The waves' own symmetries make the products four times thinner. For even n,
// the samples i, n/2−i, n/2+i and n−i meet the same cosine or sine up to sign,
// and the sign depends on the wave (cosine or sine) and on the parity of v
// only. So four folded vectors of about n/4 sums are enough, one for each
// class of waves. An odd n has the symmetry i ↔ n−i alone: two classes, n/2.
//
// An axis is immutable and may be shared.
type axis struct {
	n, b   int
	folded int              // length of a folded vector
	waves  []blas64.General // per class: [frequencies, folded]
	cos    []int            // position of C_v among the 2b+1 coefficients
	sin    []int            // position of S_v; entry 0 is unused
}

// newAxis tabulates the waves of frequencies up to b; 2b < n is required.
func newAxis(n, b int) *axis {
	a := &axis{n: n, b: b, cos: make([]int, b+1), sin: make([]int, b+1)}
	at := 0
	class := func(first, step int, wave func(float64) float64, positions []int) {
		m := blas64.General{Cols: a.folded, Stride: a.folded}
		for v := first; v <= b; v += step {
			for i := range a.folded {
				// v·i mod n keeps the argument below 2π, where it is exact to rounding.
				m.Data = append(m.Data, wave(2*math.Pi*float64(v*i%n)/float64(n)))
			}
			m.Rows++
			positions[v] = at
			at++
		}
		a.waves = append(a.waves, m)
	}
	if n%2 == 0 { // in the order of fold4
		a.folded = n/4 + 1
		class(0, 2, math.Cos, a.cos)
		class(2, 2, math.Sin, a.sin)
		class(1, 2, math.Cos, a.cos)
		class(1, 2, math.Sin, a.sin)
		return a
	}
	a.folded = n/2 + 1 // in the order of fold2
	class(0, 1, math.Cos, a.cos)
	class(1, 1, math.Sin, a.sin)
	return a
}

// coefficients returns 2b+1, the length of a coefficient vector.
func (a *axis) coefficients() int { return 2*a.b + 1 }

// scratch returns a buffer for analyse and synthesise.
func (a *axis) scratch() []float64 { return make([]float64, len(a.waves)*a.folded) }

// analyse writes the coefficients of x (length n) to dst (length 2b+1).
func analyse[T float32 | float64](a *axis, dst []float64, x []T, scratch []float64) {
	if len(a.waves) == 4 {
		fold4(scratch, x)
	} else {
		fold2(scratch, x)
	}
	for k, m := range a.waves {
		if m.Rows == 0 {
			continue
		}
		in := blas64.Vector{N: m.Cols, Inc: 1, Data: scratch[k*a.folded : (k+1)*a.folded]}
		blas64.Gemv(blas.NoTrans, 1, m, in, 0, blas64.Vector{N: m.Rows, Inc: 1, Data: dst[:m.Rows]})
		dst = dst[m.Rows:]
	}
}

// synthesise is the transpose of analyse: it writes
// x_i = Σ_v c_v cos(2πvi/n) + s_v sin(2πvi/n) to dst (length n).
func (a *axis) synthesise(dst, coefficients, scratch []float64) {
	for k, m := range a.waves {
		out := blas64.Vector{N: m.Cols, Inc: 1, Data: scratch[k*a.folded : (k+1)*a.folded]}
		if m.Rows == 0 {
			clear(out.Data)
			continue
		}
		blas64.Gemv(blas.Trans, 1, m, blas64.Vector{N: m.Rows, Inc: 1, Data: coefficients[:m.Rows]}, 0, out)
		coefficients = coefficients[m.Rows:]
	}
	if len(a.waves) == 4 {
		unfold4(dst, scratch)
	} else {
		unfold2(dst, scratch)
	}
}

// quarters splits the buffer of an even axis into the folded vectors of even
// cosines, even sines, odd cosines and odd sines.
func quarters(buf []float64) (ec, es, oc, os []float64) {
	q := len(buf) / 4
	return buf[:q], buf[q : 2*q], buf[2*q : 3*q], buf[3*q : 4*q]
}

// fold4 sums the samples that meet equal waves, for even len(x).
// With θ = 2πvi/n: cos at n/2±i is ±cos θ as v is even or odd, and so on.
func fold4[T float32 | float64](dst []float64, x []T) {
	ec, es, oc, os := quarters(dst)
	n := len(x)
	h := n / 2
	first, middle := float64(x[0]), float64(x[h])
	ec[0], es[0], oc[0], os[0] = first+middle, 0, first-middle, 0
	m := (h - 1) / 2 // groups of four different samples
	if h%2 == 0 {
		left, right := float64(x[h/2]), float64(x[h+h/2])
		ec[m+1], es[m+1], oc[m+1], os[m+1] = left+right, 0, 0, left-right
	}
	a, b, c, d := x[1:1+m], x[h-m:h], x[h+1:h+1+m], x[n-m:n]
	ec, es, oc, os = ec[1:1+m], es[1:1+m], oc[1:1+m], os[1:1+m]
	for i := range m {
		j := m - 1 - i
		xa, xb, xc, xd := float64(a[i]), float64(b[j]), float64(c[i]), float64(d[j])
		p, q := xa+xc, xa-xc
		pr, qr := xb+xd, xb-xd
		ec[i], es[i], oc[i], os[i] = p+pr, p-pr, q-qr, q+qr
	}
}

// unfold4 is the transpose of fold4.
func unfold4(dst, buf []float64) {
	ec, es, oc, os := quarters(buf)
	n := len(dst)
	h := n / 2
	dst[0], dst[h] = ec[0]+oc[0], ec[0]-oc[0]
	m := (h - 1) / 2
	if h%2 == 0 {
		dst[h/2], dst[h+h/2] = ec[m+1]+os[m+1], ec[m+1]-os[m+1]
	}
	a, b, c, d := dst[1:1+m], dst[h-m:h], dst[h+1:h+1+m], dst[n-m:n]
	ec, es, oc, os = ec[1:1+m], es[1:1+m], oc[1:1+m], os[1:1+m]
	for i := range m {
		j := m - 1 - i
		p, pr := ec[i]+es[i], ec[i]-es[i]
		q, qr := oc[i]+os[i], oc[i]-os[i]
		a[i], b[j], c[i], d[j] = p+q, pr-qr, p-q, pr+qr
	}
}

// fold2 is fold4 for odd len(x): sums for the cosines, differences for the sines.
func fold2[T float32 | float64](dst []float64, x []T) {
	n, q := len(x), len(dst)/2
	c, s := dst[:q], dst[q:2*q]
	c[0], s[0] = float64(x[0]), 0
	for i := 1; i < q; i++ {
		left, right := float64(x[i]), float64(x[n-i])
		c[i], s[i] = left+right, left-right
	}
}

// unfold2 is the transpose of fold2.
func unfold2(dst, buf []float64) {
	n, q := len(dst), len(buf)/2
	c, s := buf[:q], buf[q:2*q]
	dst[0] = c[0]
	for i := 1; i < q; i++ {
		dst[i], dst[n-i] = c[i]+s[i], c[i]-s[i]
	}
}
