package nets

import (
	"math"

	"t2sda/graphs"
)

// Positions of a Vision Transformer at another size than they were learned for: bicubic
// interpolation, a product with a constant matrix along each axis, so that their gradient is one,
// too.

// positions returns the positions [1,h·w,C] of h×w patches, of the learned ones at [1,M²,C].
//
// The released code (facebookresearch/dinov2, interpolate_pos_encoding) does it in two ways. Models
// without registers give interpolate a factor of (h + 0.1)/M, by which it samples, without
// antialiasing; those with registers give the size and ask for antialiasing. Hugging Face
// transformers differs in the first: it gives the size.
func (v dinov2) positions(n *Net, at *value, h, w graphs.Size) *value {
	g, m, c := n.g, v.grid, v.width
	grid := graphs.Fixed(m)
	if h.Same(grid) && w.Same(grid) {
		return at
	}
	rows, columns := v.cubics(g, h, w)
	var x *value
	g.Exact(func() {
		x = g.MatMul(rows, g.Reshape(at, m, m*c))
		x = g.MatMul(columns, g.ReshapeTo(x, h, grid, graphs.Fixed(c)))
	})
	return g.ReshapeTo(x, graphs.Fixed(1), h.Times(w), graphs.Fixed(c))
}

// cubics returns the matrices [h,M] and [w,M] that interpolate along both axes.
func (v dinov2) cubics(g *graphs.Graph, h, w graphs.Size) (rows, columns *value) {
	m := v.grid
	matrix, free := offsetCubic, freeOffsetCubic
	if v.registers > 0 {
		matrix, free = smoothCubic, freeSmoothCubic
	}
	if h.IsFixed() && w.IsFixed() {
		return g.Floats(matrix(m, h.Int()), h.Int(), m), g.Floats(matrix(m, w.Int()), w.Int(), m)
	}
	rows, columns = free(g, m, h), free(g, m, w)
	if v.registers > 0 { // of the grid's own size it is the identity
		return rows, columns
	}
	// 1 where the image's patches are the grid, else 0. (No Abs: OpenVINO 2026.4 takes what is
	// computed of sizes for positive, and leaves it out.)
	side := g.Scalar(float32(m))
	off := g.Add(square(g, g.Sub(g.Number(h), side)), square(g, g.Sub(g.Number(w), side)))
	own := g.Relu(g.Sub(g.Scalar(1), off))
	mixed := func(x *value, to graphs.Size) *value {
		return g.Add(x, g.Mul(own, g.Sub(identity(g, m, to), x)))
	}
	return mixed(rows, h), mixed(columns, w)
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

// column returns 0, 1, … n − 1 as a matrix [n,1].
func column(g *graphs.Graph, n graphs.Size) *value {
	return g.ReshapeTo(g.Range(n), n, graphs.Fixed(1))
}

// numbers is the constant first, first + 1, … of n elements, [1,n].
func numbers(g *graphs.Graph, first float32, n int) *value {
	list := make([]float32, n)
	for i := range list {
		list[i] = first + float32(i)
	}
	return g.Floats(list, 1, n)
}

// identity returns the matrix [to,from] with ones where row and column agree.
func identity(g *graphs.Graph, from int, to graphs.Size) *value {
	off := square(g, g.Sub(column(g, to), numbers(g, 0, from)))
	return g.Relu(g.Sub(g.Scalar(1), off))
}

func square(g *graphs.Graph, x *value) *value { return g.Mul(x, x) }

// offsetTaps is how far beyond the border the taps of offsetCubic reach.
const offsetTaps = 2

// freeOffsetCubic is offsetCubic for a size that is known when the network runs: the kernel at all
// elements and those beyond the border, which then count for the outermost.
func freeOffsetCubic(g *graphs.Graph, from int, to graphs.Size) *value {
	step := g.Div(g.Scalar(float32(from)), g.Add(g.Number(to), g.Scalar(positionOffset)))
	at := g.Sub(g.Mul(g.Add(column(g, to), g.Scalar(0.5)), step), g.Scalar(0.5)) // [to,1]
	reach := from + 2*offsetTaps
	clamp := make([]float32, reach*from)
	for j := range reach {
		clamp[j*from+min(max(j-offsetTaps, 0), from-1)] = 1
	}
	taps := freeCubic(g, g.Sub(at, numbers(g, -offsetTaps, reach)), -0.75)
	return g.MatMul(taps, g.Floats(clamp, reach, from))
}

// freeSmoothCubic is smoothCubic for a size that is known when the network runs.
func freeSmoothCubic(g *graphs.Graph, from int, to graphs.Size) *value {
	scale := g.Div(g.Scalar(float32(from)), g.Number(to))
	centre := g.Mul(g.Add(column(g, to), g.Scalar(0.5)), scale) // [to,1]
	width := g.Max(scale, g.Scalar(1))
	taps := freeCubic(g, g.Div(g.Sub(numbers(g, 0.5, from), centre), width), -0.5)
	return g.Div(taps, g.ReduceSum(taps, []int{1}, true))
}

// freeCubic is cubic of every element of x, without comparisons. Between 1 and 2 the kernel is
// a(x−1)(x−2)²; below 1 the difference to that, (1−x)²(2x+4a+1), comes on top; each is 0 at its end.
func freeCubic(g *graphs.Graph, x *value, a float32) *value {
	x = g.Abs(x)
	inner, outer := g.Min(x, g.Scalar(1)), g.Min(x, g.Scalar(2))
	below, left := g.Sub(g.Scalar(1), inner), g.Sub(outer, g.Scalar(2))
	near := g.Mul(square(g, below), g.Add(g.Mul(inner, g.Scalar(2)), g.Scalar(4*a+1)))
	far := g.Mul(square(g, left), g.Mul(g.Sub(outer, g.Scalar(1)), g.Scalar(a)))
	return g.Add(near, far)
}
