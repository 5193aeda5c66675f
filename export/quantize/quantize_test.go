package quantize_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/export/quantize"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/onnxmodel"
)

// fed returns samples of one input "x".
func fed(t *testing.T, samples [][]float32, dims ...int) quantize.Samples {
	t.Helper()
	return quantize.Samples{Len: len(samples), At: func(_ context.Context, i int) (map[string]*engine.Tensor, error) {
		x, err := engine.NewTensor(samples[i], dims...)
		return map[string]*engine.Tensor{"x": x}, err
	}}
}

// result runs a model on a sample and returns its output "y".
func result(t *testing.T, e *engine.Engine, model []byte, s quantize.Samples, i int) []float32 {
	t.Helper()
	session, err := e.NewSession("test", model)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	in, err := s.At(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out["y"].Floats()
}

func lossless(context.Context, []byte) (float64, error) { return 0, nil }

func always(context.Context, []byte) (bool, error) { return true, nil }

func options() quantize.Options {
	return quantize.Options{By: quantize.MinMax, For: quantize.CPU, MaxDrop: 0.5, Drop: lossless}
}

// TestConvByHand: x in [−64, 191] has scale 1 and zero point 64. The weights 127 and −63.5 have scale 1
// and levels 127 and −64, the bias 5 its own value as level. y lies in [−12091, 24262]: scale
// 36353/255, zero point 85.
func TestConvByHand(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	model := onnxtest.New().In("x", 1, 1, 2, 1, 2).Floats("w", []float32{127, -63.5}, 1, 2, 1, 1).Floats("b", []float32{5}, 1).
		Node("conv", "Conv", "x w b", "y").Out("y", 1, 1, 1, 1, 2).Meta("class_names", "[]").Bytes()
	// 127·191 + 5 = 24262 with the second channel 0; 127·(−64) − 63.5·62.5 + 5 = −12091.75 by its levels.
	s := fed(t, [][]float32{{191, -64, 0, 62.5}}, 1, 2, 1, 2)
	q, err := quantize.Int8(t.Context(), e, model, s, options())
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnxmodel.Parse(q.Model)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float32{"x/dequantised/scale": 1, "conv/weights/scale": 1, "conv/bias/scale": 1, "y/scale": (24262 + 12091.75) / 255} {
		if got := m.Tensor(name).Floats(); len(got) != 1 || math.Abs(float64(got[0]-want)) > 1e-4 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string][]byte{"x/dequantised/zero": {64}, "conv/weights/levels": {127, 0xc0}, "conv/bias/levels": {5, 0, 0, 0}, "y/zero": {85}} {
		if got := m.Tensor(name).Raw; !bytes.Equal(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	y := result(t, e, q.Model, s, 0)
	// 62.5 goes to the even 62, so the second is 127·(−64) − 64·62 + 5 = −12091.
	scale := float64((24262 + 12091.75) / 255)
	for i, exact := range []float64{24262, -12091} {
		if want := math.RoundToEven(exact/scale) * scale; math.Abs(float64(y[i])-want) > 0.01 {
			t.Errorf("element %d is %v, want %v", i, y[i], want)
		}
	}
	if len(m.Meta) < 2 || m.Meta[0].Key != "class_names" || m.Meta[1] != (onnxmodel.Entry{Key: "precision", Value: "int8"}) {
		t.Errorf("metadata %v", m.Meta)
	}
}

// ruined is a chain of products with one, "b", that int8 ruins whatever its weights are: it amplifies
// by gain what is left of a channel near 100 when 100 is taken from it.
func ruined(gain float32) []byte {
	return onnxtest.New().In("x", 1, 1, 1, 4, 4).
		Floats("wa", []float32{1, 0.001}, 2, 1, 1, 1).Floats("ba", []float32{0, 100}, 2).Node("a", "Conv", "x wa ba", "va").Node("ra", "Relu", "va", "ua").
		Floats("wb", []float32{0.5, gain, 0, gain / 2}, 2, 2, 1, 1).Floats("bb", []float32{-100 * gain, -50 * gain}, 2).Node("b", "Conv", "ua wb bb", "vb").
		Floats("wc", []float32{1, 1, 1, -1}, 2, 2, 1, 1).Node("c", "Conv", "vb wc", "vc").
		Floats("wd", []float32{1, 1}, 1, 2, 1, 1).Node("d", "Conv", "vc wd", "y").Out("y", 1, 1, 1, 4, 4).Bytes()
}

func noise(seed uint64, n, size int) [][]float32 {
	r := rand.New(rand.NewPCG(seed, seed))
	all := make([][]float32, n)
	for i := range all {
		for range size {
			all[i] = append(all[i], float32(r.NormFloat64()))
		}
	}
	return all
}

// apart is the relative error of a model's outputs, in percent, as what it loses.
func apart(t *testing.T, e *engine.Engine, float []byte, s quantize.Samples) func(context.Context, []byte) (float64, error) {
	return func(_ context.Context, model []byte) (float64, error) {
		var signal, d float64
		for i := range s.Len {
			a, b := result(t, e, float, s, i), result(t, e, model, s, i)
			for k := range a {
				signal += float64(a[k]) * float64(a[k])
				d += float64(a[k]-b[k]) * float64(a[k]-b[k])
			}
		}
		return 100 * math.Sqrt(d/signal), nil
	}
}

func TestSensitiveLayerIsFound(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	model := ruined(1000)
	s := fed(t, noise(7, 6, 16), 1, 1, 4, 4)
	o := options()
	o.Drop, o.MaxDrop = apart(t, e, model, s), 3
	var tried []int
	o.Tried = func(kept, _ int, _ float64) { tried = append(tried, kept) }
	q, err := quantize.Int8(t.Context(), e, model, s, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(q.Kept) != 1 || q.Kept[0].Node != "b" || !slices.Equal(q.Feeding, []string{"a"}) || q.Layers != 4 || q.Drop > 3 {
		t.Errorf("%d layers, kept %v, feeding %v, %.1f %% lost", q.Layers, q.Kept, q.Feeding, q.Drop)
	}
	if !slices.Equal(tried, []int{0, 2}) {
		t.Errorf("tried with %v layers in float32", tried)
	}
	if !strings.Contains(string(q.Model), `["a","b"]`) {
		t.Error("the metadata do not name the layers in float32")
	}
	again, err := quantize.Int8(t.Context(), e, model, s, o)
	if err != nil || !bytes.Equal(q.Model, again.Model) {
		t.Errorf("a second time the model is another one (%v)", err)
	}
	o.Drop = func(context.Context, []byte) (float64, error) { return 9, nil }
	if _, err := quantize.Int8(t.Context(), e, model, s, o); err == nil || !strings.Contains(err.Error(), "still loses 9.00 points (at most 3 are allowed)") {
		t.Errorf("a model that always loses: %v", err)
	}
}

// TestFewestLayers: where one layer in float32 is enough, no others stay so, however much noise they
// add.
func TestFewestLayers(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	model := ruined(1000)
	s := fed(t, noise(13, 3, 16), 1, 1, 4, 4)
	for _, node := range []string{"a", "b", "c"} {
		o := options()
		tries := 0
		o.Drop = func(_ context.Context, model []byte) (float64, error) {
			tries++
			m, err := onnxmodel.Parse(model)
			if err != nil || m.Tensor(node+"/weights/levels") == nil {
				return 0, err
			}
			return 2, nil
		}
		q, err := quantize.Int8(t.Context(), e, model, s, o)
		if err != nil {
			t.Errorf("%s: %v", node, err)
			continue
		}
		t.Logf("%s: kept %v with %v after %d tries", node, q.Kept, q.Feeding, tries)
		if len(q.Kept) != 1 {
			t.Errorf("%s: kept %v", node, q.Kept)
		}
	}
}

// TestKinds runs products of matrices, residual sums, ReLU6 and both targets.
func TestKinds(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	r := rand.New(rand.NewPCG(8, 8))
	weights := func(n int) []float32 {
		w := make([]float32, n)
		for i := range w {
			w[i] = float32(r.NormFloat64())
		}
		return w
	}
	model := onnxtest.New().In("x", 1, 1, 3, 8, 8).
		Floats("wa", weights(4*3*9), 4, 3, 3, 3).Floats("ba", weights(4), 4).Node("a", "Conv", "x wa ba", "va", "pads", []int{1, 1, 1, 1}).
		Floats("zero", []float32{0}).Floats("six", []float32{6}).Node("clip", "Clip", "va zero six", "ua").
		Floats("wb", weights(4*9), 4, 1, 3, 3).Node("b", "Conv", "ua wb", "vb", "pads", []int{1, 1, 1, 1}, "group", 4).
		Node("sum", "Add", "vb ua", "vs").Node("relu", "Relu", "vs", "us").
		Floats("wc", weights(4*4), 4, 4, 1, 1).Floats("bc", weights(4), 4).Node("c", "Conv", "us wc bc", "vc").
		Ints("flat", 1, 4, 64).Node("r", "Reshape", "vc flat", "vr").Node("t", "Transpose", "vr", "vt", "perm", []int{0, 2, 1}).
		Floats("wm", weights(4*5), 4, 5).Node("m", "MatMul", "vt wm", "vm").Floats("bm", weights(5), 5).Node("plus", "Add", "vm bm", "y").
		Out("y", 1, 1, 64, 5).Bytes()
	s := fed(t, noise(9, 8, 3*64), 1, 3, 8, 8)
	for _, by := range quantize.Methods() {
		for _, target := range []quantize.Target{quantize.CPU, quantize.GPU} {
			o := options()
			o.By, o.For, o.Drop, o.MaxDrop = quantize.Method(by), target, apart(t, e, model, s), 10
			q, err := quantize.Int8(t.Context(), e, model, s, o)
			if err != nil {
				t.Errorf("%s for %s: %v", by, target, err)
				continue
			}
			if m, err := onnxmodel.Parse(q.Model); err != nil || m.Tensor("plus/bias/levels") == nil || m.Tensor("c/weights/levels") == nil {
				t.Errorf("%s for %s: what is added to a product is no bias on levels (%v)", by, target, err)
			}
			t.Logf("%s for %s: %.2f %% lost, kept %v", by, target, q.Drop, q.Kept)
			if len(q.Kept) > 0 && by == string(quantize.MinMax) {
				t.Errorf("%s for %s keeps %v in float32", by, target, q.Kept)
			}
		}
	}
	h, err := quantize.Float16(t.Context(), e, model, s, always)
	if err != nil {
		t.Fatal(err)
	}
	if lost, _ := apart(t, e, model, s)(t.Context(), h.Model); lost > 0.5 || lost == 0 || len(h.Kept) != 0 {
		t.Errorf("float16 loses %v %%, keeps %v", lost, h.Kept)
	}
}

// TestFloat16Overflow: weights and activations beyond 65504 stay in float32, with their nodes.
func TestFloat16Overflow(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	model := onnxtest.New().In("x", 1, 1, 1, 4, 4).
		Floats("wa", []float32{1e5}, 1, 1, 1, 1).Node("a", "Conv", "x wa", "va").
		Floats("wb", []float32{1e-5}, 1, 1, 1, 1).Node("b", "Conv", "va wb", "vb").
		Floats("wc", []float32{3}, 1, 1, 1, 1).Node("c", "Conv", "vb wc", "y").Out("y", 1, 1, 1, 4, 4).Bytes()
	s := fed(t, noise(10, 3, 16), 1, 1, 4, 4)
	h, err := quantize.Float16(t.Context(), e, model, s, always)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Kept) != 2 || h.Kept[0].Node != "a" || h.Kept[1].Node != "b" || !strings.Contains(h.Kept[0].Why, "constant wa has elements beyond 65504") || !strings.Contains(h.Kept[1].Why, "va reaches from") {
		t.Errorf("kept %v", h.Kept)
	}
	if lost, _ := apart(t, e, model, s)(t.Context(), h.Model); !(lost < 0.1) {
		t.Errorf("float16 loses %v %%", lost)
	}
	if session, err := e.NewSession("io", h.Model); err != nil || session.Inputs()[0].DType != engine.Float32 || session.Outputs()[0].DType != engine.Float32 {
		t.Errorf("inputs or outputs are no longer float32 (%v)", err)
	}
}

// TestFloat16Labels: labels are decided on logits in float32, which float16 would make equal.
func TestFloat16Labels(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	model := onnxtest.New().In("x", 1, 1, 1, 4, 4).
		Floats("wa", []float32{1, 1}, 2, 1, 1, 1).Floats("ba", []float32{10, 10}, 2).Node("a", "Conv", "x wa ba", "va").
		Floats("sizes", []float32{1, 1, 2, 2}, 4).Floats("roi", nil, 0).Node("up", "Resize", "va roi sizes", "vu", "mode", "linear").
		Node("most", "ArgMax", "vu", "y", "axis", 1, "keepdims", 0).Out("y", 7, 1, 8, 8).Bytes()
	h, err := quantize.Float16(t.Context(), e, model, fed(t, noise(13, 3, 16), 1, 1, 4, 4), always)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnxmodel.Parse(h.Model)
	if err != nil {
		t.Fatal(err)
	}
	by := m.Producers()
	for _, n := range m.Nodes {
		if n.Op == "ArgMax" && by[n.Inputs[0]].Op != "Resize" {
			t.Errorf("labels are taken of what %s %s gives", by[n.Inputs[0]].Op, by[n.Inputs[0]].Name)
		}
	}
}

// TestFloat16Noise: float16 ruins layer b as int8 does, as 100 is of step 1/16 in it.
func TestFloat16Noise(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	model := ruined(500)
	s := fed(t, noise(12, 3, 16), 1, 1, 4, 4)
	measure := apart(t, e, model, s)
	var lost []float64
	h, err := quantize.Float16(t.Context(), e, model, s, func(ctx context.Context, model []byte) (bool, error) {
		x, err := measure(ctx, model)
		lost = append(lost, x)
		return x < 0.5, err
	})
	if err != nil {
		t.Fatal(err)
	}
	nodes := make([]string, len(h.Kept))
	for i, k := range h.Kept {
		nodes[i] = k.Node + ": " + k.Why
	}
	if len(lost) != 2 || lost[0] < 1 || len(nodes) != 3 || nodes[0] != "a: feeds b" || nodes[1] != "ra: feeds b" || !strings.HasPrefix(nodes[2], "b: SQNR") {
		t.Errorf("lost %v, kept %q", lost, nodes)
	}
	if _, err := quantize.Float16(t.Context(), e, model, s, func(context.Context, []byte) (bool, error) { return false, nil }); err == nil || !strings.Contains(err.Error(), "even with all layers in float32") {
		t.Errorf("never enough: %v", err)
	}
}

func TestErrors(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	s := fed(t, noise(11, 2, 16), 1, 1, 4, 4)
	model := ruined(1000)
	q, err := quantize.Int8(t.Context(), e, model, s, options())
	if err != nil {
		t.Fatal(err)
	}
	h, err := quantize.Float16(t.Context(), e, model, s, always)
	if err != nil {
		t.Fatal(err)
	}
	without := onnxtest.New().In("x", 1, 1, 1, 4, 4).Node("r", "Relu", "x", "y").Out("y", 1, 1, 1, 4, 4).Bytes()
	infinite := fed(t, [][]float32{slices.Repeat([]float32{float32(math.Inf(1))}, 16)}, 1, 1, 4, 4)
	for _, tt := range []struct {
		model  []byte
		s      quantize.Samples
		change func(*quantize.Options)
		want   string
	}{
		{q.Model, s, nil, "int8: the model is quantised already"},
		{h.Model, s, nil, "int8: the model is float16 already"},
		{model, quantize.Samples{}, nil, "there are no calibration images"},
		{model, s, func(o *quantize.Options) { o.By = "median" }, `calibration method "median" does not exist; there are minmax, percentile, entropy`},
		{model, s, func(o *quantize.Options) { o.For = "tpu" }, `target "tpu" does not exist`},
		{model, s, func(o *quantize.Options) { o.MaxDrop = -1 }, "is negative"},
		{model[:len(model)/2], s, nil, "not an ONNX model, or a truncated one"},
		{without, s, nil, "no convolution or matrix product"},
		{model, infinite, nil, "is not finite on the calibration images"},
	} {
		o := options()
		if tt.change != nil {
			tt.change(&o)
		}
		if _, err := quantize.Int8(t.Context(), e, tt.model, tt.s, o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("have %v, want %q", err, tt.want)
		}
	}
	if _, err := quantize.Float16(t.Context(), e, h.Model, s, always); err == nil || !strings.Contains(err.Error(), "float16 already") {
		t.Errorf("float16 of float16: %v", err)
	}
	if _, err := quantize.Float16(t.Context(), e, model, quantize.Samples{}, always); err == nil || !strings.Contains(err.Error(), "no images") {
		t.Errorf("float16 without images: %v", err)
	}
}
