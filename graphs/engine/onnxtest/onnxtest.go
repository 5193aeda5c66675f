// Package onnxtest writes small ONNX models by hand, for tests: what package
// graphs cannot express, such as free dimensions, other element types, operators
// that do not exist.
package onnxtest

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Model is a model under construction. Its methods return it.
type Model struct{ graph, opsets, metadata []byte }

// New starts a model without nodes, opset 17.
func New() *Model {
	return &Model{
		graph:  appendBytes(nil, 2, []byte("test")),
		opsets: appendBytes(nil, 8, appendVarint(appendBytes(nil, 1, nil), 2, 17)),
	}
}

// Node adds a node; ins and outs are names divided by blanks, attrs alternate
// names and values: int, []int or string.
func (m *Model) Node(name, op, ins, outs string, attrs ...any) *Model {
	return m.node("", name, op, ins, outs, attrs)
}

// NodeOf is Node with an operator of another domain, of version 1.
func (m *Model) NodeOf(domain, name, op, ins, outs string, attrs ...any) *Model {
	m.opsets = appendBytes(m.opsets, 8, appendVarint(appendBytes(nil, 1, []byte(domain)), 2, 1))
	return m.node(domain, name, op, ins, outs, attrs)
}

func (m *Model) node(domain, name, op, ins, outs string, attrs []any) *Model {
	var n []byte
	for _, in := range strings.Fields(ins) {
		n = appendBytes(n, 1, []byte(in))
	}
	for _, out := range strings.Fields(outs) {
		n = appendBytes(n, 2, []byte(out))
	}
	n = appendBytes(n, 3, []byte(name))
	n = appendBytes(n, 4, []byte(op))
	for i := 0; i < len(attrs); i += 2 {
		n = appendBytes(n, 5, attribute(attrs[i].(string), attrs[i+1]))
	}
	if domain != "" {
		n = appendBytes(n, 7, []byte(domain))
	}
	m.graph = appendBytes(m.graph, 1, n)
	return m
}

// attribute encodes an AttributeProto.
func attribute(name string, value any) []byte {
	const typeInt, typeString, typeInts = 2, 3, 7
	a := appendBytes(nil, 1, []byte(name))
	switch v := value.(type) {
	case int:
		return appendVarint(appendVarint(a, 3, uint64(v)), 20, typeInt)
	case string:
		return appendVarint(appendBytes(a, 4, []byte(v)), 20, typeString)
	case []int:
		for _, i := range v {
			a = appendVarint(a, 8, uint64(i))
		}
		return appendVarint(a, 20, typeInts)
	}
	panic(fmt.Sprintf("onnxtest: attribute %s of type %T", name, value))
}

// In adds an input; dtype is a number of TensorProto.DataType, dimensions below 0
// are free.
func (m *Model) In(name string, dtype int, dims ...int) *Model { return m.value(11, name, dtype, dims) }

// Out adds an output, as [Model.In].
func (m *Model) Out(name string, dtype int, dims ...int) *Model {
	return m.value(12, name, dtype, dims)
}

func (m *Model) value(field protowire.Number, name string, dtype int, dims []int) *Model {
	shape := []byte{}
	for _, d := range dims {
		if d < 0 {
			shape = appendBytes(shape, 1, appendBytes(nil, 2, []byte("free")))
		} else {
			shape = appendBytes(shape, 1, appendVarint(nil, 1, uint64(d)))
		}
	}
	tensor := appendBytes(appendVarint(nil, 1, uint64(dtype)), 2, shape)
	info := appendBytes(appendBytes(nil, 1, []byte(name)), 2, appendBytes(nil, 1, tensor))
	m.graph = appendBytes(m.graph, field, info)
	return m
}

// Ints adds an int64 initialiser of one dimension.
func (m *Model) Ints(name string, values ...int) *Model {
	const int64Type = 7
	t := appendVarint(nil, 1, uint64(len(values)))
	t = appendVarint(t, 2, int64Type)
	for _, v := range values {
		t = appendVarint(t, 7, uint64(v))
	}
	m.graph = appendBytes(m.graph, 5, appendBytes(t, 8, []byte(name)))
	return m
}

// Floats adds a float32 initialiser.
func (m *Model) Floats(name string, values []float32, dims ...int) *Model {
	const floatType = 1
	var t, raw []byte
	for _, d := range dims {
		t = appendVarint(t, 1, uint64(d))
	}
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	t = appendBytes(appendVarint(t, 2, floatType), 8, []byte(name))
	m.graph = appendBytes(m.graph, 5, appendBytes(t, 9, raw))
	return m
}

// Meta adds an entry of custom metadata.
func (m *Model) Meta(key, value string) *Model {
	m.metadata = appendBytes(m.metadata, 14, appendBytes(appendBytes(nil, 1, []byte(key)), 2, []byte(value)))
	return m
}

// Bytes returns the serialised model.
func (m *Model) Bytes() []byte {
	b := appendVarint(nil, 1, 8)
	b = appendBytes(b, 7, m.graph)
	return append(append(b, m.opsets...), m.metadata...)
}

func appendBytes(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}
