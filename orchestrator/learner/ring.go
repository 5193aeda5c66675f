package learner

import (
	"fmt"

	"t2sda/graphs/weights"
)

// ring remembers the last rows of features, in checkpoints, too.
type ring struct {
	width  int
	rows   []float32 // [M,D]
	filled []float32 // one element: how many there have ever been
}

// mostRemembered bounds a ring, in bytes: it is in each checkpoint, and each iteration
// multiplies it with other features.
const mostRemembered = 256 << 20

// newRing makes the ring of so many rows of a term; key is the setting that says how many.
func (l *Learner) newRing(term, key string, rows, width int) (*ring, error) {
	if size, most := 4*width*rows, mostRemembered/(4*width); size > mostRemembered {
		return nil, fmt.Errorf("%s: %d features of width %d are %d MB in each checkpoint; set at most %d, which are %d MB", key, rows, width, size>>20, most, mostRemembered>>20)
	}
	r := &ring{width: width, rows: make([]float32, rows*width), filled: make([]float32, 1)}
	l.remember(weights.Tensor{Name: term + ".memory", Shape: []int{rows, width}, Data: r.rows})
	l.remember(weights.Tensor{Name: term + ".filled", Shape: []int{1}, Data: r.filled})
	return r, nil
}

// size is how many rows there are room for.
func (r *ring) size() int { return len(r.rows) / r.width }

// known is how many rows there are; they come first.
func (r *ring) known() int { return min(int(r.filled[0]), r.size()) }

// put puts rows in place of the oldest ones.
func (r *ring) put(rows []float32) {
	next, size := int(r.filled[0]), r.size()
	for at := 0; at < len(rows); at += r.width {
		slot := next % size
		copy(r.rows[slot*r.width:(slot+1)*r.width], rows[at:at+r.width])
		if next++; next == 2*size {
			next = size // a float32 counts no further than 2²⁴
		}
	}
	r.filled[0] = float32(next)
}
