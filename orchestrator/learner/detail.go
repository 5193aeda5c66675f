package learner

import (
	"math/rand/v2"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/losses"
)

// detail is HRDA's detail crop in the supervised pass: a part of the batch's crops at full
// resolution, the same part of all of them, elsewhere in every run (Hoyer et al., ECCV
// 2022, "Context and Detail Crop").
type detail struct {
	weight    float64    // λ_d
	whole     imageBatch // the crops
	h, w      int        // of the detail, px
	step      int        // that its place is a multiple of, px
	grid      [2]int     // rows and columns of the context's logits
	positions [2]int     // of the detail's logits

	image   []float32 // [B,3,h,w], RGB 0–255
	labels  []uint8   // [B,h,w]
	weights []float32 // [B,h,w]
	rows    []float32 // [2·grid rows, positions' rows], see [nets.Placement]
	columns []float32 // [positions' columns, 2·grid columns]
	inside  []float32 // [grid rows, grid columns]
}

func newDetail(c configs.HRDA, whole imageBatch) *detail {
	return &detail{weight: c.Weight, whole: whole, h: c.Detail.Height, w: c.Detail.Width}
}

// loss builds the loss for the context's levels and logits, over the labels and weights of
// the crops.
func (d *detail) loss(p *program.Program, net *nets.Net, levels []*graphs.Value, context, labels, weights *graphs.Value) *graphs.Value {
	image, memory := program.Input[float32](p, "detail", d.whole.N, 3, d.h, d.w)
	d.image = memory
	logits := net.Segment(net.Encode(net.Normalize(image)))
	return d.split(p, context, logits, net.Attention(levels, context), labels, weights)
}

// split builds (1 − λ_d) · cross-entropy of the fused logits + λ_d · cross-entropy of the
// detail's (HRDA, "Multi-Resolution Fusion").
func (d *detail) split(p *program.Program, context, logits, attention, labels, weights *graphs.Value) *graphs.Value {
	detailLabels, labelMemory := program.Labels(p, "detail/labels", d.whole.N, d.h, d.w)
	detailWeights, weightMemory := program.Input[float32](p, "detail/weights", d.whole.N, d.h, d.w)
	d.labels, d.weights = labelMemory, weightMemory
	d.grid, d.positions = [2]int{context.Dim(2), context.Dim(3)}, [2]int{logits.Dim(2), logits.Dim(3)}
	d.step = d.whole.H / d.grid[0]
	var place nets.Placement
	place.Rows, d.rows = program.Input[float32](p, "detail/rows", 2*d.grid[0], d.positions[0])
	place.Columns, d.columns = program.Input[float32](p, "detail/columns", d.positions[1], 2*d.grid[1])
	place.Inside, d.inside = program.Input[float32](p, "detail/inside", 1, 1, d.grid[0], d.grid[1])

	fused := losses.CrossEntropy(nets.Fuse(context, logits, attention, place), labels, weights)
	own := losses.CrossEntropy(logits, detailLabels, detailWeights)
	g := p.Graph()
	return g.Add(g.Mul(fused, g.Scalar(float32(1-d.weight))), g.Mul(own, g.Scalar(float32(d.weight))))
}

// cut draws where the detail lies, and takes it out of what the pass s has been given.
func (d *detail) cut(s *supervised, r *rand.Rand, mean losses.Denominator) {
	y, x := r.IntN((d.whole.H-d.h)/d.step+1), r.IntN((d.whole.W-d.w)/d.step+1)
	d.cutAt(s, d.step*y, d.step*x, mean)
}

// cutAt takes the detail whose first pixel is in row y and column x out of the images, labels
// and weights of s. Its weights make means over the detail of what were means over the crops.
func (d *detail) cutAt(s *supervised, y, x int, mean losses.Denominator) {
	d.put(y, x)
	cut(d.image, s.image, d, y, x)
	cut(d.labels, s.labels, d, y, x)
	cut(d.weights, s.weights, d, y, x)
	part, whole := len(d.weights), len(s.weights)
	if mean == losses.ValidPixels {
		part, whole = max(counted(d.weights), 1), counted(s.weights) // of none, all weights are 0
	}
	for i := range d.weights {
		d.weights[i] *= float32(float64(whole) / float64(part))
	}
}

// counted is the number of pixels with a weight.
func counted(weights []float32) (n int) {
	for _, w := range weights {
		if w != 0 {
			n++
		}
	}
	return n
}

// cut copies what of maps [_,H,W] lies in the detail at row y and column x.
func cut[T any](dst, maps []T, d *detail, y, x int) {
	for n := 0; n < len(maps); n += d.whole.H * d.whole.W {
		for row := y; row < y+d.h; row++ {
			from := n + row*d.whole.W + x
			dst = dst[copy(dst, maps[from:from+d.w]):]
		}
	}
}

// put places the detail whose first pixel is in row y and column x.
func (d *detail) put(y, x int) {
	stride := d.step / 2
	top, left, width := y/stride, x/stride, 2*d.grid[1]
	clear(d.rows)
	clear(d.columns)
	clear(d.inside)
	for i := range d.positions[0] {
		d.rows[(top+i)*d.positions[0]+i] = 1
	}
	for i := range d.positions[1] {
		d.columns[i*width+left+i] = 1
	}
	for row := y / d.step; row < (y+d.h)/d.step; row++ {
		for column := x / d.step; column < (x+d.w)/d.step; column++ {
			d.inside[row*d.grid[1]+column] = 1
		}
	}
}
