package weights

import (
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// Info describes a tensor of a file.
type Info struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"` // empty: a scalar
	Type  DType  `json:"type,omitempty"`
}

// Size returns the number of elements.
func (t Info) Size() int { return Tensor{Shape: t.Shape}.Size() }

// stored is a tensor in a file: a view of the elements that a storage holds.
type stored struct {
	Info
	data    io.ReaderAt // the storage, of size bytes
	size    int64
	offset  int64   // of the first element, in elements
	strides []int64 // elements from one index of an axis to the next; nil: row-major
}

// expandable is the largest number of elements of a tensor that shows elements of
// its storage more than once (stride 0): small constants do, weights do not, and a
// file of a few bytes must not ask for gigabytes.
const expandable = 1 << 16

// count returns the number of elements, an error where the shape has none.
func (s *stored) count() (int64, error) {
	n := int64(1)
	for _, d := range s.Shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v is negative", s.Shape)
		case d > 0 && n > math.MaxInt64/8/int64(d):
			return 0, fmt.Errorf("shape %v has more elements than any file", s.Shape)
		}
		n *= int64(d)
	}
	return n, nil
}

// span returns the number of elements between the view's first and last, both
// included.
func (s *stored) span() (int64, error) {
	n, err := s.count()
	if err != nil || n == 0 || s.strides == nil {
		return n, err
	}
	if len(s.strides) != len(s.Shape) {
		return 0, fmt.Errorf("shape %v has strides %v", s.Shape, s.strides)
	}
	last := int64(0)
	for i, d := range s.Shape {
		step := s.strides[i]
		if step < 0 {
			return 0, fmt.Errorf("strides %v are negative", s.strides)
		}
		if d > 1 && step > (math.MaxInt64/16-last)/int64(d-1) {
			return 0, fmt.Errorf("strides %v lead beyond any file", s.strides)
		}
		last += int64(d-1) * step
	}
	return last + 1, nil
}

// check proves that the view lies inside of its storage, before anything is read.
func (s *stored) check() error {
	if !utf8.ValidString(s.Name) { // written again it would be another name
		return errNoText
	}
	f, ok := formats[s.Type]
	if !ok {
		return fmt.Errorf("holds elements of type %q, which are not known", s.Type)
	}
	n, err := s.count()
	if err != nil {
		return err
	}
	span, err := s.span()
	if err != nil {
		return err
	}
	has := s.size / f.size
	if s.offset < 0 || s.offset > has || span > has-s.offset {
		return fmt.Errorf("of shape %v, type %s, goes beyond its storage of %d bytes", s.Shape, s.Type, s.size)
	}
	if n > has && n > expandable {
		return fmt.Errorf("of shape %v shows a storage of %d elements many times over", s.Shape, has)
	}
	return nil
}

// contiguous reports whether elements follow each other in row-major order.
func (s *stored) contiguous() bool {
	if s.strides == nil {
		return true
	}
	step := int64(1)
	for i := len(s.Shape) - 1; i >= 0; i-- {
		if s.Shape[i] != 1 && s.strides[i] != step {
			return false
		}
		step *= int64(s.Shape[i])
	}
	return true
}

// read returns the elements in row-major order. Integers are converted only where
// that is asked for: as weights they are quantised, and worth nothing without
// their scales.
func (s *stored) read(integers bool) ([]float32, error) {
	f := formats[s.Type]
	if f.convert == nil || !f.float && !integers {
		return nil, fmt.Errorf("holds %s, want floating point numbers", s.Type)
	}
	span, err := s.span()
	if err != nil {
		return nil, err
	}
	n, err := s.count()
	if err != nil || n == 0 {
		return []float32{}, err
	}
	raw := make([]byte, span*f.size)
	if got, err := s.data.ReadAt(raw, s.offset*f.size); err != nil && !(errors.Is(err, io.EOF) && got == len(raw)) {
		return nil, err
	}
	out := make([]float32, n)
	if s.contiguous() {
		for i := range out {
			out[i] = f.convert(raw[int64(i)*f.size:])
		}
		return out, nil
	}
	s.gather(out, func(at int64) float32 { return f.convert(raw[at*f.size:]) })
	return out, nil
}

// gather fills out with the elements that the strides lead to, in row-major order.
func (s *stored) gather(out []float32, element func(at int64) float32) {
	index, at := make([]int, len(s.Shape)), int64(0)
	for i := range out {
		out[i] = element(at)
		for axis := len(index) - 1; axis >= 0; axis-- {
			index[axis]++
			at += s.strides[axis]
			if index[axis] < s.Shape[axis] {
				break
			}
			at -= int64(index[axis]) * s.strides[axis]
			index[axis] = 0
		}
	}
}
