package engine

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// testModel writes small ONNX models by hand.
type testModel struct{ graph, opsets, metadata []byte }

func newModel() *testModel {
	return &testModel{
		graph:  appendBytes(nil, 2, []byte("test")),
		opsets: appendBytes(nil, 8, appendVarint(appendBytes(nil, 1, nil), 2, 17)),
	}
}

// node adds a node; ins and outs are names divided by blanks, attrs alternate names and integers.
func (m *testModel) node(name, op, ins, outs string, attrs ...any) *testModel {
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
		const attributeInt = 2
		a := appendBytes(nil, 1, []byte(attrs[i].(string)))
		a = appendVarint(a, 3, uint64(attrs[i+1].(int)))
		n = appendBytes(n, 5, appendVarint(a, 20, attributeInt))
	}
	m.graph = appendBytes(m.graph, 1, n)
	return m
}

func (m *testModel) io(field protowire.Number, name string, dt DType, dims []int) *testModel {
	shape := []byte{}
	for _, d := range dims {
		if d < 0 {
			shape = appendBytes(shape, 1, appendBytes(nil, 2, []byte("free")))
		} else {
			shape = appendBytes(shape, 1, appendVarint(nil, 1, uint64(d)))
		}
	}
	tensor := appendBytes(appendVarint(nil, 1, uint64(dt)), 2, shape)
	info := appendBytes(appendBytes(nil, 1, []byte(name)), 2, appendBytes(nil, 1, tensor))
	m.graph = appendBytes(m.graph, field, info)
	return m
}

func (m *testModel) in(name string, dt DType, dims ...int) *testModel {
	return m.io(11, name, dt, dims)
}

func (m *testModel) out(name string, dt DType, dims ...int) *testModel {
	return m.io(12, name, dt, dims)
}

// constant adds an int64 initialiser.
func (m *testModel) constant(name string, values ...int) *testModel {
	t := appendVarint(nil, 1, uint64(len(values)))
	t = appendVarint(t, 2, uint64(Int64))
	for _, v := range values {
		t = appendVarint(t, 7, uint64(v))
	}
	m.graph = appendBytes(m.graph, 5, appendBytes(t, 8, []byte(name)))
	return m
}

func (m *testModel) meta(key, value string) *testModel {
	m.metadata = appendBytes(m.metadata, 14, appendBytes(appendBytes(nil, 1, []byte(key)), 2, []byte(value)))
	return m
}

func (m *testModel) bytes() []byte {
	b := appendVarint(nil, 1, 8)
	b = appendBytes(b, 7, m.graph)
	return append(append(b, m.opsets...), m.metadata...)
}

func (m *testModel) session(t testing.TB, e *Engine, name string) *Session {
	t.Helper()
	s, err := e.NewSession(name, m.bytes())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// accumulate is g_out = g_in + a·b of n×n matrices.
func accumulate(n int) *testModel {
	return newModel().node("mm/MatMul_1", "MatMul", "a b", "dw").node("acc/Add_1", "Add", "g_in dw", "g_out").
		in("g_in", Float32, n, n).in("a", Float32, n, n).in("b", Float32, n, n).out("g_out", Float32, n, n)
}

func TestSignature(t *testing.T) {
	m := newModel().node("r", "Reshape", "x shape", "y").constant("shape", 2, -1).
		in("x", Uint8, -1, 3, 4).in("shape", Int64, 2).out("y", Uint8, 2, -1)
	in, out, err := signature(m.bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(in) != 1 || in[0].Name != "x" || in[0].DType != Uint8 || dimsString(in[0].Dims) != "[?,3,4]" {
		t.Errorf("inputs %+v: want x alone, since shape has an initialiser", in)
	}
	if len(out) != 1 || dimsString(out[0].Dims) != "[2,?]" {
		t.Errorf("outputs %+v", out)
	}
	s := m.session(t, open(t, Options{}), "reshape")
	x := tensor(t, make([]uint8, 24), 2, 3, 4)
	y, err := s.Run(t.Context(), map[string]*Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	if got := dimsString(y["y"].Shape()); got != "[2,12]" {
		t.Errorf("the run gave shape %s", got)
	}
}
