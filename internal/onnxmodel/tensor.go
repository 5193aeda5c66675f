package onnxmodel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"t2sda/internal/protofield"

	"google.golang.org/protobuf/encoding/protowire"
)

// Element types, numbered as in TensorProto.DataType.
const (
	Float32 = 1
	Uint8   = 2
	Int8    = 3
	Int32   = 6
	Int64   = 7
	Float16 = 10
)

// width is the size of an element in bytes.
var width = map[int]int{Float32: 4, Uint8: 1, Int8: 1, Int32: 4, Int64: 8, 9: 1, Float16: 2} // 9: bool

// Fields of TensorProto.
const (
	tensorDims, tensorType, tensorFloats, tensorInts32, tensorInts64 = 1, 2, 4, 5, 7
	tensorName, tensorRaw, tensorOutside, tensorLocation             = 8, 9, 13, 14
	tensorSegment, tensorTexts, tensorDoubles, tensorUints64         = 3, 6, 10, 11
)

// Tensor is a constant: elements in raw little-endian form, row-major.
type Tensor struct {
	Name string
	Type int
	Dims []int
	Raw  []byte
}

// Size returns the number of elements.
func (t *Tensor) Size() int {
	n := 1
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// Floats returns the elements of a float32 tensor.
func (t *Tensor) Floats() []float32 {
	out := make([]float32, len(t.Raw)/4)
	for i := range out {
		out[i] = floatOf(binary.LittleEndian.Uint32(t.Raw[4*i:]))
	}
	return out
}

func floatOf(bits uint32) float32 { return math.Float32frombits(bits) }

// Floats makes a float32 tensor.
func Floats(name string, data []float32, dims ...int) *Tensor {
	t := &Tensor{Name: name, Type: Float32, Dims: dims, Raw: make([]byte, 0, 4*len(data))}
	for _, x := range data {
		t.Raw = binary.LittleEndian.AppendUint32(t.Raw, math.Float32bits(x))
	}
	return t
}

func parseTensor(b []byte) (*Tensor, error) {
	t := &Tensor{}
	err := protofield.Each(b, func(f protofield.Field) error {
		switch f.Num {
		case tensorDims:
			return numbers(f, func(x uint64) { t.Dims = append(t.Dims, int(int64(x))) })
		case tensorType:
			x, _ := protowire.ConsumeVarint(f.Content)
			t.Type = int(x)
		case tensorName:
			t.Name = string(f.Content)
		case tensorRaw:
			t.Raw = f.Content
		case tensorOutside, tensorLocation:
			if f.Num == tensorOutside || !bytes.Equal(f.Content, []byte{0}) {
				return fmt.Errorf("constant %q lies in a file of its own: such models cannot be edited", t.Name)
			}
		case tensorFloats, tensorInts32, tensorInts64:
			return t.parseTyped(f)
		case tensorSegment, tensorTexts, tensorDoubles, tensorUints64:
			return fmt.Errorf("constant %q holds its elements in field %d: such models cannot be edited", t.Name, f.Num)
		}
		return nil
	})
	if w := width[t.Type]; err == nil && w > 0 && w*t.Size() != len(t.Raw) {
		err = fmt.Errorf("constant %q of shape %v has %d bytes", t.Name, t.Dims, len(t.Raw))
	}
	return t, err
}

// parseTyped reads elements that are not in raw form.
func (t *Tensor) parseTyped(f protofield.Field) error {
	if f.Num == tensorFloats { // packed, little-endian: as in raw form
		t.Raw = append(t.Raw, f.Content...)
		return nil
	}
	if width[t.Type] == 0 {
		return fmt.Errorf("constant %q has elements of type %d: such models cannot be edited", t.Name, t.Type)
	}
	return numbers(f, func(x uint64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], x)
		t.Raw = append(t.Raw, b[:width[t.Type]]...)
	})
}

// numbers calls f with the numbers of a field, packed or not.
func numbers(from protofield.Field, f func(uint64)) error {
	for b := from.Content; len(b) > 0; {
		x, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		f(x)
		b = b[n:]
	}
	return nil
}

// head is all of the tensor's fields but what its raw data hold.
func (t *Tensor) head() []byte {
	var b []byte
	for _, d := range t.Dims {
		b = protofield.AppendVarint(b, tensorDims, uint64(d))
	}
	b = protofield.AppendVarint(b, tensorType, uint64(t.Type))
	b = protofield.AppendBytes(b, tensorName, []byte(t.Name))
	b = protowire.AppendTag(b, tensorRaw, protowire.BytesType)
	return protowire.AppendVarint(b, uint64(len(t.Raw)))
}
