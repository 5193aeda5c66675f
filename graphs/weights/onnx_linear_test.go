package weights

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// floats is a float32 initialiser of the elements 0, 1, ….
func floats(name string, dims ...uint64) string {
	n := uint64(1)
	text := pb(tensorName, name) + pbInt(tensorType, 1)
	for _, d := range dims {
		text += pbInt(tensorDims, d)
		n *= d
	}
	var raw []byte
	for i := range n {
		raw = protowire.AppendFixed32(raw, math.Float32bits(float32(i)))
	}
	return pb(graphInitializer, text+pb(tensorRaw, string(raw)))
}

func node(operator, output string, inputs ...string) string {
	text := pb(nodeOutput, output) + pb(nodeType, operator)
	for _, i := range inputs {
		text += pb(nodeInput, i)
	}
	return pb(graphNode, text)
}

// TestLinearLayers gives anonymous matrices the names of their layers, transposed
// back, and leaves those alone whose layer is not plain.
func TestLinearLayers(t *testing.T) {
	graph := node("MatMul", "p1", "x", "onnx::MatMul_7") + node("Add", "y1", "a.bias", "p1") +
		node("MatMul", "p2", "y1", "onnx::MatMul_8") + node("Add", "y2", "p2", "b.bias") + // b.bias is of another shape
		node("MatMul", "p3", "y2", "onnx::MatMul_9") + node("Add", "y3", "p3", "c.bias") +
		node("MatMul", "p4", "y3", "onnx::MatMul_9") + node("Add", "y4", "p4", "d.bias") + // shared
		node("MatMul", "p5", "y4", "onnx::MatMul_10") + node("Add", "y5", "p5", "e.bias") + // e.weight is there already
		node("MatMul", "p6", "y5", "named") + node("Add", "y6", "p6", "a.bias") +
		floats("a.bias", 3) + floats("b.bias", 2) + floats("c.bias", 3) + floats("d.bias", 3) + floats("e.bias", 3) + floats("e.weight", 1) +
		floats("onnx::MatMul_7", 2, 3) + floats("onnx::MatMul_8", 3, 3) + floats("onnx::MatMul_9", 3, 3) + floats("onnx::MatMul_10", 3, 3) + floats("named", 3, 3)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, []byte(pbInt(1, 8)+pb(2, "test")+pb(modelGraph, graph)), 0o644); err != nil {
		t.Fatal(err)
	}
	tensors, _, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range tensors {
		names = append(names, x.Name)
		// The file holds [in 2, out 3]: 0 1 2 / 3 4 5.
		if x.Name == "a.weight" && (!slices.Equal(x.Shape, []int{3, 2}) || !slices.Equal(x.Data, []float32{0, 3, 1, 4, 2, 5})) {
			t.Errorf("a.weight %v: %v", x.Shape, x.Data)
		}
	}
	want := "a.bias b.bias c.bias d.bias e.bias e.weight a.weight onnx::MatMul_8 onnx::MatMul_9 onnx::MatMul_10 named"
	if have := strings.Join(names, " "); have != want {
		t.Errorf("have %s\nwant %s", have, want)
	}
}
