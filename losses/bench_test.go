package losses

import (
	"context"
	"math/rand/v2"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/graphs"
	"t2sda/graphs/engine"
)

// streetLabels draws a label map in stretches of equal labels with long-tailed
// classes, as streets have.
func streetLabels(r *rand.Rand, positions, classes int) []uint8 {
	labels := make([]uint8, 0, positions)
	for len(labels) < positions {
		class := uint8(min(float64(classes-1), r.ExpFloat64()*float64(classes)/5))
		for range min(1+r.IntN(40), positions-len(labels)) {
			labels = append(labels, class)
		}
	}
	return labels
}

func benchmarkWorld(grid Grid) PullBatch {
	r := rand.New(rand.NewPCG(1, 1))
	featureMap := func() FeatureMap {
		m := FeatureMap{
			Features: make([]float32, grid.Positions()*grid.D), Labels: streetLabels(r, grid.Positions(), 19),
			Confidence: make([]float32, grid.Positions()),
		}
		for i := range m.Features {
			m.Features[i] = r.Float32() / 16
		}
		for i := range m.Confidence {
			m.Confidence[i] = min(1, r.Float32()*1.3)
		}
		return m
	}
	source, target := featureMap(), featureMap()
	return PullBatch{QueryLabels: source.Labels, Keys: source, Source: source, Target: &target}
}

// BenchmarkPlan plans the pull of 2 images of 512×512 at stride 4.
func BenchmarkPlan(b *testing.B) {
	grid := Grid{N: 2, D: 256, H: 128, W: 128}
	batch := benchmarkWorld(grid)
	for _, loss := range []PullLoss{PullInfoNCE, PullMSE} {
		b.Run(string(loss), func(b *testing.B) {
			o := DefaultPull(19)
			o.Loss = loss
			p, err := NewPull(o, grid)
			if err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Plan(b.Context(), r, batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPercentile(b *testing.B) {
	values := benchmarkWorld(Grid{N: 2, D: 1, H: 128, W: 128}).Target.Confidence
	for b.Loop() {
		Percentile(values, 50)
	}
}

func BenchmarkMixEncode(b *testing.B) {
	const pixels = 512 * 512
	r := rand.New(rand.NewPCG(1, 3))
	m := &Mix{
		N: 2, H: 512, W: 512, Classes: 19, Labels: streetLabels(r, 2*pixels, 19), Pasted: [][]bool{make([]bool, pixels), make([]bool, pixels)},
		Quality: []float64{0.5, 0.7}, Rims: []Rim{{15, 120}, {15, 120}}, Weight: 1, Denominator: AllPixels,
	}
	for i, label := range m.Labels {
		m.Pasted[i/pixels][i%pixels] = label%2 == 0
	}
	ids, weights := make([]uint8, 2*pixels), make([]float32, 2*pixels)
	for b.Loop() {
		if err := m.Encode(ids, weights); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDRW(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 4))
	pseudo, confidence := streetLabels(r, 2*512*512, 19), make([]float32, 2*512*512)
	weights := make([]float64, 19)
	for b.Loop() {
		if err := drw(weights, pseudo, confidence, 0.5); err != nil {
			b.Fatal(err)
		}
	}
}

// runBound benchmarks loss and gradient in ONNX Runtime on one thread.
func runBound(b *testing.B, g *graphs.Graph, in map[string]*engine.Tensor) {
	b.Helper()
	s := enginetest.Session(b, enginetest.Open(b, engine.Options{IntraOpThreads: 1}), g)
	out := map[string]*engine.Tensor{}
	for _, o := range g.Outputs() {
		shape := o.Value.Shape()
		out[o.Name] = enginetest.Tensor(b, make([]float32, shape.Size()), shape...)
	}
	binding, err := s.Bind(in, out)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := binding.Close(); err != nil {
			b.Error(err)
		}
	}()
	if err := binding.Run(context.Background()); err != nil { // the arena grows
		b.Fatal(err)
	}
	for b.Loop() {
		if err := binding.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCrossEntropy compares CrossEntropy with its textbook form for 2
// images of 512×512, 19 classes, logits at stride 4.
func BenchmarkCrossEntropy(b *testing.B) {
	textbook := func(logits, labels, weights *graphs.Value) *graphs.Value {
		g := logits.Graph()
		n, h, w := labels.Dim(0), labels.Dim(1), labels.Dim(2)
		log := g.LogSoftmax(g.Resize(logits, h, w, "linear"), 1)
		own := g.Reshape(g.GatherElements(log, g.Reshape(labels, n, 1, h, w), 1), n, h, w)
		return g.Neg(g.ReduceSum(g.Mul(own, weights), []int{0, 1, 2}, false))
	}
	k := ceCase{2, 19, 128, 128, 512, 512}
	arrays := k.operands(rand.New(rand.NewPCG(1, 5)))
	for name, build := range map[string]func(a, b, c *graphs.Value) *graphs.Value{"phases": CrossEntropy, "textbook": textbook} {
		b.Run(name, func(b *testing.B) {
			g, err := graphs.Build("ce", func(g *graphs.Graph) {
				logits := g.Param("logits", k.n, k.c, k.h, k.w)
				loss := build(logits, g.Input("labels", graphs.Int64, k.n, k.height, k.width), g.Input("weights", graphs.Float32, k.n, k.height, k.width))
				g.Output("loss", loss)
				g.Output("gradient", graphs.Gradients(loss, logits)[0])
			})
			if err != nil {
				b.Fatal(err)
			}
			runBound(b, g, convert(b, g, arrays))
		})
	}
}

// BenchmarkPull measures the pull's graph at the size of BenchmarkPlan.
func BenchmarkPull(b *testing.B) {
	grid := Grid{N: 2, D: 256, H: 128, W: 128}
	batch := benchmarkWorld(grid)
	for _, loss := range []PullLoss{PullInfoNCE, PullMSE} {
		b.Run(string(loss), func(b *testing.B) {
			o := DefaultPull(19)
			o.Loss = loss
			p, err := NewPull(o, grid)
			if err != nil {
				b.Fatal(err)
			}
			if err := p.Plan(b.Context(), rand.New(rand.NewPCG(1, 6)), batch); err != nil {
				b.Fatal(err)
			}
			g := buildPull(b, p)
			runBound(b, g, convert(b, g, pullArrays(p, array(batch.Source.Features, grid.N, grid.D, grid.H, grid.W))))
		})
	}
}
