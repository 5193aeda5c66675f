package nets

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/graphtest"
)

// tiny has all parts of an encoder at a size that finite differences can walk through.
var tiny = mit{
	widths: [4]int{4, 4, 6, 8}, heads: [4]int{1, 2, 2, 4}, depths: [4]int{1, 1, 1, 1}, mlp: [4]int{2, 2, 2, 2},
	ratios: [4]int{8, 4, 2, 1}, linearStd: publicLinearStd,
}

// array is a float32 slice in the interpreter's form.
func array(x []float32, dims ...int) graphtest.Array {
	a := graphtest.New(dims...)
	for i, v := range x {
		a.Data[i] = float64(v)
	}
	return a
}

// TestGradients checks the gradient of every parameter, and of the image, by finite differences in
// float64: both heads and both inputs of the projector, at a size at which reductions drop columns.
func TestGradients(t *testing.T) {
	for _, c := range []struct{ head, input string }{{"segformer", ProjectConcat}, {"daformer", ProjectLast}} {
		t.Run(c.head+"/"+c.input, func(t *testing.T) {
			a := imageNet(Arch{Encoder: "mit_nano", Head: c.head, Classes: 3, HeadWidth: 3, ProjectorWidth: 4, ProjectorInput: c.input})
			inputs := map[string]graphtest.Array{"image": graphtest.Uniform(rand.New(rand.NewPCG(1, 2)), -2, 2, 2, 3, 29, 33)}
			n, err := declare(a, tiny)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range n.params {
				inputs[p.Name] = array(goldenParam(p), p.Shape...)
			}
			build := func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
				net := newNet(g, a, tiny, teacher{})
				maps.Copy(net.values, in)
				levels := net.Encode(in["image"])
				logits, features := net.Segment(levels), net.Project(levels)
				return g.Concat(0, g.Reshape(logits, -1), g.Reshape(features, -1))
			}
			wrt := slices.Sorted(maps.Keys(inputs))
			graphtest.CheckGradients(t, build, inputs, wrt, 1e-4, graphtest.Samples(1), graphtest.Step(1e-6))
		})
	}
}

// built is a network with its results as outputs.
type built struct {
	graph *graphs.Graph
	net   *Net
}

// whole builds image to levels, logits and features, with batch statistics where there are any.
func whole(t *testing.T, a Arch, m Mode, w func(string) ([]float32, error), n, h, wd int) built {
	t.Helper()
	return wholeOf(t, a, encoders[a.Encoder], newLowering(m, w), n, h, wd)
}

// wholeOf is whole with another encoder than the architecture's.
func wholeOf(t *testing.T, a Arch, e encoder, l lowering, n, h, wd int) built {
	t.Helper()
	var b built
	g, err := graphs.Build("whole", func(g *graphs.Graph) {
		b.net = newNet(g, a, e, l)
		levels := b.net.Encode(b.net.Normalize(g.Input("image", graphs.Float32, n, 3, h, wd)))
		g.Output("logits", b.net.Segment(levels))
		g.Output("features", b.net.Project(levels))
		for i, l := range levels {
			g.Output(fmt.Sprint("level", i), l)
		}
		for _, s := range b.net.BatchStats() {
			g.Output(s.Name+".running_mean", s.Mean)
			g.Output(s.Name+".running_var", s.Var)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	b.graph = g
	return b
}

// start returns the golden parameters and buffers and an image for b, and every noise input filled
// with v.
func (b built) start(v float64) map[string]graphtest.Array {
	in := map[string]graphtest.Array{}
	for _, x := range b.graph.Inputs() {
		switch {
		case x.IsParam():
			in[x.Name()] = array(goldenParam(ParamSpec{Name: x.Name(), Shape: x.Shape()}), x.Shape()...)
		case slices.Contains(b.net.Buffers(), x):
			in[x.Name()] = array(goldenBuffer(x.Name(), x.Shape().Size()), x.Shape()...)
		case x.Name() == "image":
			in[x.Name()] = graphtest.Uniform(rand.New(rand.NewPCG(3, 4)), 0, 255, x.Shape()...)
		default:
			in[x.Name()] = graphtest.Fill(func() float64 { return v }, x.Shape()...)
		}
	}
	return in
}

func TestShapes(t *testing.T) {
	b := whole(t, nano(), Train, nil, 2, 64, 100)
	want := map[string]graphs.Shape{
		"level0": {2, 16, 16, 25}, "level1": {2, 32, 8, 13}, "level2": {2, 64, 4, 7}, "level3": {2, 128, 2, 4},
		"logits": {2, 5, 16, 25}, "features": {2, 8, 16, 25},
	}
	for _, o := range b.graph.Outputs() {
		if w, ok := want[o.Name]; ok && !o.Value.Shape().Equal(w) {
			t.Errorf("%s is %v, want %v", o.Name, o.Value.Shape(), w)
		}
	}
}

// TestTeacherIsTrainWithoutNoise also says that features have length 1.
func TestTeacherIsTrainWithoutNoise(t *testing.T) {
	train, teacher := whole(t, nano(), Train, nil, 2, 32, 45), whole(t, nano(), Teacher, nil, 2, 32, 45)
	if len(teacher.net.Noise()) != 0 || len(teacher.net.BatchStats()) != 0 || len(teacher.graph.Inputs()) != len(teacher.graph.Params())+1 {
		t.Error("the teacher has noise or statistics")
	}
	a, b := graphtest.Run(train.graph, train.start(1)), graphtest.Run(teacher.graph, teacher.start(1))
	for name, y := range b {
		if e := relativeError(a[name].Data, y.Data); !(e < 1e-12) {
			t.Errorf("%s: relative difference %g", name, e)
		}
	}
	f := b["features"]
	for p := range 8 * 12 {
		sum := 0.0
		for c := range 8 {
			v := f.At(1, c, p/12, p%12)
			sum += v * v
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("a feature has squared length %g", sum)
		}
	}
}

// TestNoise checks the inputs of stochastic depth and dropout: rates from 0 at the first block to
// DropPath at the last, and that noise 0 cuts a branch off.
func TestNoise(t *testing.T) {
	a := nano()
	a.DropPath = 0.3
	b := whole(t, a, Train, nil, 2, 32, 32)
	var got []string
	for _, n := range b.net.Noise() {
		got = append(got, fmt.Sprintf("%s %v %.2f", n.Input.Name(), n.Input.Shape(), n.Keep))
	}
	want := []string{"dropout.decode_head [2,16,1,1] 0.90"}
	i := 0
	for s, depth := range mitNano.depths {
		for k := range depth {
			for _, branch := range []string{"attn", "mlp"} {
				if i > 0 {
					want = append(want, fmt.Sprintf("drop_path.%s.%s [2,1,1] %.2f", blockName(s, k), branch, 1-0.05*float64(i)))
				}
			}
			i++
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	level := func(scale float64) []float64 {
		in := b.start(0)
		for i := range in["backbone.block4.1.mlp.fc2.weight"].Data {
			in["backbone.block4.1.mlp.fc2.weight"].Data[i] *= scale
		}
		return graphtest.Run(b.graph, in)["level3"].Data
	}
	if !slices.Equal(level(1), level(2)) {
		t.Error("a dropped branch is seen")
	}
}

// TestDeployEqualsTrain runs both with running statistics that are the batch's: folding changes
// nothing, and the deployable model has ONNX's own operators and no parameters left.
func TestDeployEqualsTrain(t *testing.T) {
	type network struct {
		name string
		enc  encoder
		arch Arch
	}
	var networks []network
	for _, head := range Heads() {
		for _, input := range []string{ProjectConcat, ProjectLast} {
			a := nano()
			a.Head, a.ProjectorInput = head, input
			networks = append(networks, network{"mit_nano/" + head + "/" + input, mitNano, a})
		}
		a := nano()
		a.Encoder, a.Head = "resnet50", head
		networks = append(networks, network{"resnet/" + head, reduced, a})
		a.Encoder = "mobilenet_v2"
		networks = append(networks, network{"inverted/" + head, small(false), a}, network{"same/" + head, small(true), a})
	}
	plain, frozen := nano(), nano()
	plain.Encoder, plain.Stem = "resnet50", StemPlain
	frozen.Encoder, frozen.EncoderBN, frozen.Head = "resnet50", BNFrozen, "deeplabv2"
	networks = append(networks, network{"plain stem", reduced, plain}, network{"frozen", reduced, frozen})
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) { deployEqualsTrain(t, n.arch, n.enc) })
	}
}

func deployEqualsTrain(t *testing.T, a Arch, e encoder) {
	b := wholeOf(t, a, e, train{}, 2, 30, 41)
	start := b.start(1)
	want := graphtest.Run(b.graph, start)
	d := wholeOf(t, a, e, deploy{stored(start, want)}, 2, 30, 41)
	if in := d.graph.Inputs(); len(in) != 1 {
		t.Errorf("%d inputs", len(in))
	}
	for _, n := range d.graph.Nodes() {
		if n.Domain() != "" {
			t.Errorf("%s is no operator of ONNX's own", n.Op())
		}
	}
	got := graphtest.Run(d.graph, map[string]graphtest.Array{"image": start["image"]})
	for name, y := range got {
		if e := relativeError(y.Data, want[name].Data); !(e < 1e-5) {
			t.Errorf("%s: relative difference %g", name, e)
		}
	}
}

// stored looks names up in the maps, one after the other.
func stored(tensors ...map[string]graphtest.Array) func(string) ([]float32, error) {
	return func(name string) ([]float32, error) {
		for _, m := range tensors {
			if a, ok := m[name]; ok {
				out := make([]float32, len(a.Data))
				for i, x := range a.Data {
					out[i] = float32(x)
				}
				return out, nil
			}
		}
		return nil, errors.New("not there")
	}
}

// TestDeployRuns compares the deployable model on ONNX Runtime, after its fusions, with the
// interpreter.
func TestDeployRuns(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	b := whole(t, nano(), Train, nil, 1, 64, 96)
	start := b.start(1)
	d := whole(t, nano(), Deploy, stored(start, graphtest.Run(b.graph, start)), 1, 64, 96)
	image, err := stored(start)("image")
	if err != nil {
		t.Fatal(err)
	}
	got := runGraph(t, e, d.graph, map[string]*engine.Tensor{"image": enginetest.Tensor(t, image, 1, 3, 64, 96)})
	for name, y := range graphtest.Run(d.graph, map[string]graphtest.Array{"image": array(image, 1, 3, 64, 96)}) {
		if e := relativeError(array(got[name], y.Shape...).Data, y.Data); !(e < enginetest.Tolerance(1e-4)) {
			t.Errorf("%s: relative difference %g", name, e)
		}
	}
}

// γ = 2, β = 1, μ = 3, σ² + ε = 4: y = 2(x−3)/2 + 1 = x − 2.
func TestFoldBN(t *testing.T) {
	content := map[string]float32{"b.weight": 2, "b.bias": 1, "b.running_mean": 3, "b.running_var": 4 - bnEps}
	d := deploy{func(name string) ([]float32, error) { return []float32{content[name]}, nil }}
	n := newNet(nil, nano(), tiny, d)
	f := d.fold(n.batchNorm("b", 1))
	if math.Abs(f.scale[0]-1) > 1e-7 || math.Abs(f.offset[0]+2) > 1e-6 {
		t.Errorf("scale %g, offset %g", f.scale[0], f.offset[0])
	}
	w := []float32{1, 2, 3, 4}
	if got := (folded{scale: []float64{2, 10}}).scaleRows(w); !slices.Equal(got, []float32{2, 4, 30, 40}) || w[0] != 1 {
		t.Errorf("rows %v from %v", got, w)
	}
}

func TestBatchStats(t *testing.T) {
	b := whole(t, nano(), Train, nil, 2, 32, 32)
	stats := b.net.BatchStats()
	if len(stats) != 3 || stats[0].Name != "decode_head.linear_fuse.bn" || stats[0].Count != 2*8*8 {
		t.Fatalf("got %v", stats)
	}
	if got := stats[0].Unbias(); math.Abs(got-128.0/127) > 1e-15 {
		t.Errorf("factor %g", got)
	}
	if got := (BatchStat{Count: 1}).Unbias(); got != 1 {
		t.Errorf("factor %g for one element", got)
	}
}

// TestPartsMayRepeat applies a network to two images: parameters are shared, noise is not.
func TestPartsMayRepeat(t *testing.T) {
	g, err := graphs.Build("twice", func(g *graphs.Graph) {
		net := New(g, nano(), Train, nil)
		for i := range 2 {
			g.Output(fmt.Sprint("logits", i), net.Segment(net.Encode(g.Input(fmt.Sprint("image", i), graphs.Float32, 1, 3, 32, 32))))
		}
		if got := net.Noise(); got[len(got)-1].Input.Name() != "dropout.decode_head#2" {
			t.Errorf("last noise is %s", got[len(got)-1].Input.Name())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	specs, err := nano().Params()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range specs { // the projector is not used, so its parameters are not declared
		if declared := slices.ContainsFunc(g.Params(), func(v *graphs.Value) bool { return v.Name() == p.Name }); declared == strings.HasPrefix(p.Name, "projector.") {
			t.Errorf("%s: declared is %t", p.Name, declared)
		}
	}
}

func TestBuildingIsDeterministic(t *testing.T) {
	var models [2][]byte
	for i := range models {
		m, err := whole(t, nano(), Train, nil, 1, 32, 32).graph.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		models[i] = m
	}
	if !bytes.Equal(models[0], models[1]) {
		t.Error("two builds differ")
	}
}

func TestErrors(t *testing.T) {
	none := func(string) ([]float32, error) { return nil, errors.New("no such tensor") }
	short := func(string) ([]float32, error) { return []float32{1}, nil }
	image := func(g *graphs.Graph, dims ...int) *graphs.Value { return g.Input("image", graphs.Float32, dims...) }
	for _, c := range []struct {
		name string
		f    func(g *graphs.Graph)
		want string
	}{
		{"architecture", func(g *graphs.Graph) { New(g, Arch{Encoder: "x"}, Train, nil) }, `encoder "x" does not exist`},
		{"small", func(g *graphs.Graph) { New(g, nano(), Train, nil).Encode(image(g, 1, 3, 28, 64)) }, "smaller than mit_nano can take: 29×29 pixels at least"},
		{"channels", func(g *graphs.Graph) { New(g, nano(), Train, nil).Encode(image(g, 1, 4, 64, 64)) }, "want float32 [N,3,H,W]"},
		{"raw", func(g *graphs.Graph) { New(g, nano(), Train, nil).Normalize(image(g, 3, 64, 64)) }, "want float32 [N,3,H,W]"},
		{"levels", func(g *graphs.Graph) { New(g, nano(), Train, nil).Segment([]*graphs.Value{image(g, 1, 16, 8, 8)}) }, "want the levels that Encode has returned for mit_nano"},
		{"projector", func(g *graphs.Graph) {
			a := nano()
			a.ProjectorWidth = 0
			n := New(g, a, Train, nil)
			n.Project(n.Encode(image(g, 1, 3, 64, 64)))
		}, "has no projector"},
		{"no weights", func(g *graphs.Graph) { New(g, nano(), Deploy, nil) }, "mode Deploy needs weights"},
		{"missing", func(g *graphs.Graph) { New(g, nano(), Deploy, none).Encode(image(g, 1, 3, 64, 64)) }, "(backbone.patch_embed1.proj.weight) of [16,3,7,7]: no such tensor"},
		{"short", func(g *graphs.Graph) { New(g, nano(), Deploy, short).Encode(image(g, 1, 3, 64, 64)) }, "of [16,3,7,7]: 1 elements"},
	} {
		_, err := graphs.Build(c.name, c.f)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want it to say %q", c.name, err, c.want)
		}
	}
}
