package weights

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
	"unsafe"

	"github.com/nlpodyssey/safetensors"

	"t2sda/internal/atomicfile"
)

// Tensor is a named dense float32 tensor in row-major order.
type Tensor struct {
	Name  string
	Shape []int // empty: a scalar
	Data  []float32
}

// Size returns the number of elements that the shape asks for.
func (t Tensor) Size() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// reserved is the header's entry for metadata, which no tensor may be called.
const reserved = "__metadata__"

// Save writes what [Encode] gives to a file. The file appears under its name only
// when it is complete and synced; after an error path is as it was.
func Save(path string, tensors []Tensor, metadata map[string]string) error {
	return atomicfile.WriteFunc(path, func(w io.Writer) error { return Encode(w, tensors, metadata) })
}

// Encode writes the tensors and metadata (nil: none) in the form of a safetensors
// file, in order of their names.
func Encode(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	views := make(map[string]view, len(tensors))
	for _, t := range tensors {
		if err := t.check(); err != nil {
			return err
		}
		if _, ok := views[t.Name]; ok {
			return fmt.Errorf("tensor %q occurs twice", t.Name)
		}
		views[t.Name] = view{t}
	}
	b := bufio.NewWriterSize(w, 1<<20)
	if err := safetensors.SerializeToWriter(views, metadata, b); err != nil {
		return err
	}
	return b.Flush()
}

// check reports a name that cannot be stored and data that does not fit the shape.
func (t Tensor) check() error {
	if t.Name == "" || t.Name == reserved {
		return fmt.Errorf("a tensor cannot be called %q", t.Name)
	}
	if !utf8.ValidString(t.Name) {
		return fmt.Errorf("tensor %q: %w", t.Name, errNoText)
	}
	for _, d := range t.Shape {
		if d < 0 {
			return fmt.Errorf("tensor %q has shape %v", t.Name, t.Shape)
		}
	}
	if t.Size() != len(t.Data) {
		return fmt.Errorf("tensor %q has shape %v but %d elements", t.Name, t.Shape, len(t.Data))
	}
	return nil
}

// view shows a tensor to the serialiser, which asks for one tensor's bytes after the other.
type view struct{ t Tensor }

func (v view) DType() safetensors.DType { return safetensors.F32 }
func (v view) DataLen() uint64          { return 4 * uint64(len(v.t.Data)) }

func (v view) Shape() []uint64 {
	s := make([]uint64, len(v.t.Shape)) // never nil: a scalar's shape is [], not null
	for i, d := range v.t.Shape {
		s[i] = uint64(d)
	}
	return s
}

// Data gives the tensor's own memory where floats lie in it as in the file, which is where
// the time of saving went; elsewhere it is a copy.
func (v view) Data() []byte {
	if len(v.t.Data) > 0 && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v.t.Data))), v.DataLen())
	}
	b := make([]byte, 0, v.DataLen())
	for _, x := range v.t.Data {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
