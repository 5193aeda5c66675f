package nets

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/graphtest"
	"t2sda/internal/peaktest"
	"t2sda/internal/rng"
	"t2sda/losses"
)

// networks are the rows of docs/networks.md: every encoder, with the heads that are usual for it.
var networks = []struct {
	encoder, head string
	width         int // of the head, its public models'
}{
	{"mit_nano", "segformer", 64},
	{"mit_b0", "segformer", 256},
	{"mit_b0", "daformer", 256},
	{"mit_b1", "segformer", 256},
	{"mit_b1", "daformer", 256},
	{"mit_b2", "segformer", 768},
	{"mit_b2", "daformer", 256},
	{"mit_b3", "segformer", 768},
	{"mit_b3", "daformer", 256},
	{"mit_b4", "segformer", 768},
	{"mit_b4", "daformer", 256},
	{"mit_b5", "segformer", 768},
	{"mit_b5", "daformer", 256},
	{"resnet_nano", "deeplabv2", 0},
	{"resnet50", "deeplabv2", 0},
	{"resnet101", "deeplabv2", 0},
	{"mobilenet_v2", "lraspp", 128},
	{"mobilenet_v2", "segformer", 256},
	{"efficientnet_lite0", "lraspp", 128},
	{"efficientnet_lite0", "segformer", 256},
	{"dinov2_nano", "linear", 0},
	{"dinov2_nano", "segformer", 64},
	{"dinov2_vits14", "linear", 0},
	{"dinov2_vits14", "segformer", 256},
	{"dinov2_vitb14", "linear", 0},
	{"dinov2_vitb14", "segformer", 256},
	{"dinov2_vitl14", "linear", 0},
	{"dinov2_vitl14", "segformer", 256},
}

// BenchmarkNetworks makes the table of docs/networks.md, network by network: "counted" says
// parameters, and the GFLOP of one student term on 2 images of 512×512 (image to cross-entropy to
// all gradients, added to those that are there); "run" a term's seconds, and what all cores spend
// on it, after one that warms up; "peak" the memory of a process that runs two.
func BenchmarkNetworks(b *testing.B) {
	for _, c := range networks {
		t := studentTerm{arch: imageNet(Arch{Encoder: c.encoder, Head: c.head, Classes: 19, HeadWidth: c.width, DropPath: 0.1, Dropout: 0.1})}
		t.measure(b, c.encoder+"/"+c.head)
	}
}

// BenchmarkEncoderTrain makes the second table, of what is trained of an encoder, likewise.
func BenchmarkEncoderTrain(b *testing.B) {
	for _, encoder := range []string{"dinov2_vits14", "dinov2_vitl14"} {
		for _, way := range []string{TrainAll, TrainLoRA, TrainFrozen} {
			t := studentTerm{arch: imageNet(Arch{Encoder: encoder, Head: "segformer", Classes: 19, HeadWidth: 256, DropPath: 0.1, Dropout: 0.1, EncoderTrain: way})}
			if way == TrainLoRA {
				t.arch.LoRARank, t.arch.LoRAAlpha = 16, 16
			}
			t.measure(b, encoder+"/"+way)
		}
	}
}

// measure runs the term's benchmarks.
func (t *studentTerm) measure(b *testing.B, name string) {
	b.Run(name+"/counted", t.count)
	b.Run(name+"/run", func(b *testing.B) {
		binding := t.bind(b)
		run(b, binding)
		before := processorSeconds(b)
		for b.Loop() {
			run(b, binding)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/op")
		b.ReportMetric((processorSeconds(b)-before)/float64(b.N), "core-s/op") // beside other work the better figure
	})
	b.Run(name+"/peak", func(b *testing.B) {
		peaktest.Report(b, func() { enginetest.Library(b) }, func() {
			binding := t.bind(b)
			run(b, binding)
			run(b, binding)
		})
	})
}

func run(b *testing.B, binding *engine.Binding) {
	b.Helper()
	if err := binding.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// studentTerm is L_S, as training has it.
type studentTerm struct {
	arch      Arch
	recompute bool
	net       *Net
}

// build makes the term, with gradients or without.
func (t *studentTerm) build(b *testing.B, backward bool) *graphs.Graph {
	b.Helper()
	const n, h, w = 2, 512, 512
	g, err := graphs.Build("term", func(g *graphs.Graph) {
		t.net = New(g, t.arch, Train, nil)
		logits := t.net.Logits(g.Input("image", graphs.Float32, n, 3, h, w))
		loss := losses.CrossEntropy(logits, g.Input("labels", graphs.Int64, n, h, w), g.Input("weights", graphs.Float32, n, h, w))
		g.Output("loss", loss)
		if !backward {
			return
		}
		params := g.Params()
		derive := graphs.Gradients
		if t.recompute {
			derive = graphs.Recomputed
		}
		for i, d := range derive(loss, params...) {
			name := params[i].Name()
			g.Output("sum/"+name, g.Add(g.Input("grad/"+name, graphs.Float32, params[i].Shape()...), d))
		}
		for _, s := range t.net.BatchStats() {
			g.Output("mean/"+s.Name, s.Mean)
			g.Output("var/"+s.Name, s.Var)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// count reports parameters and the work of products and convolutions, a multiplication and an
// addition each.
func (t *studentTerm) count(b *testing.B) {
	specs, err := t.arch.Params()
	if err != nil {
		b.Fatal(err)
	}
	millions := map[Group]float64{}
	for _, p := range specs {
		millions[p.Group] += float64(p.Shape.Size()) / 1e6
	}
	gflop := func(backward bool) float64 { return 2 * float64(graphtest.MACs(t.build(b, backward))) / 1e9 }
	forward := gflop(false)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(millions[Encoder], "M-encoder")
	b.ReportMetric(millions[Head], "M-head")
	b.ReportMetric(forward, "GFLOP-forward")
	b.ReportMetric(gflop(true)-forward, "GFLOP-backward")
}

// bind gives the term fresh memory; gradients are added in place.
func (t *studentTerm) bind(b *testing.B) *engine.Binding {
	b.Helper()
	g := t.build(b, true)
	s := enginetest.NativeSession(b, enginetest.Open(b, engine.Options{ExactArena: t.recompute}), g)
	specs, err := t.arch.Params()
	if err != nil {
		b.Fatal(err)
	}
	fixed, err := t.arch.Fixed()
	if err != nil {
		b.Fatal(err)
	}
	inputs, outputs := map[string]*engine.Tensor{}, map[string]*engine.Tensor{}
	for _, v := range g.Inputs() {
		if v.Name() == "labels" {
			inputs["labels"] = enginetest.Tensor(b, make([]int64, v.Shape().Size()), v.Shape()...)
			continue
		}
		inputs[v.Name()] = enginetest.Tensor(b, make([]float32, v.Shape().Size()), v.Shape()...)
	}
	for _, p := range specs {
		p.Init(rng.New(1, 0, p.Name), inputs[p.Name].Floats())
		outputs["sum/"+p.Name] = inputs["grad/"+p.Name]
	}
	for _, p := range fixed {
		p.Init(rng.New(1, 0, p.Name), inputs[p.Name].Floats())
	}
	for i, u := range draw("image", inputs["image"].Len()) {
		inputs["image"].Floats()[i] = float32((u + 1) * 127.5)
	}
	ones := []string{"weights"}
	for _, n := range t.net.Noise() {
		ones = append(ones, n.Input.Name())
	}
	for _, name := range ones {
		data := inputs[name].Floats()
		for i := range data {
			data[i] = 1
		}
	}
	for _, o := range g.Outputs() {
		if outputs[o.Name] == nil {
			outputs[o.Name] = enginetest.Tensor(b, make([]float32, o.Value.Shape().Size()), o.Value.Shape()...)
		}
	}
	binding, err := s.Bind(inputs, outputs)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { binding.Close() })
	return binding
}

// processorSeconds returns what all cores have spent on this process: the 14th and 15th field of
// /proc/self/stat, in hundredths of a second. The second field is the program's name in brackets.
func processorSeconds(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		b.Skip(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	var user, system float64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		b.Fatal(err)
	}
	return (user + system) / 100
}
