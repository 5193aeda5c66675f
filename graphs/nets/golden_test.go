package nets

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/graphtest"
	"t2sda/graphs/weights"
)

// golden values come from PyTorch: testdata/golden.py says how.

const goldenTolerance = 1e-4

// draw returns n numbers in [-1,1), the generator of golden.py: FNV-1a of the name, then SplitMix64
// counted from it; the upper 24 bits.
func draw(name string, n int) []float64 {
	h := uint64(0xcbf29ce484222325)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	out := make([]float64, n)
	for i := range out {
		h += 0x9e3779b97f4a7c15
		z := (h ^ h>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		out[i] = float64(z>>40)/(1<<23) - 1
	}
	return out
}

func drawFloats(name string, n int) []float32 {
	out := make([]float32, n)
	for i, x := range draw(name, n) {
		out[i] = float32(x)
	}
	return out
}

// goldenParam is golden.py's `weight`: scales near 1, shifts and biases small, weights of variance
// 1/fan_in.
func goldenParam(p ParamSpec) []float32 {
	n := p.Shape.Size()
	scale, offset := math.Sqrt(3*float64(p.Shape[0])/float64(n)), 0.0
	if len(p.Shape) == 1 {
		scale = 0.2
		if strings.HasSuffix(p.Name, ".weight") {
			scale, offset = 0.3, 1
		}
	}
	out := make([]float32, n)
	for i, u := range draw(p.Name, n) {
		out[i] = float32(offset + scale*u)
	}
	return out
}

// compact is golden.py's: a vector's norm and its projections on 16 random directions.
func compact(name string, x []float32) (norm float64, projections [16]float64) {
	r := draw("projection."+name, 16*len(x))
	for i, v := range x {
		norm += float64(v) * float64(v)
		for k := range projections {
			projections[k] += float64(v) * r[k*len(x)+i] * math.Sqrt(3)
		}
	}
	return math.Sqrt(norm), projections
}

// goldenBuffer is golden_resnet.py's `buffer`: variances and scales near 1, means and shifts small.
func goldenBuffer(name string, n int) []float32 {
	scale, offset := 0.2, 0.0
	if strings.HasSuffix(name, ".weight") || strings.HasSuffix(name, ".running_var") {
		scale, offset = 0.3, 1
	}
	out := make([]float32, n)
	for i, u := range draw(name, n) {
		out[i] = float32(offset + scale*u)
	}
	return out
}

type goldenCase struct {
	name    string
	file    string // in testdata
	enc     encoder
	arch    Arch
	n, h, w int
}

func imageNet(a Arch) Arch {
	a.Mean, a.Std = [3]float32{123.675, 116.28, 103.53}, [3]float32{58.395, 57.12, 57.375}
	return a
}

// reduced is golden_resnet.py's: torchvision's ResNet-50, narrower and shallower.
var reduced = resnet{8, [4]int{1, 2, 2, 2}}

// reducedViT is golden_dinov2.py's: facebookresearch/dinov2's network, narrower and shallower.
func reducedViT(registers int) dinov2 { return dinov2{32, 2, 4, registers, 4, publicLinearStd} }

func goldenCases() []goldenCase {
	const mit, resnet, mobile = "golden.safetensors", "golden_resnet.safetensors", "golden_inverted.safetensors"
	const vit = "golden_dinov2.safetensors"
	b0 := encoders["mit_b0"].encoder
	return []goldenCase{
		{"daformer", mit, b0, Arch{Encoder: "mit_b0", Head: "daformer", Classes: 19, HeadWidth: 64, ProjectorWidth: 32, ProjectorInput: ProjectConcat}, 2, 64, 96},
		{"segformer", mit, b0, Arch{Encoder: "mit_b0", Head: "segformer", Classes: 11, HeadWidth: 48, ProjectorWidth: 24, ProjectorInput: ProjectConcat}, 2, 53, 75},
		{"last", mit, b0, Arch{Encoder: "mit_b0", Head: "segformer", Classes: 3, HeadWidth: 32, ProjectorWidth: 16, ProjectorInput: ProjectLast}, 3, 37, 64},
		{"plain", resnet, reduced, Arch{Encoder: "resnet50", Stem: StemPlain, Head: "deeplabv2", Classes: 19, ProjectorWidth: 24, ProjectorInput: ProjectLast}, 2, 64, 96},
		{"deep", resnet, reduced, Arch{Encoder: "resnet50", Head: "deeplabv2", Dilations: []int{6, 12, 18, 24}, Classes: 5, ProjectorWidth: 16, ProjectorInput: ProjectConcat}, 2, 53, 75},
		{"frozen", resnet, reduced, Arch{Encoder: "resnet50", EncoderBN: BNFrozen, Head: "deeplabv2", Classes: 5, ProjectorWidth: 16, ProjectorInput: ProjectLast}, 2, 53, 75},
		{"mobilenet", mobile, mobileNetV2, Arch{Encoder: "mobilenet_v2", Head: "lraspp", Classes: 11, HeadWidth: 32, ProjectorWidth: 24, ProjectorInput: ProjectConcat}, 2, 37, 43},
		{"mobilenet_frozen", mobile, mobileNetV2, Arch{Encoder: "mobilenet_v2", EncoderBN: BNFrozen, Head: "lraspp", Classes: 5, HeadWidth: 16, ProjectorWidth: 16, ProjectorInput: ProjectLast}, 2, 53, 75},
		{"lite", mobile, efficientNetLite0, Arch{Encoder: "efficientnet_lite0", Head: "lraspp", Classes: 5, HeadWidth: 16, ProjectorWidth: 16, ProjectorInput: ProjectConcat}, 2, 37, 43},
		{"lite_frozen", mobile, efficientNetLite0, Arch{Encoder: "efficientnet_lite0", EncoderBN: BNFrozen, Head: "lraspp", Classes: 11, HeadWidth: 48, ProjectorWidth: 16, ProjectorInput: ProjectLast}, 2, 53, 75},
		{"vit", vit, reducedViT(0), Arch{Encoder: "dinov2_vits14", Head: "segformer", Classes: 11, HeadWidth: 48, ProjectorWidth: 24, ProjectorInput: ProjectConcat}, 2, 53, 75},
		{"registers", vit, reducedViT(4), Arch{Encoder: "dinov2_vits14_reg", Head: "linear", Classes: 5, ProjectorWidth: 16, ProjectorInput: ProjectLast}, 2, 42, 98},
		{"square", vit, reducedViT(0), Arch{Encoder: "dinov2_vits14", Head: "linear", Classes: 3, ProjectorWidth: 16, ProjectorInput: ProjectConcat}, 2, 56, 56},
		{"lora", vit, reducedViT(0), Arch{Encoder: "dinov2_vits14", EncoderTrain: TrainLoRA, LoRARank: 3, LoRAAlpha: 6, Head: "segformer", Classes: 5, HeadWidth: 32, ProjectorWidth: 16, ProjectorInput: ProjectLast}, 2, 53, 75},
	}
}

// TestGolden compares forward values, batch statistics and all gradients of MiT-B0 with both heads
// and the projector, of reduced ResNets with DeepLabV2's head, of MobileNetV2 and
// EfficientNet-Lite0 with LR-ASPP, and of reduced DINOv2 encoders, on ONNX Runtime in float32, with
// PyTorch's in float64.
func TestGolden(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, c := range goldenCases() {
		t.Run(c.name, func(t *testing.T) {
			tensors, _, err := weights.Load(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string][]float32{}
			for _, x := range tensors {
				want[x.Name] = x.Data
			}
			c.arch.Mean, c.arch.Std = Input(c.arch.Encoder)
			run := c.run
			if c.exact() {
				run = c.interpret
			}
			c.check(t, run(t, e), want)
		})
	}
}

// exact reports whether float32 does not do: some fifty batch norms one after the other, the last
// over a handful of elements, make of its rounding errors ones a thousand times as large, and of
// those ReLUs on the other side of 0. The interpreter computes in float64.
func (c goldenCase) exact() bool {
	_, ok := c.enc.(inverted)
	return ok && c.arch.EncoderBN != BNFrozen
}

// graph builds the case's values and gradients.
func (c goldenCase) graph(t *testing.T) (g *graphs.Graph, net *Net) {
	t.Helper()
	g, err := graphs.Build("golden", func(g *graphs.Graph) {
		net = newNet(g, c.arch, c.enc, train{})
		levels := net.Encode(net.Normalize(g.Input("image", graphs.Float32, c.n, 3, c.h, c.w)))
		logits, features := net.Segment(levels), net.Project(levels)
		loss := g.Add(weighted(g, logits, "cotangent.logits"), weighted(g, features, "cotangent.features"))
		params := g.Params()
		for i, d := range graphs.Gradients(loss, params...) {
			g.Output("grad."+params[i].Name(), d)
		}
		g.Output("logits", logits)
		g.Output("features", features)
		for i, l := range levels {
			g.Output(fmt.Sprintf("level%d", i), l)
		}
		for _, s := range net.BatchStats() {
			g.Output("mean."+s.Name, s.Mean)
			g.Output("var."+s.Name, s.Var)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, net
}

// inputs returns the image, parameters and buffers of golden.py.
func (c goldenCase) inputs(g *graphs.Graph, net *Net) map[string][]float32 {
	image := make([]float32, c.n*3*c.h*c.w)
	for i, u := range draw("image", len(image)) {
		image[i] = float32((u + 1) * 127.5)
	}
	in := map[string][]float32{"image": image}
	for _, v := range g.Params() {
		in[v.Name()] = goldenParam(ParamSpec{Name: v.Name(), Shape: v.Shape()})
	}
	for _, v := range net.Buffers() {
		in[v.Name()] = goldenBuffer(v.Name(), v.Shape().Size())
		if c.arch.fixesEncoder() {
			in[v.Name()] = goldenParam(ParamSpec{Name: v.Name(), Shape: v.Shape()})
		}
	}
	return in
}

// run returns all outputs of the case's graph, computed by ONNX Runtime.
func (c goldenCase) run(t *testing.T, e *engine.Engine) map[string][]float32 {
	t.Helper()
	g, net := c.graph(t)
	content, inputs := c.inputs(g, net), map[string]*engine.Tensor{}
	for _, v := range g.Inputs() {
		inputs[v.Name()] = enginetest.Tensor(t, content[v.Name()], v.Shape()...)
	}
	return runGraph(t, e, g, inputs)
}

// interpret is run in float64.
func (c goldenCase) interpret(t *testing.T, _ *engine.Engine) map[string][]float32 {
	t.Helper()
	g, net := c.graph(t)
	content, inputs, out := c.inputs(g, net), map[string]graphtest.Array{}, map[string][]float32{}
	for _, v := range g.Inputs() {
		inputs[v.Name()] = array(content[v.Name()], v.Shape()...)
	}
	for name, a := range graphtest.Run(g, inputs) {
		out[name] = make([]float32, len(a.Data))
		for i, x := range a.Data {
			out[name][i] = float32(x)
		}
	}
	return out
}

// check compares got with the case's golden values. Errors are relative to the norm of the tensor,
// but at least to 1e-4 of the largest among the gradients: that concerns the gradients that are
// exactly 0 (of what only shifts a batch norm's input: the SegFormer head's linear biases, the last
// stage's norm4.bias) and in float32 are rounding errors; all others are above 4e-4 of the largest.
func (c goldenCase) check(t *testing.T, got, want map[string][]float32) {
	checked, largest, worst := 0, 0.0, 0.0
	for name, w := range want {
		if strings.HasPrefix(name, c.name+".grad.") {
			largest = max(largest, float64(w[0]))
		}
	}
	for full, w := range want {
		name, ours := strings.CutPrefix(full, c.name+".")
		if !ours {
			continue
		}
		checked++
		g, ok := got[name]
		if !ok {
			t.Errorf("no output %s", name)
			continue
		}
		var e float64
		if name == "logits" || name == "features" {
			e = relativeError(g, w)
		} else {
			e = projectedError(name, g, w, largest*1e-4)
		}
		worst = max(worst, e)
		if !(e <= enginetest.Tolerance(goldenTolerance)) {
			t.Errorf("%s: relative error %.2g", name, e)
		}
	}
	if checked != len(got) {
		t.Errorf("%d golden values for %d outputs", checked, len(got))
	}
	t.Logf("%d tensors, worst relative error %.2g", checked, worst)
}

// projectedError estimates ‖got − want‖ / max(‖want‖, floor) from the norm and projections of want.
func projectedError(name string, got, want []float32, floor float64) float64 {
	key := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "grad."), "mean."), "var.")
	norm, projections := compact(key, got)
	e := math.Abs(norm - float64(want[0]))
	sum := 0.0
	for k, p := range projections {
		d := p - float64(want[1+k])
		sum += d * d
	}
	return max(e, math.Sqrt(sum/16)) / max(float64(want[0]), floor)
}

// relativeError is ‖got − want‖ / ‖want‖.
func relativeError[T float32 | float64](got, want []T) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var d, n float64
	for i := range got {
		d += float64(got[i]-want[i]) * float64(got[i]-want[i])
		n += float64(want[i]) * float64(want[i])
	}
	return math.Sqrt(d / n)
}

// weighted returns the sum of v's elements times the numbers drawn under name.
func weighted(g *graphs.Graph, v *value, name string) *value {
	c := g.Floats(drawFloats(name, v.Shape().Size()), v.Shape()...)
	return g.ReduceSum(g.Mul(v, c), nil, false)
}

// runGraph runs g once and returns its outputs.
func runGraph(t testing.TB, e *engine.Engine, g *graphs.Graph, inputs map[string]*engine.Tensor) map[string][]float32 {
	t.Helper()
	model, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.NewSession(g.Name(), model)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(context.Background(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]float32{}
	for name, x := range out {
		values[name] = x.Floats()
	}
	return values
}
