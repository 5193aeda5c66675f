package weights

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"os"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"
)

// maxHeader is the largest header in bytes, the limit of the format's reference implementation.
const maxHeader = 100_000_000

// File is an open safetensors file, whose tensors are read one by one.
type File struct {
	path     string
	file     source
	start    int64 // of the data
	infos    map[string]*safetensors.TensorInfo
	names    []string // in order of their data
	metadata map[string]string
}

// source is what a File reads from.
type source interface {
	io.ReaderAt
	io.Closer
}

// Open reads the header of the file at path and checks that it describes the file's bytes exactly. The error names the file, and the tensor where one is at fault.
func Open(path string) (_ *File, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return newFile(path, f, st.Size())
}

// newFile reads the header of size bytes behind f.
func newFile(path string, f source, size int64) (*File, error) {
	header, err := readHeader(io.NewSectionReader(f, 0, size), size)
	if err != nil {
		if other := recognise(path, f); other != nil {
			err = other
		}
		return nil, err
	}
	var m safetensors.Metadata
	if err := json.Unmarshal(header, &m); err != nil {
		return nil, fmt.Errorf("not a safetensors header: %w", err)
	}
	w := &File{path: path, file: f, start: 8 + int64(len(header)), infos: m.Tensors(), metadata: m.Metadata()}
	if w.names, err = order(w.infos, uint64(size-w.start)); err != nil {
		return nil, err
	}
	return w, nil
}

// readHeader returns the JSON text at the start of a file of the given size.
func readHeader(r io.Reader, size int64) ([]byte, error) {
	var prefix [8]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, fmt.Errorf("not a safetensors file: %d bytes long", size)
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader {
		return nil, errors.New("not a safetensors file, which begins with the size of its header (of a run of this program, the weights are checkpoints/*/student.safetensors)")
	}
	if n > uint64(size-8) {
		return nil, fmt.Errorf("truncated: the header takes %d bytes, the file has %d", n, size-8)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	return header, nil
}

// order returns the names by offset and checks that the tensors fill size bytes without gaps.
func order(infos map[string]*safetensors.TensorInfo, size uint64) ([]string, error) {
	names := make([]string, 0, len(infos))
	for name := range infos {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := infos[a].DataOffsets, infos[b].DataOffsets
		if c := slices.Compare(x[:], y[:]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	end := uint64(0)
	for _, name := range names {
		info := infos[name]
		from, to := info.DataOffsets[0], info.DataOffsets[1]
		if from != end || to < from {
			return nil, fmt.Errorf("tensor %q lies at bytes %d to %d, expected from %d", name, from, to, end)
		}
		if want, ok := byteLen(info); !ok || to-from != want {
			return nil, fmt.Errorf("tensor %q of shape %v, type %s, takes %d bytes", name, info.Shape, info.DType, to-from)
		}
		if to > size {
			return nil, fmt.Errorf("truncated: tensor %q ends at byte %d of %d", name, to, size)
		}
		end = to
	}
	if end != size {
		return nil, fmt.Errorf("%d bytes follow the last tensor", size-end)
	}
	return names, nil
}

// byteLen returns the bytes that a tensor takes; false when they do not fit 64 bits.
func byteLen(info *safetensors.TensorInfo) (uint64, bool) {
	n := info.DType.Size()
	for _, d := range info.Shape {
		hi, lo := bits.Mul64(n, d)
		if hi != 0 {
			return 0, false
		}
		n = lo
	}
	return n, true
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Names returns the names of all tensors in order of their data.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Metadata returns the header's free entries, nil when there are none.
func (f *File) Metadata() map[string]string { return f.metadata }

// Shape returns the shape of a tensor, and whether there is one of that name.
func (f *File) Shape(name string) ([]int, bool) {
	info, ok := f.infos[name]
	if !ok {
		return nil, false
	}
	shape := make([]int, len(info.Shape))
	for i, d := range info.Shape {
		shape[i] = int(d)
	}
	return shape, true
}

// Read returns one tensor as float32; float16, bfloat16 and float64 are converted. Other types are an error, as is a name that does not exist.
func (f *File) Read(name string) (Tensor, error) {
	shape, ok := f.Shape(name)
	if !ok {
		return Tensor{}, fmt.Errorf("%s: no tensor %q", f.path, name)
	}
	info := f.infos[name]
	decode, ok := decoders[info.DType]
	if !ok {
		return Tensor{}, fmt.Errorf("%s: tensor %q holds %s, want floating point numbers", f.path, name, info.DType)
	}
	raw := make([]byte, info.DataOffsets[1]-info.DataOffsets[0])
	if _, err := f.file.ReadAt(raw, f.start+int64(info.DataOffsets[0])); err != nil {
		return Tensor{}, fmt.Errorf("%s: tensor %q: %w", f.path, name, err)
	}
	size := int(info.DType.Size())
	t := Tensor{Name: name, Shape: shape, Data: make([]float32, len(raw)/size)}
	for i := range t.Data {
		t.Data[i] = decode(raw[i*size:])
	}
	return t, nil
}

// decoders convert the first element of little-endian bytes.
var decoders = map[safetensors.DType]func([]byte) float32{
	safetensors.F32:  func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) },
	safetensors.F64:  func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) },
	safetensors.BF16: func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) },
	safetensors.F16:  func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) },
}

// half converts an IEEE 754 binary16 number.
func half(b uint16) float32 {
	sign, exponent, fraction := float32(1), int(b>>10&31), float64(b&1023)
	if b>>15 != 0 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * float32(math.Ldexp(fraction, -24))
	case 31:
		if fraction != 0 {
			return float32(math.NaN())
		}
		return sign * float32(math.Inf(1))
	}
	return sign * float32(math.Ldexp(1024+fraction, exponent-25))
}

// counter ends the names of batch norms' int64 step counters in PyTorch's state dictionaries, which no model needs.
const counter = ".num_batches_tracked"

// Load reads all tensors of the file at path in order of their data, and the metadata. PyTorch's batch counters are left out; any other tensor that is not of floating point is an error.
func Load(path string) (_ []Tensor, _ map[string]string, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	tensors, err := f.all()
	return tensors, f.metadata, err
}

// Decode is [Load] of the size bytes that r holds; name begins its errors. Bytes are
// asked for from front to back, those of left-out counters not at all.
func Decode(name string, r io.ReaderAt, size int64) ([]Tensor, map[string]string, error) {
	f, err := newFile(name, unowned{r}, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	tensors, err := f.all()
	return tensors, f.metadata, err
}

// unowned is a source that another closes.
type unowned struct{ io.ReaderAt }

func (unowned) Close() error { return nil }

// all reads every tensor but PyTorch's batch counters.
func (f *File) all() ([]Tensor, error) {
	var tensors []Tensor
	for _, name := range f.names {
		if strings.HasSuffix(name, counter) {
			continue
		}
		t, err := f.Read(name)
		if err != nil {
			return nil, err
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}
