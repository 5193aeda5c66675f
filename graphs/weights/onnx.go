package weights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of fields of ONNX's messages ModelProto, GraphProto, TensorProto and
// StringStringEntryProto.
const (
	modelGraph       = 7
	graphInitializer = 5

	tensorDims     = 1
	tensorType     = 2
	tensorFloats   = 4
	tensorInt32s   = 5
	tensorInt64s   = 7
	tensorName     = 8
	tensorRaw      = 9
	tensorDoubles  = 10
	tensorExternal = 13
	tensorPlace    = 14

	entryKey   = 1
	entryValue = 2
)

// onnxTypes are the element types of TensorProto.DataType by number.
var onnxTypes = map[uint64]DType{
	1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16",
	11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
	17: "float8_e4m3fn", 19: "float8_e5m2",
}

// isONNX reports whether a file begins as ONNX models do, with the version of the
// format as a small number, and not as safetensors files of a header that long.
func isONNX(head []byte) bool {
	return len(head) > 8 && head[0] == 8 && head[1] < 0x80 && head[2]&7 <= 2 && head[8] != '{'
}

// readONNX lists the initialisers of the main graph, matrices of linear layers by
// the names of their layers.
func (f *File) readONNX(r io.ReaderAt) error {
	f.form = "ONNX"
	layers := linearLayers{products: map[string]string{}, biases: map[string]string{}}
	found := false
	err := eachField(io.NewSectionReader(r, 0, f.size), func(v field) error {
		if v.num != modelGraph || v.bytes == nil {
			return nil
		}
		found = true
		return eachField(v.bytes, func(v field) error {
			switch {
			case v.bytes == nil:
				return nil
			case v.num == graphInitializer:
				return f.initialiser(v.bytes)
			case v.num == graphNode:
				return layers.node(v)
			}
			return nil
		})
	})
	if err == nil && !found {
		err = errors.New("there is no graph in it")
	}
	layers.name(f.tensors)
	return err
}

// tensorProto is what a TensorProto says.
type tensorProto struct {
	stored
	external map[string]string
	typed    protowire.Number // the field that holds the elements one by one
	numbers  []byte           // those of them that are not packed, as they stand in raw data
	outside  bool
}

// initialiser adds a tensor.
func (f *File) initialiser(r *io.SectionReader) error {
	t := tensorProto{external: map[string]string{}}
	if err := eachField(r, t.field); err != nil {
		return fmt.Errorf("initialiser %q: %w", t.Name, err)
	}
	if err := f.place(&t); err != nil {
		return fmt.Errorf("initialiser %q: %w", t.Name, err)
	}
	f.tensors = append(f.tensors, t.stored)
	return nil
}

// field takes one field of a TensorProto.
func (t *tensorProto) field(v field) error {
	switch v.num {
	case tensorDims:
		return v.varints(func(d uint64) error {
			if d > math.MaxInt32 || len(t.Shape) > 32 {
				return errors.New("its shape has more elements than any file")
			}
			t.Shape = append(t.Shape, int(d))
			return nil
		})
	case tensorType:
		if t.Type = onnxTypes[v.varint]; t.Type == "" {
			return fmt.Errorf("holds elements of type %d, which are not known", v.varint)
		}
	case tensorName:
		text, err := v.text()
		t.Name = text
		return err
	case tensorRaw:
		if v.bytes != nil {
			t.data, t.size = v.bytes, v.bytes.Size()
		}
	case tensorFloats, tensorDoubles:
		return t.fixed(v)
	case tensorInt32s, tensorInt64s:
		t.typed = v.num
		return v.varints(func(x uint64) error {
			t.numbers = protowire.AppendFixed64(t.numbers, x)
			return nil
		})
	case tensorExternal:
		return t.entry(v)
	case tensorPlace:
		t.outside = v.varint == 1
	}
	return nil
}

// fixed takes float_data or double_data, which lie packed as raw data does.
func (t *tensorProto) fixed(v field) error {
	switch {
	case v.bytes != nil:
		t.data, t.size = v.bytes, v.bytes.Size()
	case v.num == tensorFloats:
		t.numbers = protowire.AppendFixed32(t.numbers, uint32(v.varint))
	default:
		t.numbers = protowire.AppendFixed64(t.numbers, v.varint)
	}
	t.typed = v.num
	return nil
}

// entry takes one of the pairs that say where external data lie.
func (t *tensorProto) entry(v field) error {
	if v.bytes == nil {
		return nil
	}
	var key, value string
	err := eachField(v.bytes, func(v field) (err error) {
		switch v.num {
		case entryKey:
			key, err = v.text()
		case entryValue:
			value, err = v.text()
		}
		return err
	})
	t.external[key] = value
	return err
}

// place finds the elements: in the message, or in a file beside the model.
func (f *File) place(t *tensorProto) error {
	if t.outside {
		return f.external(t)
	}
	if t.data != nil {
		return nil
	}
	if size := formats[t.Type].size; t.typed == tensorInt32s || t.typed == tensorInt64s {
		// One number each, whatever the type; float16 by its bits.
		narrow := make([]byte, 0, int64(len(t.numbers))/8*size)
		for i := 0; i < len(t.numbers); i += 8 {
			narrow = append(narrow, t.numbers[i:i+int(min(size, 8))]...)
		}
		t.numbers = narrow
	}
	t.data, t.size = bytes.NewReader(t.numbers), int64(len(t.numbers))
	return nil
}

// external opens the file that holds the elements. It must lie in the model's
// folder or below.
func (f *File) external(t *tensorProto) error {
	location := t.external["location"]
	file, has, err := f.open(location)
	if err != nil {
		return fmt.Errorf("its elements are in %q: %w", location, err)
	}
	offset, err := number(t.external["offset"], 0)
	if err != nil {
		return err
	}
	length, err := number(t.external["length"], has-offset)
	if err != nil {
		return err
	}
	if offset > has || length < 0 || length > has-offset {
		return fmt.Errorf("truncated: bytes %d to %d of %s, which has %d", offset, offset+length, location, has)
	}
	t.data, t.size = io.NewSectionReader(file, offset, length), length
	return nil
}

func number(text string, otherwise int64) (int64, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("a place of %q bytes", text)
	}
	return n, nil
}
