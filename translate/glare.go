package translate

import (
	"image"
	"math"
)

// Glare is smooth, so it is worked out on cells of several pixels: their means
// are convolved with a Gaussian and interpolated. Averaging over cells and
// interpolating blur too, by variances of a twelfth and a sixth of a cell².
const glareCell = 1.25 // the scattered light's deviation, in cells

var (
	glareSigma  = math.Sqrt(glareCell*glareCell - 1.0/12 - 1.0/6)
	glareKernel = gaussKernel(glareSigma)
)

// cell returns the side of a cell, pixels.
func (b Blur) cell() int { return max(int(math.Round(b.Wide/glareCell)), 1) }

// scatter replaces the share b.Glare of a plane's light by what is scattered.
// The plane is the rectangle around of an image of the given bounds; the
// rectangle begins at whole cells.
func (w *cameraWork) scatter(plane []float32, b Blur, around, bounds image.Rectangle) {
	f := b.cell()
	columns, rows := cells(around.Dx(), f), cells(around.Dy(), f)
	w.low, w.scratch = grown(w.low, columns*rows), grown(w.scratch, max(columns*rows, around.Dx()))
	averageCells(w.low, plane, around.Dx(), around.Dy(), f)
	// A reflection is at most as far away as the image is wide.
	along := glareKernel[:min(len(glareKernel), cells(bounds.Dx(), f))]
	down := glareKernel[:min(len(glareKernel), cells(bounds.Dy(), f))]
	blurRows(w.scratch[:columns*rows], w.low, columns, along)
	blurColumns(w.low, w.scratch[:columns*rows], columns, rows, down)

	left := make([]int, around.Dx()) // of the two cells between whose middles a pixel lies
	part := make([]float32, around.Dx())
	for x := range left {
		left[x], part[x] = cellAt(x, f, columns)
	}
	keep, share := float32(1-b.Glare), float32(b.Glare)
	mixed := w.scratch[:columns]
	for y := range around.Dy() {
		top, q := cellAt(y, f, rows)
		above := w.low[top*columns : (top+1)*columns]
		below := w.low[min(top+1, rows-1)*columns:][:columns]
		for i, v := range above {
			mixed[i] = share * (v + q*(below[i]-v))
		}
		row := plane[y*around.Dx() : (y+1)*around.Dx()]
		for x, v := range row {
			l := left[x]
			m := mixed[l]
			row[x] = keep*v + m + part[x]*(mixed[min(l+1, columns-1)]-m)
		}
	}
}

// cells is how many cells of f pixels cover n.
func cells(n, f int) int { return (n + f - 1) / f }

// averageCells writes the means of the cells of a plane [h,w]; the last ones may
// be cut off by the image's border.
func averageCells(dst, plane []float32, w, h, f int) {
	columns := cells(w, f)
	for row := range cells(h, f) {
		out := dst[row*columns : (row+1)*columns]
		clear(out)
		high := min(f, h-row*f)
		for y := range high {
			line := plane[(row*f+y)*w : (row*f+y+1)*w]
			for c := range out {
				for _, v := range line[c*f : min((c+1)*f, w)] {
					out[c] += v
				}
			}
		}
		for c := range out {
			out[c] /= float32(high * (min((c+1)*f, w) - c*f))
		}
	}
}

// cellAt returns the cell whose middle is the last one at or before pixel i, and
// how far towards the next middle the pixel lies, 0–1.
func cellAt(i, f, n int) (cell int, part float32) {
	at := (float32(i)+0.5)/float32(f) - 0.5
	if at < 0 {
		return 0, 0
	}
	cell = min(int(at), n-1)
	return cell, at - float32(cell)
}
