package graphs_test

import (
	"context"
	"math"
	"testing"
	"time"

	"t2sda/graphs/engine/enginetest"

	"t2sda/graphs"
	"t2sda/graphs/engine"
)

// variant is one of several graphs that compute the same.
type variant struct {
	name   string
	build  func(g *graphs.Graph, v []*graphs.Value) *graphs.Value
	native bool // with operators of our own
}

// benchmark runs the variants in turns on float operands of the given shapes, on all cores, and
// reports the fastest run of each in ms: turns and minima keep other work on the machine from
// favouring one.
func benchmark(b *testing.B, shapes [][]int, variants ...variant) {
	e := enginetest.Open(b, engine.Options{})
	bindings := make([]*engine.Binding, len(variants))
	fastest := make([]float64, len(variants))
	for i, v := range variants {
		bindings[i] = v.bind(b, e, shapes)
		fastest[i] = math.Inf(1)
	}
	for i := -2; i < b.N; i++ { // two rounds to warm up
		if i == 0 {
			b.ResetTimer()
		}
		for j := range variants {
			start := time.Now()
			if err := bindings[j].Run(context.Background()); err != nil {
				b.Fatal(err)
			}
			if i >= 0 {
				fastest[j] = min(fastest[j], time.Since(start).Seconds()*1000)
			}
		}
	}
	for j, v := range variants {
		b.ReportMetric(fastest[j], v.name+"-ms")
	}
}

// bind builds the variant's graph and binds all inputs and outputs to fresh memory.
func (v variant) bind(b *testing.B, e *engine.Engine, shapes [][]int) *engine.Binding {
	b.Helper()
	g, err := graphs.Build(v.name, func(g *graphs.Graph) {
		var in []*graphs.Value
		for i, s := range shapes {
			in = append(in, g.Input(string(rune('a'+i)), graphs.Float32, s...))
		}
		g.Output("y", v.build(g, in))
	})
	if err != nil {
		b.Fatal(err)
	}
	session := enginetest.Session
	if v.native {
		session = enginetest.NativeSession
	}
	s := session(b, e, g)
	inputs, outputs := map[string]*engine.Tensor{}, map[string]*engine.Tensor{}
	for _, x := range g.Inputs() {
		inputs[x.Name()] = waves(b, x.Shape())
	}
	for _, o := range g.Outputs() {
		outputs[o.Name] = waves(b, o.Value.Shape())
	}
	binding, err := s.Bind(inputs, outputs)
	if err != nil {
		b.Fatal(err)
	}
	return binding // closed with the engine
}

// waves returns a tensor of varying numbers from [−1, 1].
func waves(b *testing.B, shape graphs.Shape) *engine.Tensor {
	b.Helper()
	data := make([]float32, shape.Size())
	for i := range data {
		data[i] = float32(math.Sin(float64(i)))
	}
	t, err := engine.NewTensor(data, shape...)
	if err != nil {
		b.Fatal(err)
	}
	return t
}
