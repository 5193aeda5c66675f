package onnxmodel

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/protofield"
)

func example() []byte {
	return onnxtest.New().In("x", Float32, 1, 2).Floats("w", []float32{1, 2}, 2).Floats("unused", []float32{3}, 1).Ints("axes", 0, -1).
		Node("sum", "Add", "x w", "s").Node("spare", "Neg", "s", "n").Node("r", "ReduceMax", "s", "y", "axes", []int{0, -1}, "keepdims", 0).
		Out("y", Float32).Meta("key", "value").Bytes()
}

func parsed(t *testing.T, model []byte) *Model {
	t.Helper()
	m, err := Parse(model)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRoundTrip: what was written is read as the same, and written again gives the same bytes.
func TestRoundTrip(t *testing.T) {
	m := parsed(t, example())
	once, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m = parsed(t, once)
	if twice, err := m.Bytes(); err != nil || !bytes.Equal(once, twice) {
		t.Errorf("written twice the bytes differ (%v)", err)
	}
	n := m.Nodes[2]
	if n.Name != "r" || n.Op != "ReduceMax" || n.Int("keepdims", 1) != 0 || n.Int("other", 7) != 7 || !slices.Equal(n.Ints("axes"), []int{0, -1}) {
		t.Errorf("node %+v", n)
	}
	if w := m.Tensor("w"); !slices.Equal(w.Floats(), []float32{1, 2}) || !slices.Equal(w.Dims, []int{2}) {
		t.Errorf("constant %+v", w)
	}
	if a := m.Tensor("axes"); a.Type != Int64 || a.Raw[8] != 0xff || len(a.Raw) != 16 {
		t.Errorf("constant %+v", a)
	}
	if m.Inputs[0].Name != "x" || m.Inputs[0].Type != Float32 || !m.IsOutput("y") || m.Meta[0] != (Entry{"key", "value"}) {
		t.Errorf("inputs %v, outputs %v, metadata %v", m.Inputs, m.Outputs, m.Meta)
	}
}

// TestAxes: dimensions by number and by name, and texts among a node's attributes.
func TestAxes(t *testing.T) {
	m := parsed(t, onnxtest.New().In("x", Float32, 1, -1).In("s", Float32).Out("y", Float32, 300, 2).Node("n", "Resize", "x", "y", "mode", "linear").Bytes())
	for i, want := range [][]string{{"1", "free"}, nil} {
		if have := m.Inputs[i].Axes(); !slices.Equal(have, want) {
			t.Errorf("axes of %s are %q, want %q", m.Inputs[i].Name, have, want)
		}
	}
	if have := m.Outputs[0].Axes(); !slices.Equal(have, []string{"300", "2"}) {
		t.Errorf("axes %q", have)
	}
	if have := (Info{Name: "z", Type: Float32}).Axes(); have != nil {
		t.Errorf("a value of any shape has axes %q", have)
	}
	if n := m.Nodes[0]; n.Text("mode", "nearest") != "linear" || n.Text("other", "none") != "none" {
		t.Errorf("attributes of %+v", n)
	}
}

func TestEdit(t *testing.T) {
	m := parsed(t, example())
	c := m.Clone()
	c.Nodes[0].Rename("w", "v")
	c.AddTensor(Floats("v", []float32{5, 6}, 2))
	c.Nodes[2].SetInt("keepdims", 1)
	c.SetMeta("key", "other")
	c.SetMeta("more", "1")
	c.Prune()
	if len(c.Nodes) != 2 || c.Tensor("unused") != nil || c.Tensor("w") != nil || c.Tensor("v") == nil || len(c.Tensors) != 1 {
		t.Errorf("%d nodes and constants %v are left", len(c.Nodes), c.Tensors)
	}
	if c.Nodes[1].Int("keepdims", 0) != 1 || c.Meta[0].Value != "other" || c.Meta[1].Key != "more" {
		t.Errorf("edits were lost: %v", c.Meta)
	}
	if len(m.Nodes) != 3 || m.Nodes[0].Inputs[1] != "w" || m.Nodes[2].Int("keepdims", 1) != 0 || m.Meta[0].Value != "value" || m.Tensor("unused") == nil {
		t.Error("editing a copy changed the model")
	}
}

func TestBroken(t *testing.T) {
	outside := protofield.AppendBytes(protofield.AppendVarint(nil, tensorType, Float32), tensorName, []byte("far"))
	outside = protofield.AppendVarint(outside, tensorLocation, 1)
	branch := protofield.AppendBytes(nil, nodeAttr, protofield.AppendBytes(protofield.AppendBytes(nil, attrName, []byte("then_branch")), attrGraph, nil))
	short := protofield.AppendVarint(protofield.AppendVarint(protofield.AppendVarint(nil, tensorDims, 3), tensorType, Float32), tensorDims, 1)
	const float64Type, int16Type = 11, 5
	doubles := protofield.AppendBytes(protofield.AppendVarint(nil, tensorType, float64Type), tensorName, []byte("wide"))
	doubles = protofield.AppendBytes(doubles, tensorDoubles, make([]byte, 8))
	shorts := protofield.AppendVarint(protofield.AppendVarint(nil, tensorType, int16Type), tensorInts32, 1)
	graph := func(field int, b []byte) []byte {
		return protofield.AppendBytes(nil, modelGraph, protofield.AppendBytes(nil, protowire.Number(field), b))
	}
	for _, tt := range []struct {
		model []byte
		want  string
	}{
		{nil, "there is no graph"},
		{example()[:60], "truncated"},
		{[]byte("\x89PNG"), "not an ONNX model"},
		{graph(graphInit, outside), `constant "far" lies in a file of its own`},
		{graph(graphInit, short), "of shape [3 1] has 0 bytes"},
		{graph(graphInit, doubles), `constant "wide" holds its elements in field 10`},
		{graph(graphInit, shorts), "has elements of type 5"},
		{graph(graphNode, branch), "holds a graph of its own"},
	} {
		if _, err := Parse(tt.model); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("have %v, want %q", err, tt.want)
		}
	}
}
