package weights

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"
)

// maxHeader is the largest header in bytes, the limit of the format's reference
// implementation.
const maxHeader = 100_000_000

// safetensorsTypes are PyTorch's names of the format's types.
var safetensorsTypes = map[safetensors.DType]DType{
	safetensors.F32: "float32", safetensors.F64: "float64", safetensors.F16: "float16", safetensors.BF16: "bfloat16",
	safetensors.I64: "int64", safetensors.I32: "int32", safetensors.I16: "int16", safetensors.I8: "int8",
	safetensors.U64: "uint64", safetensors.U32: "uint32", safetensors.U16: "uint16", safetensors.U8: "uint8",
	safetensors.BOOL: "bool",
}

// readSafetensors reads the header, which must describe the file's bytes exactly.
func (f *File) readSafetensors(r io.ReaderAt) error {
	header, err := readHeader(io.NewSectionReader(r, 0, f.size), f.size)
	if err != nil {
		return err
	}
	var m safetensors.Metadata
	if err := json.Unmarshal(header, &m); err != nil {
		return fmt.Errorf("not a safetensors header: %w", err)
	}
	start, infos := 8+int64(len(header)), m.Tensors()
	names, err := order(infos, uint64(f.size-start))
	if err != nil {
		return err
	}
	f.form, f.metadata = "safetensors", m.Metadata()
	for _, name := range names {
		info := infos[name]
		t := stored{Info: Info{Name: name, Shape: make([]int, len(info.Shape)), Type: safetensorsTypes[info.DType]}}
		if t.Type == "" {
			t.Type = DType(info.DType.String())
		}
		for i, d := range info.Shape {
			t.Shape[i] = int(d)
		}
		t.size = int64(info.DataOffsets[1] - info.DataOffsets[0])
		t.data = io.NewSectionReader(r, start+int64(info.DataOffsets[0]), t.size)
		f.tensors = append(f.tensors, t)
	}
	return nil
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
