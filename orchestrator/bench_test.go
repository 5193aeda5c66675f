package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/graphs/engine/enginetest"

	"gonum.org/v1/gonum/stat"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/graphtest"
	"t2sda/graphs/nets"
	"t2sda/internal/rng"
	"t2sda/losses"
)

// The figures of docs/performance.md that concern training. Ratios are medians
// of pairs that ran one after the other, so that what else a machine does
// touches both sides.

// BenchmarkStudentTerm times the student's supervised term for MiT-B0 with the
// SegFormer head on 2×3×512×512, as the trainer runs it, between its forward
// pass alone and a square matrix product:
//
//	x-forward  forward and backward over forward alone
//	%GEMM      the term's GFLOP/s (products and convolutions) over the product's
func BenchmarkStudentTerm(b *testing.B) {
	t := newStudentTerm(b)
	forward := t.bindForward(b)
	var ratio, share, rate, machine []float64
	round := func() {
		alone, whole := seconds(b, forward), seconds(b, t.binding)
		gemm, err := t.engine.GEMMRate(b.Context(), 1024, 0)
		if err != nil {
			b.Fatal(err)
		}
		reached := t.gflop / whole
		ratio, rate = append(ratio, whole/alone), append(rate, reached)
		share, machine = append(share, 100*reached/gemm), append(machine, gemm)
	}
	round() // warms up: the arena grows
	ratio, share, rate, machine = nil, nil, nil, nil
	for b.Loop() {
		round()
	}
	b.ReportMetric(0, "ns/op") // a round mixes three things
	b.ReportMetric(median(ratio), "x-forward")
	b.ReportMetric(median(share), "%GEMM")
	b.ReportMetric(median(rate), "GFLOP/s")
	b.ReportMetric(median(machine), "GEMM-GFLOP/s")
	b.ReportMetric(t.gflop, "GFLOP")
}

func seconds(b *testing.B, run *engine.Binding) float64 {
	start := time.Now()
	if err := run.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(start).Seconds()
}

func median(x []float64) float64 {
	return stat.Quantile(0.5, stat.Empirical, slices.Sorted(slices.Values(x)), nil)
}

// studentTerm is L_S at the size that the figures are stated for.
type studentTerm struct {
	*term
	engine *engine.Engine
	arch   nets.Arch
	size   imageBatch
	state  *state
	pixels *binder // labels and weights
	gflop  float64 // of a run
}

func newStudentTerm(b *testing.B) *studentTerm {
	b.Helper()
	enginetest.Isolate(b)
	c := configs.Default()
	c.Method, c.Model.Encoder, c.Model.Head = configs.SourceOnly, "mit_b0", "segformer"
	t := &studentTerm{arch: archOf(c, 19), size: imageBatch{N: 2, H: 512, W: 512}}
	var err error
	if t.engine, err = engine.Open(engine.Options{}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.engine.Close() })
	if t.state, err = newState(t.arch, false, c.Train, 1); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.state.close() })
	t.drawPixels(b)
	var graph *graphs.Graph
	t.term, err = newTerm(t.engine, "supervised", t.arch, t.size, t.state, func(g *graphs.Graph, net *nets.Net, x *graphs.Value) (loss, objective *graphs.Value) {
		graph = g
		loss = t.loss(g, net, x)
		return loss, loss
	}, t.pixels)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.close() })
	t.gflop = 2 * float64(graphtest.MACs(graph)) / 1e9
	r := rng.New(1, 0, "image")
	for i := range t.image {
		t.image[i] = 255 * r.Float32()
	}
	if _, err := t.run(b.Context(), r); err != nil { // draws the noise, too
		b.Fatal(err)
	}
	return t
}

// drawPixels makes labels at random and equal weights.
func (t *studentTerm) drawPixels(b *testing.B) {
	n := t.size.N * t.size.H * t.size.W
	r := rng.New(1, 0, "labels")
	labels, weights := make([]int64, n), make([]float32, n)
	for i := range labels {
		labels[i], weights[i] = int64(r.IntN(t.arch.Classes)), 1/float32(n)
	}
	bound := newBinder()
	bindTo(bound, bound.inputs, "labels", labels, t.size.N, t.size.H, t.size.W)
	bound.in("weights", weights, t.size.N, t.size.H, t.size.W)
	t.pixels = bound
}

// loss is that of newSupervised.
func (t *studentTerm) loss(g *graphs.Graph, net *nets.Net, x *graphs.Value) *graphs.Value {
	return losses.CrossEntropy(net.Segment(net.Encode(x)),
		g.Input("labels", graphs.Int64, t.size.N, t.size.H, t.size.W),
		g.Input("weights", graphs.Float32, t.size.N, t.size.H, t.size.W))
}

// bindForward builds the term's forward pass alone, over the same memory.
func (t *studentTerm) bindForward(b *testing.B) *engine.Binding {
	b.Helper()
	bound := newBinder()
	bound.in("image", t.image, t.size.N, 3, t.size.H, t.size.W)
	bound.out("loss", make([]float32, 1))
	for name, tensor := range t.pixels.inputs {
		bound.inputs[name] = tensor
	}
	g, err := graphs.Build("forward", func(g *graphs.Graph) {
		net := nets.New(g, t.arch, nets.Train, nil)
		x := net.Normalize(g.Input("image", graphs.Float32, t.size.N, 3, t.size.H, t.size.W))
		g.Output("loss", t.loss(g, net, x))
		for i, n := range net.Noise() {
			bound.in(n.Name, t.noise[i].data, n.Shape...)
		}
		for _, p := range g.Params() {
			bound.inputs[p.Name()] = bound.param(t.state, t.state.student, p.Name())
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	model, err := g.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	session, err := t.engine.NewSession("forward", model)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { session.Close() })
	binding, err := bound.bind(session)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { binding.Close() })
	return binding
}

// BenchmarkStep times iterations of the embedded run (method t2s) on pictures of
// its kind:
//
//	%outside  share of the wall time that was not spent inside of ONNX Runtime
//	%waiting  the part of it that waited for the loader
//
// The stages' mean times are logged.
func BenchmarkStep(b *testing.B) {
	t, stream := newStreetsTrainer(b)
	inside := &clock{Context: b.Context(), done: make(chan struct{})}
	stages, it := map[string]float64{}, 0
	step := func() {
		e, err := t.iterate(inside, it, stream)
		if err != nil {
			b.Fatal(err)
		}
		for name, s := range e.Seconds {
			stages[name] += s
		}
		it++
	}
	const warmup, runs = 3, 6 // the teacher twice, L_S on both domains, L_T, L_pull
	for range warmup {
		step()
	}
	if inside.calls != runs*warmup {
		b.Fatalf("%d runs of ONNX Runtime in %d iterations, not %d each", inside.calls, warmup, runs)
	}
	clear(stages)
	inside.spent = 0
	for b.Loop() {
		step()
	}
	whole := b.Elapsed().Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1000*whole/float64(b.N), "ms/step")
	b.ReportMetric(100*(1-inside.spent.Seconds()/whole), "%outside")
	b.ReportMetric(100*stages["data"]/whole, "%waiting")
	var means []string
	for _, name := range slices.Sorted(maps.Keys(stages)) {
		means = append(means, fmt.Sprintf("%s %.1f", name, 1000*stages[name]/float64(b.N)))
	}
	b.Log("ms per stage: ", strings.Join(means, ", "))
}

// clock is a context that sums the time spent inside of ONNX Runtime: a binding
// registers for the context's end (context.AfterFunc) for just the time of a
// call, see engine's Session.call. It never ends.
type clock struct {
	context.Context
	done  chan struct{}
	spent time.Duration
	calls int
}

func (c *clock) Done() <-chan struct{} { return c.done }

// AfterFunc is what context.AfterFunc calls.
func (c *clock) AfterFunc(func()) (stop func() bool) {
	start := time.Now()
	return func() bool {
		c.spent += time.Since(start)
		c.calls++
		return true
	}
}

// newStreetsTrainer makes the preset's trainer; its worlds have fewer pictures.
func newStreetsTrainer(b *testing.B) (*trainer, *datasets.Stream) {
	b.Helper()
	enginetest.Isolate(b)
	root := b.TempDir()
	game, camera := filepath.Join(root, "game"), filepath.Join(root, "camera")
	c, err := configs.Load("streets", []string{
		"train.adapt_after=0", // every step is a whole one
		"data.source.root=" + game, "data.target.root=" + camera, "data.eval.root=" + camera,
		"data.streets.train=40", "data.streets.val=1", "output=" + root,
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := renderStreets(b.Context(), c, quiet()); err != nil {
		b.Fatal(err)
	}
	e, err := openEngine(c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	d, err := openData(b.Context(), c, "", e, b.TempDir(), quiet().Log)
	if err != nil {
		b.Fatal(err)
	}
	t, err := newTrainer(c, root, quiet(), e, d)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.close() })
	stream := d.loader.Stream(b.Context(), 0)
	b.Cleanup(stream.Close)
	return t, stream
}

// peakFile names the file for the peak of a process that does nothing else.
const peakFile = "T2SDA_BENCH_PEAK"

// BenchmarkPeakMemory measures the largest resident size of a fresh process
// that runs the student term of BenchmarkStudentTerm, or steps of BenchmarkStep.
func BenchmarkPeakMemory(b *testing.B) {
	for name, work := range map[string]func(b *testing.B){
		"term": func(b *testing.B) {
			t := newStudentTerm(b)
			for range 2 {
				seconds(b, t.binding)
			}
		},
		"step": func(b *testing.B) {
			t, stream := newStreetsTrainer(b)
			for it := range 10 {
				if _, err := t.iterate(b.Context(), it, stream); err != nil {
					b.Fatal(err)
				}
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			if path := os.Getenv(peakFile); path != "" { // the child
				work(b)
				writeFile(b, path, fmt.Sprint(peakMemory(b)))
				return
			}
			var mib float64
			for b.Loop() {
				mib = childsPeak(b, name)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(mib, "MiB")
		})
	}
}

// childsPeak runs one of BenchmarkPeakMemory's cases in a process of its own.
func childsPeak(b *testing.B, name string) (mib float64) {
	enginetest.Isolate(b)
	path := filepath.Join(b.TempDir(), "peak")
	child := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkPeakMemory$/^"+name+"$", "-test.benchtime=1x")
	child.Env = append(os.Environ(), peakFile+"="+path)
	if out, err := child.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &mib); err != nil {
		b.Fatal(err)
	}
	return mib
}

// peakMemory returns the largest resident size of this process so far, MiB. It
// does not read getrusage's: a child begins with its parent's.
func peakMemory(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, fs.ErrNotExist) {
		b.Skip("this system has no /proc/self/status")
	}
	_, after, ok := strings.Cut(string(status), "VmHWM:")
	var kib float64
	if _, scanErr := fmt.Sscan(after, &kib); err != nil || !ok || scanErr != nil {
		b.Fatalf("/proc/self/status: %v, %v", err, scanErr)
	}
	return kib / 1024
}
