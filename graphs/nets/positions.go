package nets

import "math"

// Positions of a Vision Transformer at another size than they were learned for: bicubic
// interpolation, a product with a constant matrix along each axis, so that their gradient is one,
// too.

// positions returns the positions [1,h·w,C] of h×w patches, of the learned ones at [1,M²,C].
//
// The released code (facebookresearch/dinov2, interpolate_pos_encoding) does it in two ways. Models
// without registers give interpolate a factor of (h + 0.1)/M, by which it samples, without
// antialiasing; those with registers give the size and ask for antialiasing. Hugging Face
// transformers differs in the first: it gives the size.
func (v dinov2) positions(n *Net, at *value, h, w int) *value {
	g, m, c := n.g, v.grid, v.width
	if h == m && w == m {
		return at
	}
	matrix := offsetCubic
	if v.registers > 0 {
		matrix = smoothCubic
	}
	rows, columns := g.Floats(matrix(m, h), h, m), g.Floats(matrix(m, w), w, m)
	var x *value
	g.Exact(func() {
		x = g.MatMul(rows, g.Reshape(at, m, m*c))
		x = g.MatMul(columns, g.Reshape(x, h, m, c))
	})
	return g.Reshape(x, 1, h*w, c)
}

// positionOffset is added to the number of patches before the factor is taken.
const positionOffset = 0.1

// offsetCubic returns the matrix [to,from] of PyTorch's bicubic interpolation by the factor
// (to + 0.1)/from: four taps, clamped at the border.
func offsetCubic(from, to int) []float32 {
	m := make([]float32, to*from)
	step := float64(from) / (float64(to) + positionOffset)
	for i := range to {
		at := step*(float64(i)+0.5) - 0.5
		first := math.Floor(at)
		for k := -1.0; k <= 2; k++ {
			j := min(max(int(first+k), 0), from-1)
			m[i*from+j] += float32(cubic(at-first-k, -0.75))
		}
	}
	return m
}

// smoothCubic returns the matrix [to,from] of PyTorch's bicubic interpolation with antialiasing:
// the kernel is as wide as an element of the result, cut at the border and normalised.
func smoothCubic(from, to int) []float32 {
	m := make([]float32, to*from)
	scale := float64(from) / float64(to)
	width := max(scale, 1)
	for i := range to {
		centre := scale * (float64(i) + 0.5)
		first, end := max(int(centre-2*width+0.5), 0), min(int(centre+2*width+0.5), from)
		taps, sum := make([]float64, end-first), 0.0
		for k := range taps {
			taps[k] = cubic((float64(first+k)-centre+0.5)/width, -0.5)
			sum += taps[k]
		}
		for k, t := range taps {
			m[i*from+first+k] = float32(t / sum)
		}
	}
	return m
}

// cubic is the convolution kernel of Keys ("Cubic convolution interpolation for digital image
// processing", 1981) with parameter a.
func cubic(x, a float64) float64 {
	switch x = math.Abs(x); {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}
