package nets

import (
	"context"
	"fmt"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/graphtest"
	"t2sda/internal/rng"
)

// benchmarked are the networks and batches that the project's performance notes speak of.
var benchmarked = []struct {
	encoder, head string
	width         int
	n, h, w       int
}{
	{"mit_nano", "segformer", 64, 2, 128, 256},
	{"mit_nano", "segformer", 64, 2, 128, 128},
	{"mit_b0", "segformer", 256, 2, 512, 512},
}

// BenchmarkForward runs image to logits; one thread pool, both cores. GMAC counts multiplications
// of products and convolutions.
func BenchmarkForward(b *testing.B) { benchmark(b, false) }

// BenchmarkForwardBackward runs image to logits to the gradients of all parameters.
func BenchmarkForwardBackward(b *testing.B) { benchmark(b, true) }

func benchmark(b *testing.B, backward bool) {
	for _, c := range benchmarked {
		b.Run(fmt.Sprintf("%s/%s/%dx3x%dx%d", c.encoder, c.head, c.n, c.h, c.w), func(b *testing.B) {
			a := imageNet(Arch{Encoder: c.encoder, Head: c.head, Classes: 19, HeadWidth: c.width})
			g, err := graphs.Build("bench", func(g *graphs.Graph) {
				net := New(g, a, Train, nil)
				logits := net.Segment(net.Encode(net.Normalize(g.Input("image", graphs.Float32, c.n, 3, c.h, c.w))))
				if !backward {
					g.Output("logits", logits)
					return
				}
				params := g.Params()
				for i, d := range graphs.Gradients(weighted(g, logits, "cotangent.logits"), params...) {
					g.Output("grad."+params[i].Name(), d)
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			timeRuns(b, g, a)
			b.ReportMetric(float64(graphtest.MACs(g))/1e9, "GMAC")
			b.ReportMetric(float64(len(g.Nodes())), "nodes")
		})
	}
}

// timeRuns binds g to fresh memory and times its runs.
func timeRuns(b *testing.B, g *graphs.Graph, a Arch) {
	model, err := g.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	s, err := enginetest.Open(b, engine.Options{}).NewSession("bench", model)
	if err != nil {
		b.Fatal(err)
	}
	specs, err := a.Params()
	if err != nil {
		b.Fatal(err)
	}
	start := map[string][]float32{}
	for _, p := range specs {
		start[p.Name] = make([]float32, p.Shape.Size())
		p.Init(rng.New(1, 0, p.Name), start[p.Name])
	}
	inputs, outputs := map[string]*engine.Tensor{}, map[string]*engine.Tensor{}
	for _, in := range s.Inputs() {
		data, ok := start[in.Name]
		if !ok {
			data = drawFloats(in.Name, graphs.Shape(in.Dims).Size())
		}
		inputs[in.Name] = enginetest.Tensor(b, data, in.Dims...)
	}
	for _, out := range s.Outputs() {
		outputs[out.Name] = enginetest.Tensor(b, make([]float32, graphs.Shape(out.Dims).Size()), out.Dims...)
	}
	binding, err := s.Bind(inputs, outputs)
	if err != nil {
		b.Fatal(err)
	}
	for range 2 { // the arena grows
		if err := binding.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := binding.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
