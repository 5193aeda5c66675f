package learner

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/graphtest"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/median"
	"t2sda/internal/peaktest"
	"t2sda/internal/raster"
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
	t := newStudentTerm(b, engine.Options{})
	forward := t.forward(b)
	var ratio, share, rate, machine []float64
	round := func() {
		alone, whole := seconds(b, forward), seconds(b, t.Program)
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
	b.ReportMetric(median.Of(ratio), "x-forward")
	b.ReportMetric(median.Of(share), "%GEMM")
	b.ReportMetric(median.Of(rate), "GFLOP/s")
	b.ReportMetric(median.Of(machine), "GEMM-GFLOP/s")
	b.ReportMetric(t.gflop, "GFLOP")
}

// BenchmarkNative times the same term with the program's own kernels and with ONNX Runtime's alone,
// one after the other:
//
//	x-stock  the former's time over the latter's
func BenchmarkNative(b *testing.B) {
	native, stock := newStudentTerm(b, engine.Options{}), newStudentTerm(b, engine.Options{Kernels: engine.KernelsStock})
	var ratio, have, want []float64
	for b.Loop() {
		x, y := seconds(b, native.Program), seconds(b, stock.Program)
		ratio, have, want = append(ratio, x/y), append(have, x), append(want, y)
	}
	b.ReportMetric(0, "ns/op") // a round mixes two things
	b.ReportMetric(median.Of(ratio), "x-stock")
	b.ReportMetric(median.Of(have), "s")
	b.ReportMetric(median.Of(want), "s-stock")
}

func seconds(b *testing.B, run *program.Program) float64 {
	start := time.Now()
	if err := run.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(start).Seconds()
}

// studentTerm is L_S at the size that the figures are stated for.
type studentTerm struct {
	*supervised
	engine *engine.Engine
	arch   nets.Arch
	size   imageBatch
	state  *state
	gflop  float64 // of a run
}

func newStudentTerm(b *testing.B, o engine.Options) *studentTerm {
	b.Helper()
	c := configs.Default()
	c.Method, c.Model.Encoder, c.Model.Head = configs.SourceOnly, "mit_b0", "segformer"
	t := &studentTerm{engine: enginetest.Open(b, o), arch: Arch(c, 19), size: imageBatch{N: 2, H: 512, W: 512}}
	var err error
	if t.state, err = newState(t.arch, false, c.Train, 1, onHost); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.state.Close() })
	if t.supervised, err = newSupervised(&Learner{cfg: c, engine: t.engine, arch: t.arch, state: t.state}, t.size); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.Close() })
	t.gflop = 2 * float64(graphtest.MACs(t.Graph())) / 1e9
	r := rng.New(1, 0, "labels")
	for i := range t.labels {
		t.labels[i], t.weights[i] = uint8(r.IntN(t.arch.Classes)), 1/float32(len(t.weights))
	}
	r = rng.New(1, 0, "image")
	for i := range t.image {
		t.image[i] = 255 * r.Float32()
	}
	if _, err := t.run(b.Context(), func(int) *rand.Rand { return r }); err != nil { // draws the noise, too
		b.Fatal(err)
	}
	return t
}

// forward builds the term's forward pass alone, over the same memory.
func (t *studentTerm) forward(b *testing.B) *program.Program {
	b.Helper()
	p, err := program.New(t.engine, "forward", t.state.views(t.state.student), func(p *program.Program) {
		net := nets.New(p.Graph(), t.arch, nets.Train, nil)
		image := program.InputOf(p, "image", t.image, t.size.N, 3, t.size.H, t.size.W)
		logits := net.Segment(net.Encode(net.Normalize(image)))
		program.Output[float32](p, "loss", losses.CrossEntropy(logits,
			p.Graph().Cast(program.InputOf(p, "labels", t.labels, t.size.N, t.size.H, t.size.W), graphs.Int64),
			program.InputOf(p, "weights", t.weights, t.size.N, t.size.H, t.size.W)))
		for _, n := range net.Noise() {
			ones := program.Feed[float32](p, n.Input)
			for i := range ones {
				ones[i] = 1
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	return p
}

// papers are the presets whose iterations are measured at full size: 2 + 2 crops of
// 512×512, 19 classes, method t2s.
var papers = []string{"gta5-cityscapes", "gta5-cityscapes-r101"}

// newPaperLearner makes a preset's learner. Its pictures are noise: what they show
// costs nothing.
func newPaperLearner(b *testing.B, preset, state string) (*Learner, *datasets.Batch) {
	b.Helper()
	for _, name := range []string{"GTA5_ROOT", "CITYSCAPES_ROOT"} {
		b.Setenv(name, "unread")
	}
	c, err := configs.Load(preset, []string{"train.adapt_after=0", "runtime.state=" + state})
	if err != nil {
		b.Fatal(err)
	}
	cuda := engine.CUDAOptions{TF32: c.AllowsTF32(), ConvAlgoSearch: c.Runtime.CUDA.ConvAlgoSearch, ArenaExtendStrategy: c.Runtime.CUDA.ArenaExtendStrategy}
	l, err := New(enginetest.Open(b, engine.Options{CUDA: cuda}), Options{Config: c, Space: datasets.Cityscapes19(), Log: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	size, batch := c.Data.Crop.Width, &datasets.Batch{}
	for i := range c.Train.Batch {
		r := rng.New(1, i, "picture")
		picture := func() *raster.Image {
			m := raster.NewImage(size, size)
			for p := range m.Pix {
				m.Pix[p] = 255 * r.Float32()
			}
			return m
		}
		labels := raster.NewLabels(size, size)
		for p := range labels.Pix {
			labels.Pix[p] = uint8(p / size * 19 / size) // bands
		}
		batch.Source, batch.Pseudo, batch.Target = append(batch.Source, picture()), append(batch.Pseudo, picture()), append(batch.Target, picture())
		batch.SourceLabels = append(batch.SourceLabels, labels)
		batch.SourceIDs, batch.TargetIDs = append(batch.SourceIDs, "source"), append(batch.TargetIDs, "target")
		batch.TargetRows = append(batch.TargetRows, datasets.Rows{Of: size})
	}
	return l, batch
}

// BenchmarkPaperIteration times a full-size iteration of the paper's presets after
// one that warms up, and logs its stages; on a device with the state there, and with
// the state on the host.
func BenchmarkPaperIteration(b *testing.B) {
	states := []string{"host"}
	if enginetest.OnDevice() {
		states = []string{"device", "host"}
	}
	for _, preset := range papers {
		for _, state := range states {
			b.Run(preset+"/"+state, func(b *testing.B) { paperIteration(b, preset, state) })
		}
	}
}

func paperIteration(b *testing.B, preset, state string) {
	b.Helper()
	l, batch := newPaperLearner(b, preset, state)
	next := func(context.Context) (*datasets.Batch, error) { return batch, nil }
	it, total, moved := 0, map[string]float64{}, 0.0
	iterate := func() {
		s, err := l.Iterate(b.Context(), it, next)
		if err != nil {
			b.Fatal(err)
		}
		for name, x := range s.Seconds {
			total[name] += x
		}
		moved = float64(s.ToDevice+s.FromDevice) / 1e6
		it++
	}
	iterate()
	clear(total)
	for b.Loop() {
		iterate()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/step")
	for _, s := range l.Stages() {
		b.Logf("%s: %.4g s", s.Name, total[s.Name]/float64(b.N))
	}
	if moved > 0 {
		b.ReportMetric(moved, "MB-moved/step")
	}
}

// BenchmarkPaperMemory measures a fresh process that runs two full-size iterations
// of the paper's presets.
func BenchmarkPaperMemory(b *testing.B) {
	for _, preset := range papers {
		b.Run(preset, func(b *testing.B) {
			peaktest.Report(b, func() { enginetest.Isolate(b) }, func() {
				l, batch := newPaperLearner(b, preset, "host")
				for it := range 2 {
					if _, err := l.Iterate(b.Context(), it, func(context.Context) (*datasets.Batch, error) { return batch, nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkPeakMemory measures a fresh process that runs the student term of
// BenchmarkStudentTerm.
func BenchmarkPeakMemory(b *testing.B) {
	b.Run("term", func(b *testing.B) {
		peaktest.Report(b, func() { enginetest.Isolate(b) }, func() {
			t := newStudentTerm(b, engine.Options{})
			for range 2 {
				seconds(b, t.Program)
			}
		})
	})
}
