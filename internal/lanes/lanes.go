// Package lanes has loops over slices that take as many elements at once as the processor has
// lanes for, if it is an x86-64 with AVX2. They round as the same loops in Go do, where every product
// is rounded before it is added to something.
package lanes

import "golang.org/x/sys/cpu"

// width is the number of elements in a vector.
const width = 8

// AdamW are the constants of AdamW's update (Loshchilov and Hutter 2019, algorithm 2) of elements
// that share them.
type AdamW struct {
	Beta1, Beta2, Eps float32
	New1, New2        float32 // 1 − β₁, 1 − β₂, made in float64: of float32's β they are off by 1e-5
	Grad              float32 // factor of gradients
	Keep              float32 // of weights, by their decay
	Rate              float32 // learning rate over 1 − β₁ᵗ
	RsqrtC            float32 // 1/√(1 − β₂ᵗ)
}

// Update updates weights p from gradients g, and both moments, in place. All are as long as p.
func (k AdamW) Update(p, g, m, v []float32) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	n := 0
	if cpu.X86.HasAVX2 {
		n = len(p) / width * width
		k.updateVectors(p[:n], g[:n], m[:n], v[:n])
	}
	k.update(p[n:], g[n:], m[n:], v[n:])
}

// update loads everything before it stores anything, as its vectors do: arenas begin at page
// boundaries, and a load that follows a store to the same place of another page waits for it
// (AMD Zen: 16 ns an element instead of 4.5).
func (k AdamW) update(p, g, m, v []float32) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i := range p {
		d := g[i] * k.Grad
		mean := float32(k.Beta1*m[i]) + float32(k.New1*d)
		square := float32(k.Beta2*v[i]) + float32(k.New2*d*d)
		root := float32(sqrt(square) * k.RsqrtC)
		p[i] = float32(p[i]*k.Keep) - k.Rate*mean/(root+k.Eps)
		m[i], v[i] = mean, square
	}
}

// Blend makes dst a·dst + b·src. src is as long as dst.
func Blend(dst, src []float32, a, b float32) {
	src = src[:len(dst)]
	n := 0
	if cpu.X86.HasAVX2 {
		n = len(dst) / width * width
		blendVectors(dst[:n], src[:n], a, b)
	}
	blend(dst[n:], src[n:], a, b)
}

func blend(dst, src []float32, a, b float32) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] = float32(a*dst[i]) + float32(b*src[i])
	}
}
