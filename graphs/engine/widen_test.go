package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/graphs/engine/onnxtest"
)

// Values of types that tensors cannot hold come and go as wider ones, of fixed
// and of free shapes, and under their own names.
func TestWidened(t *testing.T) {
	const float16 = 10
	e := open(t, Options{})
	for _, dims := range [][]int{{4}, {-1}} {
		for dtype, want := range map[int]any{
			3:       []int32{-3, 0, 2, 100}, // int8
			4:       []int32{65533, 0, 2, 100},
			5:       []int32{-3, 0, 2, 100},
			11:      []float32{-3.25, 0.5, 2, 100},
			12:      []int64{4294967293, 0, 2, 100},
			float16: []float32{-3.25, 0.5, 2, 100},
		} {
			m := onnxtest.New().In("x", float16, dims...).Out("y", dtype, dims...)
			if dtype == float16 {
				m.Node("n", "Identity", "x", "y")
			} else { // by way of int32: a negative float as unsigned is anything
				between := 6
				if dtype == 11 {
					between = 1
				}
				m.Node("n", "Cast", "x", "i", "to", between).Node("m", "Cast", "i", "y", "to", dtype)
			}
			path := filepath.Join(t.TempDir(), "m.onnx")
			if err := os.WriteFile(path, m.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := e.OpenModel(path)
			if err != nil {
				t.Fatal(err)
			}
			if in, out := s.Inputs()[0], s.Outputs()[0]; in.DType != Float32 || out.DType != wider[DType(dtype)] || in.Name != "x" || out.Name != "y" {
				t.Errorf("%v: input %+v, output %+v", DType(dtype), in, out)
			}
			got, err := s.Run(t.Context(), map[string]*Tensor{"x": tensor(t, []float32{-3.25, 0.5, 2, 100}, 4)})
			if err != nil {
				t.Fatal(err)
			}
			var have any
			switch got["y"].DType() {
			case Int32:
				have, _ = Data[int32](got["y"])
			case Int64:
				have, _ = Data[int64](got["y"])
			default:
				have, _ = Data[float32](got["y"])
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%v %v: %s", DType(dtype), dims, diff)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
