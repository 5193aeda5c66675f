package nets

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/graphtest"
)

// term is a network's two results, each times a cotangent, and the gradients by all parameters.
type term struct {
	graph *graphs.Graph
	net   *Net
}

func newTerm(t *testing.T, a Arch, e encoder, derive func(loss *graphs.Value, wrt ...*graphs.Value) []*graphs.Value) term {
	t.Helper()
	var x term
	var err error
	x.graph, err = graphs.Build("term", func(g *graphs.Graph) {
		x.net = newNet(g, a, e, train{})
		levels := x.net.Encode(x.net.Normalize(g.Input("image", graphs.Float32, 2, 3, 48, 48)))
		loss := g.Add(weighted(g, x.net.Segment(levels), "cotangent.logits"), weighted(g, x.net.Project(levels), "cotangent.features"))
		g.Output("loss", loss)
		params := g.Params()
		for i, d := range derive(loss, params...) {
			g.Output("grad/"+params[i].Name(), g.Add(g.Input("sum/"+params[i].Name(), graphs.Float32, params[i].Shape()...), d))
		}
		for _, s := range x.net.BatchStats() {
			g.Output("mean/"+s.Name, s.Mean)
			g.Output("var/"+s.Name, s.Var)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// run runs the term in ONNX Runtime and returns its outputs, and the nodes' names in the order of
// their execution.
func (x term) run(t *testing.T) (out map[string]*engine.Tensor, order []string) {
	t.Helper()
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1, ProfilePrefix: filepath.Join(t.TempDir(), "run")})
	s := enginetest.Session(t, e, x.graph)
	in := map[string]*engine.Tensor{}
	for _, v := range x.graph.Inputs() {
		data := drawFloats(v.Name(), v.Shape().Size())
		if strings.HasPrefix(v.Name(), "drop") { // a value that is neither 0 nor 1
			for i := range data {
				data[i] = 1.5
			}
		}
		in[v.Name()] = enginetest.Tensor(t, data, v.Shape()...)
	}
	out, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return out, executed(t, s.ProfileFile())
}

// executed returns the names of a profile's nodes in their order.
func executed(t *testing.T, file string) (names []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var events []struct{ Cat, Name string }
	if err := json.Unmarshal(data, &events); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if name, ok := strings.CutSuffix(e.Name, "_kernel_time"); ok && e.Cat == "Node" {
			names = append(names, name)
		}
	}
	return names
}

// recomputed are small networks with every kind of block.
var recomputed = []struct {
	arch Arch
	enc  encoder // not the architecture's
	less float64 // the share of the live memory that is left, at most
}{
	{Arch{Encoder: "mit_nano", Head: "daformer", HeadWidth: 16}, nil, 0.8},
	{Arch{Encoder: "dinov2_nano", Head: "linear"}, nil, 0.8},
	{Arch{Encoder: "dinov2_nano", Head: "linear", EncoderTrain: TrainLoRA, LoRARank: 2, LoRAAlpha: 2}, nil, 0.8},
	{Arch{Encoder: "resnet_nano", Head: "deeplabv2"}, nil, 0.85},
	{Arch{Encoder: "mobilenet_v2", Head: "lraspp", HeadWidth: 16}, small(true), 0.9},
}

// TestRecomputed: with recomputation ONNX Runtime gives the same loss, gradients and statistics to
// the bit, has less memory alive in the order in which it runs the nodes, and runs every copy.
func TestRecomputed(t *testing.T) {
	for _, c := range recomputed {
		a := c.arch
		a.Classes, a.ProjectorWidth, a.ProjectorInput, a.DropPath, a.Dropout = 5, 8, ProjectLast, 0.2, 0.1
		t.Run(fmt.Sprint(a.Encoder, "/", a.Head, a.EncoderTrain), func(t *testing.T) {
			a = imageNet(a)
			e := c.enc
			if e == nil {
				e = encoders[a.Encoder]
			}
			plain, again := newTerm(t, a, e, graphs.Gradients), newTerm(t, a, e, graphs.Recomputed)
			want, before := plain.run(t)
			got, after := again.run(t)
			if len(want) != len(got) || len(plain.net.BatchStats()) != len(again.net.BatchStats()) || len(plain.net.Noise()) != len(again.net.Noise()) {
				t.Error("other outputs, statistics or noise")
			}
			for name, x := range want {
				if i := differs(x.Floats(), got[name].Floats()); i >= 0 {
					t.Errorf("%s[%d] is %g, without recomputation %g", name, i, got[name].Floats()[i], x.Floats()[i])
				}
			}
			was, is := graphtest.Peak(plain.graph, before), graphtest.Peak(again.graph, after)
			t.Logf("%d → %d bytes, %d → %d nodes", was, is, len(before), len(after))
			if float64(is) > c.less*float64(was) {
				t.Errorf("%d bytes are alive at once, without recomputation %d: want at most %g of it", is, was, c.less)
			}
			copies := again.heavy()
			if len(copies) < 4 {
				t.Errorf("only %d copies", len(copies))
			}
			for _, name := range copies {
				if !slices.Contains(after, name) {
					t.Errorf("ONNX Runtime has merged %s", name)
				}
			}
		})
	}
}

// differs returns the first element that is not the same, −1 if all are: to the bit, but on devices,
// which add up in no fixed order.
func differs(a, b []float32) int {
	largest := 0.0
	for _, x := range a {
		largest = max(largest, math.Abs(float64(x)))
	}
	for i, x := range a {
		same := math.Float32bits(x) == math.Float32bits(b[i])
		if !same && !(enginetest.OnDevice() && math.Abs(float64(x-b[i])) <= 1e-3*largest) {
			return i
		}
	}
	return -1
}

// heavy names the copies of operators that are worth keeping apart and that the runtime has no
// fusions for, as far as outputs need them.
func (x term) heavy() (names []string) {
	needed := map[*graphs.Value]bool{}
	for _, o := range x.graph.Outputs() {
		needed[o.Value] = true
	}
	for _, n := range slices.Backward(x.graph.Nodes()) {
		if !slices.ContainsFunc(n.Outputs(), func(v *graphs.Value) bool { return needed[v] }) {
			continue
		}
		for _, v := range n.Inputs() {
			needed[v] = true
		}
		if _, copied, ok := strings.Cut(n.Name(), ".again/"); ok && !strings.Contains(copied, ".grad") &&
			slices.Contains([]string{"Conv", "Softmax", "Gelu", "LayerNormalization"}, n.Op()) {
			names = append(names, n.Name())
		}
	}
	return names
}
