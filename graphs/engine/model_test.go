package engine

import (
	"testing"

	"t2sda/graphs/engine/onnxtest"
)

// testModel is an onnxtest.Model with this package's element types.
type testModel struct{ m *onnxtest.Model }

func newModel() *testModel { return &testModel{onnxtest.New()} }

func (m *testModel) node(name, op, ins, outs string, attrs ...any) *testModel {
	m.m.Node(name, op, ins, outs, attrs...)
	return m
}

func (m *testModel) in(name string, dt DType, dims ...int) *testModel {
	m.m.In(name, int(dt), dims...)
	return m
}

func (m *testModel) out(name string, dt DType, dims ...int) *testModel {
	m.m.Out(name, int(dt), dims...)
	return m
}

func (m *testModel) constant(name string, values ...int) *testModel {
	m.m.Ints(name, values...)
	return m
}

func (m *testModel) meta(key, value string) *testModel {
	m.m.Meta(key, value)
	return m
}

func (m *testModel) bytes() []byte { return m.m.Bytes() }

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
	if len(in) != 1 || in[0].Name != "x" || in[0].DType != Uint8 || ShapeText(in[0].Dims) != "[?,3,4]" {
		t.Errorf("inputs %+v: want x alone, since shape has an initialiser", in)
	}
	if len(out) != 1 || ShapeText(out[0].Dims) != "[2,?]" {
		t.Errorf("outputs %+v", out)
	}
	s := m.session(t, open(t, Options{}), "reshape")
	x := tensor(t, make([]uint8, 24), 2, 3, 4)
	y, err := s.Run(t.Context(), map[string]*Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	if got := ShapeText(y["y"].Shape()); got != "[2,12]" {
		t.Errorf("the run gave shape %s", got)
	}
}
