// Package protofield reads and writes the fields of serialised protobuf messages, as ONNX
// models are, without their descriptions.
package protofield

import "google.golang.org/protobuf/encoding/protowire"

// Field is one field of a message.
type Field struct {
	Num     protowire.Number
	Type    protowire.Type
	Content []byte // of a length-delimited field; else its value as it is serialised
	Whole   []byte // with its tag
}

// Each calls f with every field of a message, in order, and checks that the message is
// well formed as far as f lets it come.
func Each(b []byte, f func(Field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return protowire.ParseError(size)
		}
		one := Field{Num: num, Type: typ, Content: b[n : n+size], Whole: b[:n+size]}
		if typ == protowire.BytesType {
			one.Content, _ = protowire.ConsumeBytes(b[n:]) // as ConsumeFieldValue has found
		}
		if err := f(one); err != nil {
			return err
		}
		b = b[n+size:]
	}
	return nil
}

// Text returns the last length-delimited field of that number, "" without one.
func Text(b []byte, num protowire.Number) (s string) {
	_ = Each(b, func(f Field) error { // what can be read of it
		if f.Num == num && f.Type == protowire.BytesType {
			s = string(f.Content)
		}
		return nil
	})
	return s
}

// Varint returns the last varint field of that number, def without one.
func Varint(b []byte, num protowire.Number, def uint64) uint64 {
	_ = Each(b, func(f Field) error { // what can be read of it
		if f.Num == num && f.Type == protowire.VarintType {
			def, _ = protowire.ConsumeVarint(f.Content)
		}
		return nil
	})
	return def
}

// AppendBytes appends a length-delimited field.
func AppendBytes(b []byte, num protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), content)
}

// AppendVarint appends a varint field.
func AppendVarint(b []byte, num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}
