package nets

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/graphtest"
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
}

// BenchmarkNetworks makes the table of docs/networks.md, network by network, in two halves:
// "counted" logs parameters and the GFLOP of one student term on 2 images of 512×512 (image to
// cross-entropy to all gradients, added to those that are there); "run" logs its core-seconds and
// its peak memory. It runs in a process of its own, twice; the second run is timed.
func BenchmarkNetworks(b *testing.B) {
	for _, c := range networks {
		a := imageNet(Arch{Encoder: c.encoder, Head: c.head, Classes: 19, HeadWidth: c.width, DropPath: 0.1, Dropout: 0.1})
		b.Run(c.encoder+"/"+c.head+"/counted", func(b *testing.B) {
			specs, err := a.Params()
			if err != nil {
				b.Fatal(err)
			}
			millions := map[Group]float64{}
			for _, p := range specs {
				millions[p.Group] += float64(p.Shape.Size()) / 1e6
			}
			t := studentTerm{arch: a}
			forward, whole := t.gflop(b, false), t.gflop(b, true)
			b.Logf("%.2f + %.2f million parameters, %.0f + %.0f GFLOP", millions[Encoder], millions[Head], forward, whole-forward)
			b.ReportMetric(0, "ns/op")
		})
		b.Run(c.encoder+"/"+c.head+"/run", func(b *testing.B) {
			enginetest.Library(b) // or skips
			if path := os.Getenv(measuredFile); path != "" {
				(&studentTerm{arch: a}).measure(b, path)
				return
			}
			for b.Loop() {
				cores, mib := measured(b)
				b.Logf("%.1f core-seconds, %.0f MiB", cores, mib)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// studentTerm is L_S, as training has it.
type studentTerm struct {
	arch Arch
	net  *Net
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
		for i, d := range graphs.Gradients(loss, params...) {
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

// gflop counts the products and convolutions, a multiplication and an addition each.
func (t *studentTerm) gflop(b *testing.B, backward bool) float64 {
	return 2 * float64(graphtest.MACs(t.build(b, backward))) / 1e9
}

// measuredFile is the variable that tells a child where to write its figures.
const measuredFile = "T2SDA_NETWORKS_MEASURED"

// measured runs this benchmark's case in a process of its own and returns core-seconds of a run, and
// the peak in MiB.
func measured(b *testing.B) (cores, mib float64) {
	path := filepath.Join(b.TempDir(), "measured")
	pattern := "^" + strings.ReplaceAll(b.Name(), "/", "$/^") + "$"
	child := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench="+pattern, "-test.benchtime=1x")
	child.Env = append(os.Environ(), measuredFile+"="+path)
	if out, err := child.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &cores, &mib); err != nil {
		b.Fatal(err)
	}
	return cores, mib
}

// measure runs the term twice and writes the second run's figures.
func (t *studentTerm) measure(b *testing.B, path string) {
	binding := t.bind(b)
	run := func() {
		if err := binding.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	run() // the arena grows
	before := processorSeconds(b)
	run()
	cores := processorSeconds(b) - before
	if err := os.WriteFile(path, fmt.Appendln(nil, cores, peakMemory(b)), 0o644); err != nil {
		b.Fatal(err)
	}
}

// bind gives the term fresh memory; gradients are added in place.
func (t *studentTerm) bind(b *testing.B) *engine.Binding {
	b.Helper()
	g := t.build(b, true)
	s := enginetest.Session(b, enginetest.Open(b, engine.Options{}), g)
	specs, err := t.arch.Params()
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
	for i, u := range draw("image", inputs["image"].Len()) {
		inputs["image"].Floats()[i] = float32((u + 1) * 127.5)
	}
	for _, n := range append(t.net.Noise(), Noise{Name: "weights", Keep: 1}) {
		data := inputs[n.Name].Floats()
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
	_, after, _ := strings.Cut(procSelf(b, "stat"), ") ")
	fields := strings.Fields(after)
	var user, system float64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		b.Fatal(err)
	}
	return (user + system) / 100
}

// peakMemory returns the largest resident size of this process so far, MiB.
func peakMemory(b *testing.B) float64 {
	_, after, _ := strings.Cut(procSelf(b, "status"), "VmHWM:")
	var kib float64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

// procSelf reads what Linux says of this process. It skips the benchmark where nothing is said.
func procSelf(b *testing.B, name string) string {
	text, err := os.ReadFile("/proc/self/" + name)
	if err != nil {
		b.Skip(err)
	}
	return string(text)
}
