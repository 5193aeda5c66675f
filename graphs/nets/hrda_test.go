package nets

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
	"t2sda/graphs/weights"
)

// hrda is a small network of two resolutions; its images have 64×96 pixels.
func hrda() Arch {
	a := nano()
	a.Classes, a.HeadWidth, a.ProjectorWidth, a.DropPath, a.Dropout = 3, 4, 4, 0, 0
	a.DetailHeight, a.DetailWidth, a.AttentionWidth = 32, 48, 5
	return a
}

const hrdaHeight, hrdaWidth = 64, 96

// goldenHRDA reads the values of testdata/golden_hrda.py.
func goldenHRDA(t *testing.T) map[string]weights.Tensor {
	t.Helper()
	tensors, _, err := weights.Load(filepath.Join("testdata", "golden_hrda.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]weights.Tensor{}
	for _, x := range tensors {
		byName[x.Name] = x
	}
	return byName
}

// evaluate builds a value of drawn inputs and computes it in float64.
func evaluate(t *testing.T, inputs map[string]graphtest.Array, build func(g *graphs.Graph, in func(name string, dims ...int) *graphs.Value) *graphs.Value) graphtest.Array {
	t.Helper()
	var y *graphs.Value
	g, err := graphs.Build("hrda", func(g *graphs.Graph) {
		y = build(g, func(name string, dims ...int) *graphs.Value {
			if _, given := inputs[name]; !given {
				x := graphtest.New(dims...)
				copy(x.Data, draw("hrda."+name, len(x.Data)))
				inputs[name] = x
			}
			return g.Input(name, graphs.Float32, dims...)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return graphtest.Evaluate(g, inputs, y)[0]
}

// equal compares with golden values.
func equal(t *testing.T, what string, have []float64, want []float32) {
	t.Helper()
	if len(have) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(have), len(want))
	}
	for i, x := range have {
		if math.Abs(x-float64(want[i])) > 1e-6 {
			t.Fatalf("%s: element %d is %g, want %g", what, i, x, want[i])
		}
	}
}

// placed are the matrices of a detail of 4×6 positions at the second row and fourth column
// of positions of 8×12, and the part of a context of 4×6 that it covers.
func placed() map[string]graphtest.Array {
	rows, columns, inside := graphtest.New(8, 4), graphtest.New(6, 12), graphtest.New(1, 1, 4, 6)
	for i := range 4 {
		rows.Data[(2+i)*4+i] = 1
	}
	for i := range 6 {
		columns.Data[i*12+4+i] = 1
	}
	for y := 1; y < 3; y++ {
		for x := 2; x < 5; x++ {
			inside.Data[y*6+x] = 1
		}
	}
	return map[string]graphtest.Array{"rows": rows, "columns": columns, "inside": inside}
}

// fused builds Fuse of drawn logits, and of the attention that f makes of drawn ones.
func fused(f func(g *graphs.Graph, x *graphs.Value) *graphs.Value) func(g *graphs.Graph, in func(name string, dims ...int) *graphs.Value) *graphs.Value {
	return func(g *graphs.Graph, in func(name string, dims ...int) *graphs.Value) *graphs.Value {
		place := Placement{in("rows", 8, 4), in("columns", 6, 12), in("inside", 1, 1, 4, 6)}
		return Fuse(in("context", 2, 3, 4, 6), in("detail", 2, 3, 4, 6), f(g, in("attention", 2, 3, 4, 6)), place)
	}
}

// TestFusionIsPyTorchs compares fusion, windows and attention with reference values.
func TestFusionIsPyTorchs(t *testing.T) {
	golden := goldenHRDA(t)
	y := evaluate(t, placed(), fused(func(g *graphs.Graph, x *graphs.Value) *graphs.Value { return g.Sigmoid(x) }))
	equal(t, "fused", y.Data, golden["fused"].Data)

	for _, size := range [][2]int{{32, 48}, {40, 56}, {16, 24}} {
		name := fmt.Sprintf("windows.%dx%d", size[0], size[1])
		rows, columns := halfOver(size[0], 16), halfOver(size[1], 24)
		for axis, starts := range map[string][]int{".rows": rows, ".columns": columns} {
			var have []float64
			for _, at := range starts {
				have = append(have, float64(at))
			}
			equal(t, name+axis, have, golden[name+axis].Data)
		}
		y := evaluate(t, map[string]graphtest.Array{}, func(_ *graphs.Graph, in func(name string, dims ...int) *graphs.Value) *graphs.Value {
			return averaged(in(name, len(rows)*len(columns)*2, 3, 4, 6), rows, columns, [2]int{16, 24}, size)
		})
		equal(t, name, y.Data, golden[name].Data)
	}

	a := hrda()
	params := map[string]graphtest.Array{}
	y = evaluate(t, params, func(g *graphs.Graph, in func(name string, dims ...int) *graphs.Value) *graphs.Value {
		n := newNet(g, a, tiny, teacher{})
		var levels []*graphs.Value
		for i, c := range tiny.widths {
			levels = append(levels, in(fmt.Sprintf("level%d", i), 2, c, 8>>i, 16>>i))
		}
		n.levels = channels(levels)
		y := n.Attention(levels, levels[0])
		for _, p := range n.params {
			params[p.Name] = array(goldenParam(p), p.Shape...)
		}
		return y
	})
	equal(t, "attention", y.Data, golden["attention"].Data)
}

// TestFuseLimits: without attention the context alone is left, whatever the detail; with
// all of it, inside of the detail, the detail is.
func TestFuseLimits(t *testing.T) {
	inputs := placed()
	context := evaluate(t, inputs, func(g *graphs.Graph, in func(name string, dims ...int) *graphs.Value) *graphs.Value {
		return g.Resize(in("context", 2, 3, 4, 6), 8, 12, "linear")
	})
	constant := func(v float32) func(g *graphs.Graph, x *graphs.Value) *graphs.Value {
		return func(g *graphs.Graph, x *graphs.Value) *graphs.Value {
			return g.Add(g.Mul(x, g.Scalar(0)), g.Scalar(v))
		}
	}
	if none := evaluate(t, inputs, fused(constant(0))); !slices.Equal(none.Data, context.Data) {
		t.Error("without attention details change what is seen")
	}
	whole := maps.Clone(inputs)
	whole["inside"] = graphtest.Fill(func() float64 { return 1 }, 1, 1, 4, 6)
	all := evaluate(t, whole, fused(constant(1)))
	for k := range all.Data {
		n, y, x := k/96, k/12%8, k%12
		want := 0.0
		if y >= 2 && y < 6 && x >= 4 && x < 10 {
			want = inputs["detail"].Data[n*24+(y-2)*6+x-4]
		}
		if all.Data[k] != want {
			t.Fatalf("position %d,%d: %g, want %g", y, x, all.Data[k], want)
		}
	}
}

// predicted builds the logits of images of n of hrda's size, and what f wants beside them.
func predicted(a Arch, l lowering, count int, f func(n *Net, x *graphs.Value, levels []*graphs.Value)) (*graphs.Graph, *Net, error) {
	var n *Net
	g, err := graphs.Build("hrda", func(g *graphs.Graph) {
		n = newNet(g, a, tiny, l)
		x := n.Normalize(g.Input("image", graphs.Float32, count, 3, hrdaHeight, hrdaWidth))
		levels := n.Encode(n.Context(x))
		g.Output("logits", n.Predict(x, levels))
		if f != nil {
			f(n, x, levels)
		}
	})
	return g, n, err
}

// TestContextAlone: a network whose attention is 0 is the network of one resolution, on
// images of half the size, enlarged.
func TestContextAlone(t *testing.T) {
	g, n, err := predicted(hrda(), teacher{}, 2, func(n *Net, _ *graphs.Value, levels []*graphs.Value) {
		context := n.Segment(levels)
		n.g.Output("context", n.g.Resize(context, 2*context.Dim(2), 2*context.Dim(3), "linear"))
		n.g.Output("attention", n.Attention(levels, context))
	})
	if err != nil {
		t.Fatal(err)
	}
	b := built{g, n}
	in := b.start(0)
	some := graphtest.Run(g, in)
	if e := relativeError(some["logits"].Data, some["context"].Data); !(e > 1e-3) {
		t.Errorf("details change nothing: %g", e)
	}
	for i := range in["scale_attention.conv_seg.bias"].Data {
		in["scale_attention.conv_seg.bias"].Data[i] = -1000
	}
	none := graphtest.Run(g, in)
	if slices.Max(none["attention"].Data) != 0 || !slices.Equal(none["logits"].Data, none["context"].Data) {
		t.Error("without attention it is another network")
	}
}

// TestHRDAIsDeployed: the deployable network is the settled one, with ONNX's own operators,
// for one image and for several; of which each is as if it were alone.
func TestHRDAIsDeployed(t *testing.T) {
	for _, head := range []string{"segformer", "daformer"} {
		a := hrda()
		a.Head = head
		g, n, err := predicted(a, settled{}, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		start := (built{g, n}).start(1)
		want := graphtest.Run(g, start)["logits"]
		d, _, err := predicted(a, deploy{stored(start)}, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range d.Nodes() {
			if node.Domain() != "" {
				t.Errorf("%s is no operator of ONNX's own", node.Op())
			}
		}
		have := graphtest.Run(d, map[string]graphtest.Array{"image": start["image"]})["logits"]
		if e := relativeError(have.Data, want.Data); !(e < 1e-5) {
			t.Errorf("%s: relative difference %g", head, e)
		}
		if one, _, err := predicted(a, deploy{stored(start)}, 1, nil); err == nil {
			second := graphtest.New(1, 3, hrdaHeight, hrdaWidth)
			copy(second.Data, start["image"].Data[len(second.Data):])
			alone := graphtest.Run(one, map[string]graphtest.Array{"image": second})["logits"]
			if e := relativeError(alone.Data, have.Data[len(alone.Data):]); !(e < 1e-12) {
				t.Errorf("%s: an image alone differs by %g", head, e)
			}
		} else {
			t.Fatal(err)
		}
	}
}

// TestHRDAGradients checks gradients through windows, fusion and attention by finite
// differences.
func TestHRDAGradients(t *testing.T) {
	a := hrda()
	n, err := declare(a, tiny)
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]graphtest.Array{"image": graphtest.Uniform(rand.New(rand.NewPCG(1, 2)), -2, 2, 1, 3, hrdaHeight, hrdaWidth)}
	for _, p := range n.params {
		if !strings.HasPrefix(p.Name, "projector.") {
			inputs[p.Name] = array(goldenParam(p), p.Shape...)
		}
	}
	build := func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
		net := newNet(g, a, tiny, teacher{})
		maps.Copy(net.values, in)
		return net.Predict(in["image"], net.Encode(net.Context(in["image"])))
	}
	wrt := []string{
		"image", "backbone.patch_embed1.proj.weight", "decode_head.linear_fuse.bn.weight", "decode_head.linear_pred.weight",
		"scale_attention.embed_layers.2.proj.weight", "scale_attention.fuse_layer.conv.weight", "scale_attention.conv_seg.weight",
	}
	graphtest.CheckGradients(t, build, inputs, wrt, 1e-4, graphtest.Samples(1), graphtest.Step(1e-6))
}

// TestFoldedOnce: what a head that sees context and details multiplies by is in the
// deployable graph once.
func TestFoldedOnce(t *testing.T) {
	g, n, err := predicted(hrda(), settled{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, n, err := predicted(hrda(), deploy{stored((built{g, n}).start(1))}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	fuse := n.values["decode_head.linear_fuse.conv.weight folded"]
	if fuse == nil {
		t.Fatal("the head's fusion is not folded")
	}
	data, _ := fuse.Constant()
	constants := map[*graphs.Value]bool{}
	for _, node := range d.Nodes() {
		for _, in := range node.Inputs() {
			if in == nil {
				continue
			}
			if have, _ := in.Constant(); slices.Equal(have, data) {
				constants[in] = true
			}
		}
	}
	if len(constants) != 1 {
		t.Errorf("it is there %d times", len(constants))
	}
}

// TestDetailStep: what sizes must be multiples of, and what is said of those that are not.
func TestDetailStep(t *testing.T) {
	deeplab := hrda()
	deeplab.Encoder, deeplab.Head, deeplab.HeadWidth = "resnet50", "deeplabv2", 0
	for name, c := range map[string]struct {
		arch Arch
		want int
	}{"mit": {hrda(), 8}, "resnet": {deeplab, 16}} {
		if have, err := c.arch.DetailStep(); err != nil || have != c.want {
			t.Errorf("%s: %d, %v; want %d", name, have, err, c.want)
		}
	}
	plain, vit := nano(), hrda()
	vit.Encoder, vit.Head = "dinov2_nano", "linear"
	half, narrow, wide := hrda(), hrda(), hrda()
	wide.DetailWidth = 104
	half.DetailHeight = 0
	narrow.AttentionWidth = 0
	odd, tinyDetail := hrda(), hrda()
	odd.DetailWidth, tinyDetail.DetailWidth = 36, 24
	if err := plain.CheckDetails(7, 5); err != nil {
		t.Error(err)
	}
	exact := hrda()
	exact.DetailWidth, exact.DetailHeight = 96, 64
	if err := exact.CheckDetails(96, 64); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		arch          Arch
		width, height int
		want          string
	}{
		{hrda(), 100, 64, "an image of 100×64 pixels: want multiples of 8 (twice the stride of the logits) where there are details"},
		{tinyDetail, 96, 64, "details have 24×32 pixels, mit_nano takes 29×29 at least"},
		{hrda(), 96, 56, "an image of 96×56 pixels: mit_nano takes 29×29 at least, of half of it"},
		{wide, 64, 64, "details of 104×32 pixels are larger than an image of 64×64"},
		{wide, 96, 64, "details of 104×32 pixels are larger than an image of 96×64"},
		{odd, 96, 64, "details have 36×32 pixels, want multiples of 8 (twice the stride of the logits)"},
		{half, 96, 64, "details have 48×0 pixels: give both width and height, or 0×0 for none"},
		{narrow, 96, 64, "attention width is 0, must be at least 1"},
		{vit, 112, 112, "details need logits of a whole stride; those of dinov2_nano with head linear have 37 positions of 512 pixels"},
	} {
		if err := c.arch.CheckDetails(c.width, c.height); err == nil || err.Error() != c.want {
			t.Errorf("have %v, want %s", err, c.want)
		}
	}
	if _, err := plain.DetailStep(); err == nil {
		t.Error("a network without details has a step")
	}
	_, err := graphs.Build("odd", func(g *graphs.Graph) {
		n := New(g, hrda(), Teacher, nil)
		n.Logits(g.Input("image", graphs.Float32, 1, 3, 64, 100))
	})
	if err == nil || !strings.Contains(err.Error(), "Predict (") || !strings.Contains(err.Error(), "multiples of 8") {
		t.Errorf("have %v", err)
	}
}
