package quantize

import (
	"context"
	"math"
	"slices"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/onnxmodel"
)

// twoChannels feeds [1,1,1,4].
func twoChannels() Samples {
	return Samples{Len: 1, At: func(context.Context, int) (map[string]*engine.Tensor, error) {
		x, err := engine.NewTensor([]float32{-4, 1, 2, 4}, 1, 1, 1, 4)
		return map[string]*engine.Tensor{"x": x}, err
	}}
}

// TestEqualise: the second channel reaches a 64th of the first. It may grow by 32, the headroom of 2
// kept, where each channel is read by itself; where readers mix channels of equal weights, by the
// root of 64.
func TestEqualise(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, tt := range []struct {
		name    string
		group   int
		weights []float32
		scale   float32
	}{
		{"each", 2, []float32{3, 5}, 32},
		{"mixed", 1, []float32{3, 3}, 8},
	} {
		model := onnxtest.New().In("x", 1, 1, 1, 1, 4).
			Floats("wa", []float32{1, 1.0 / 64}, 2, 1, 1, 1).Node("a", "Conv", "x wa", "va").Node("r", "Relu", "va", "ua").
			Floats("wb", tt.weights, tt.group, 2/tt.group, 1, 1).Node("b", "Conv", "ua wb", "y", "group", tt.group).Out("y", 1, 1, tt.group, 1, 4).Bytes()
		m, before := parsed(t, model), parsed(t, model)
		if err := equalise(t.Context(), e, m, twoChannels()); err != nil {
			t.Fatal(err)
		}
		if got, want := m.Tensor("a/operand1").Floats(), []float32{1, tt.scale / 64}; !slices.Equal(got, want) {
			t.Errorf("%s: weights before are %v, want %v", tt.name, got, want)
		}
		if got, want := m.Tensor("b/operand1").Floats(), []float32{tt.weights[0], tt.weights[1] / tt.scale}; !slices.Equal(got, want) {
			t.Errorf("%s: weights behind are %v, want %v", tt.name, got, want)
		}
		if a, b := outputOf(t, e, before), outputOf(t, e, m); !slices.Equal(a, b) {
			t.Errorf("%s: outputs %v became %v", tt.name, a, b)
		}
	}
}

// TestCentre: a channel from 96 to 104 that a 1×1 convolution reads is shifted by 100, which that one's
// bias takes; in front of a ReLU nothing may be shifted.
func TestCentre(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, clamped := range []bool{false, true} {
		read := map[bool]string{false: "va", true: "ua"}[clamped]
		model := onnxtest.New().In("x", 1, 1, 1, 1, 4).
			Floats("wa", []float32{1}, 1, 1, 1, 1).Floats("ba", []float32{100}, 1).Node("a", "Conv", "x wa ba", "va").Node("r", "Relu", "va", "ua").
			Floats("wb", []float32{2}, 1, 1, 1, 1).Floats("bb", []float32{-200}, 1).Node("b", "Conv", read+" wb bb", "y").Out("y", 1, 1, 1, 1, 4).Bytes()
		m, before := parsed(t, model), parsed(t, model)
		if !clamped {
			m.Nodes, before.Nodes = slices.Delete(m.Nodes, 1, 2), slices.Delete(before.Nodes, 1, 2)
		}
		if err := equalise(t.Context(), e, m, twoChannels()); err != nil {
			t.Fatal(err)
		}
		shifted := m.Tensor("b/operand2") != nil
		if shifted == clamped || shifted && (m.Tensor("a/operand2").Floats()[0] != 0 || m.Tensor("b/operand2").Floats()[0] != 0) {
			t.Errorf("clamped %v: biases shifted: %v", clamped, shifted)
		}
		a, b := outputOf(t, e, before), outputOf(t, e, m)
		for i := range a {
			if math.Abs(float64(a[i]-b[i])) > 1e-4 {
				t.Errorf("clamped %v: outputs %v became %v", clamped, a, b)
			}
		}
	}
}

func parsed(t *testing.T, model []byte) *onnxmodel.Model {
	t.Helper()
	m, err := parse(model)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func outputOf(t *testing.T, e *engine.Engine, m *onnxmodel.Model) (y []float32) {
	t.Helper()
	err := run(t.Context(), e, m, twoChannels(), func(_, out map[string]*engine.Tensor) error {
		y = out["y"].Floats()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return y
}
