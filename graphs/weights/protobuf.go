package weights

import (
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a protobuf message. Bytes, strings and messages stay where
// they are.
type field struct {
	num    protowire.Number
	varint uint64            // of numbers, of any width
	bytes  *io.SectionReader // of the rest
}

// eachField calls take with every field of the message, in order, and reads no
// more of it than tags, numbers and lengths.
func eachField(message *io.SectionReader, take func(field) error) error {
	const longest = 2 * 10 // of a tag and a number or length, bytes
	var window [longest]byte
	for at, size := int64(0), message.Size(); at < size; {
		n, err := message.ReadAt(window[:min(longest, size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		v, read, err := parseField(window[:n])
		if err != nil {
			return err
		}
		at += read
		if v.isLength && v.varint > uint64(size-at) {
			return fmt.Errorf("truncated: a field takes %d bytes, %d are left", v.varint, size-at)
		}
		if v.isLength {
			v.bytes = io.NewSectionReader(message, at, int64(v.varint))
			at += int64(v.varint)
		}
		if err := take(v.field); err != nil {
			return err
		}
	}
	return nil
}

// parsed is a field whose number may be the length of what follows.
type parsed struct {
	field
	isLength bool
}

// parseField reads tag and number, and returns how many bytes they take.
func parseField(b []byte) (parsed, int64, error) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return parsed{}, 0, protowire.ParseError(n)
	}
	p := parsed{field: field{num: num}, isLength: typ == protowire.BytesType}
	m := 0
	switch typ {
	case protowire.VarintType, protowire.BytesType:
		p.varint, m = protowire.ConsumeVarint(b[n:])
	case protowire.Fixed32Type:
		var x uint32
		x, m = protowire.ConsumeFixed32(b[n:])
		p.varint = uint64(x)
	case protowire.Fixed64Type:
		p.varint, m = protowire.ConsumeFixed64(b[n:])
	default:
		return p, 0, errors.New("malformed: a group, which ONNX has none of")
	}
	if m < 0 {
		return p, 0, protowire.ParseError(m)
	}
	return p, int64(n + m), nil
}

// text reads a name.
func (v field) text() (string, error) {
	if v.bytes == nil {
		return "", errors.New("malformed: a number in place of a text")
	}
	if v.bytes.Size() > maxName {
		return "", fmt.Errorf("a name of %d bytes", v.bytes.Size())
	}
	b := make([]byte, v.bytes.Size())
	_, err := v.bytes.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return string(b), err
}

// varints calls take with the numbers of a repeated field, packed or not.
func (v field) varints(take func(uint64) error) error {
	if v.bytes == nil {
		return take(v.varint)
	}
	b := make([]byte, v.bytes.Size())
	if _, err := v.bytes.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for len(b) > 0 {
		x, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := take(x); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
