package losses

import (
	"fmt"

	"t2sda/internal/raster"
)

// GridRule says how pixel labels are brought to the coarser feature grid.
type GridRule string

// The rules of [GridLabels].
const (
	// Nearest takes the label at the centre of the cell.
	Nearest GridRule = "nearest"
	// Majority takes the cell's most frequent label if it covers at least
	// [MajorityRatio] of the cell's pixels (void ones included), else void.
	Majority GridRule = "majority"
)

// MajorityRatio is the share of a cell that its most frequent class must cover
// under [Majority]: the 0.75 of DAFormer's feature distance.
const MajorityRatio = 0.75

// Validate reports an unknown rule.
func (rule GridRule) Validate() error {
	switch rule {
	case Nearest, Majority:
		return nil
	}
	return fmt.Errorf("losses: grid rule %q is neither %q nor %q", rule, Nearest, Majority)
}

// GridLabels brings labels [n,height,width] to the feature grid dst [n,h,w].
// The grid must not be finer than the labels. Equally frequent classes (only
// possible below the majority ratio) need no order.
func GridLabels(dst, labels []uint8, n, height, width, h, w int, rule GridRule) error {
	if err := checkGrid(len(dst), len(labels), n, height, width, h, w); err != nil {
		return fmt.Errorf("losses: labels to grid: %w", err)
	}
	switch rule {
	case Nearest:
		sampleNearest(dst, labels, n, height, width, h, w)
	case Majority:
		for i := range n {
			majority(dst[i*h*w:(i+1)*h*w], labels[i*height*width:(i+1)*height*width], height, width, h, w, MajorityRatio)
		}
	default:
		return rule.Validate()
	}
	return nil
}

// GridConfidence brings confidences [n,height,width] to the feature grid dst
// [n,h,w] by the value at the centre of each cell, as [Nearest] does.
func GridConfidence(dst, confidence []float32, n, height, width, h, w int) error {
	if err := checkGrid(len(dst), len(confidence), n, height, width, h, w); err != nil {
		return fmt.Errorf("losses: confidences to grid: %w", err)
	}
	sampleNearest(dst, confidence, n, height, width, h, w)
	return nil
}

func checkGrid(dst, src, n, height, width, h, w int) error {
	switch {
	case n < 1 || h < 1 || w < 1:
		return fmt.Errorf("grid [%d,%d,%d] is empty", n, h, w)
	case h > height || w > width:
		return fmt.Errorf("grid %d×%d is finer than the map of %d×%d", h, w, height, width)
	case src != n*height*width:
		return fmt.Errorf("%d values do not fill [%d,%d,%d]", src, n, height, width)
	case dst != n*h*w:
		return fmt.Errorf("%d values do not fill the grid [%d,%d,%d]", dst, n, h, w)
	}
	return nil
}

func sampleNearest[T any](dst, src []T, n, height, width, h, w int) {
	for i := range n {
		for y := range h {
			row := src[(i*height+(2*y+1)*height/(2*h))*width:]
			out := dst[(i*h+y)*w : (i*h+y+1)*w]
			for x := range out {
				out[x] = row[(2*x+1)*width/(2*w)]
			}
		}
	}
}

// majority takes the most frequent label within the cell of every grid position
// of one image if it covers at least the share ratio of the cell, else void. Cells
// partition the image also where the grid does not divide it. Of equally frequent
// labels it takes the lowest.
func majority(dst, labels []uint8, height, width, h, w int, ratio float64) {
	var votes [256]int32
	for y := range h {
		y0, y1 := y*height/h, (y+1)*height/h
		for x := range w {
			x0, x1 := x*width/w, (x+1)*width/w
			best := labels[y0*width+x0]
			for r := y0; r < y1; r++ {
				for _, label := range labels[r*width+x0 : r*width+x1] {
					votes[label]++
					if votes[label] > votes[best] || votes[label] == votes[best] && label < best {
						best = label
					}
				}
			}
			if float64(votes[best])/float64((y1-y0)*(x1-x0)) < ratio {
				best = raster.Void
			}
			dst[y*w+x] = best
			for r := y0; r < y1; r++ {
				for _, label := range labels[r*width+x0 : r*width+x1] {
					votes[label] = 0
				}
			}
		}
	}
}
