// Package coco writes label maps as COCO does (https://cocodataset.org/#format-data): the
// pixels of each class as a compressed run-length mask, and panoptic segments.
package coco

// Mask is where a label map has one class.
type Mask struct {
	Label  uint8
	Counts string // compressed run lengths
	Area   int    // pixels
	Box    [4]int // left, top, width, height
}

// Masks returns a mask of each label below end that the map of w columns has, in order of
// the labels. Masks are read down the columns, and begin with what is not of the class.
func Masks(labels []uint8, w, end int) []Mask {
	h := len(labels) / max(w, 1)
	runs := make([]runs, end)
	for at, i := 0, 0; at < len(labels); {
		label, from := labels[i], at
		for at < len(labels) && labels[i] == label {
			at++
			i = at%h*w + at/h
		}
		if int(label) < end {
			runs[label].add(from, at, h)
		}
	}
	var masks []Mask
	for label := range runs {
		if r := &runs[label]; r.area > 0 {
			masks = append(masks, Mask{uint8(label), r.text(len(labels)), r.area, r.box()})
		}
	}
	return masks
}

// runs are those of one mask, in the order of its pixels.
type runs struct {
	counts                   []int // not of it, of it, not of it, …
	end                      int   // of the last run, pixels
	area                     int
	left, top, right, bottom int // right and bottom are beyond it
}

// add adds the pixels from … to−1, h of which are a column.
func (r *runs) add(from, to, h int) {
	first, last := from/h, (to-1)/h
	top, bottom := from%h, (to-1)%h+1
	if last > first { // some column is covered to its end, and the next from its beginning
		top, bottom = 0, h
	}
	if r.area == 0 {
		r.left, r.top = first, top
	}
	r.right, r.top, r.bottom = last+1, min(r.top, top), max(r.bottom, bottom)
	r.counts = append(r.counts, from-r.end, to-from)
	r.end, r.area = to, r.area+to-from
}

func (r *runs) box() [4]int { return [4]int{r.left, r.top, r.right - r.left, r.bottom - r.top} }

// text is how COCO compresses the run lengths of a mask of n pixels: each is written as its
// difference to the one before the last (the first three as they are), in groups of five
// bits, the lowest first, with a sixth bit where more follow, as characters from '0' on.
func (r *runs) text(n int) string {
	counts := r.counts
	if r.end < n {
		counts = append(counts, n-r.end)
	}
	var text []byte
	for i, v := range counts {
		if i > 2 {
			v -= counts[i-2]
		}
		for more := true; more; {
			group := byte(v & 0x1f)
			v >>= 5
			more = v != 0
			if group&0x10 != 0 { // the sign
				more = v != -1
			}
			if more {
				group |= 0x20
			}
			text = append(text, group+48)
		}
	}
	return string(text)
}
