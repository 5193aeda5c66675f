package losses

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/graphtest"
	"t2sda/graphs/program"
)

// convert turns the interpreter's operands into tensors of the graph's types.
func convert(t testing.TB, g *graphs.Graph, arrays map[string]graphtest.Array) map[string]*engine.Tensor {
	t.Helper()
	in := map[string]*engine.Tensor{}
	for _, v := range g.Inputs() {
		a := arrays[v.Name()]
		if v.DType() == graphs.Int64 {
			data := make([]int64, len(a.Data))
			for i, x := range a.Data {
				data[i] = int64(x)
			}
			in[v.Name()] = enginetest.Tensor(t, data, a.Shape...)
			continue
		}
		data := make([]float32, len(a.Data))
		for i, x := range a.Data {
			data[i] = float32(x)
		}
		in[v.Name()] = enginetest.Tensor(t, data, a.Shape...)
	}
	return in
}

// compare runs g in ONNX Runtime and in the interpreter.
func compare(t *testing.T, e *engine.Engine, g *graphs.Graph, arrays map[string]graphtest.Array) {
	t.Helper()
	out, err := enginetest.Session(t, e, g).Run(context.Background(), convert(t, g, arrays))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range graphtest.Run(g, arrays) {
		scale := 1e-6
		for _, v := range want.Data {
			scale = max(scale, math.Abs(v))
		}
		for i, v := range out[name].Floats() {
			if !(math.Abs(float64(v)-want.Data[i]) <= enginetest.Tolerance(2e-5)*scale) {
				t.Fatalf("%s: %s[%d] is %g in ONNX Runtime, %g in the interpreter", g.Name(), name, i, v, want.Data[i])
			}
		}
	}
}

func TestLossesInONNXRuntime(t *testing.T) {
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1})
	for _, k := range ceCases {
		compare(t, e, k.build(t), k.operands(rand.New(rand.NewPCG(11, 1))))
		compare(t, e, k.buildEntropy(t), k.operands(rand.New(rand.NewPCG(11, 2))))
		compare(t, e, k.buildSelfTraining(t, true), k.selfTrainingOperands(rand.New(rand.NewPCG(11, 4))))
		for _, entropy := range []bool{false, true} {
			compare(t, e, k.buildAdversarial(t, entropy), k.adversarialOperands(rand.New(rand.NewPCG(11, 3))))
		}
	}
	for _, distance := range []bool{false, true} {
		compare(t, e, buildAnchored(t, distance), anchorOperands(rand.New(rand.NewPCG(11, 5))))
	}
	compare(t, e, buildRegions(t), regionOperands(rand.New(rand.NewPCG(11, 6))))
	maps, distance := distanceOperands(rand.New(rand.NewPCG(13, 1))), buildDistance(t, 2, 3, 2, 3)
	compare(t, e, distance, maps)
	maps["frozen"] = maps["features"]
	compare(t, e, distance, maps)
	o, w := smallPull(4), newWorld(1, 4)
	for _, loss := range []PullLoss{PullInfoNCE, PullMSE} {
		o.Loss = loss
		p := plan(t, o, w, w.batch(), 3)
		r := rand.New(rand.NewPCG(12, 1))
		for i := range p.Positives { // the world's features are far from unit length
			p.Positives[i] = float32(r.NormFloat64())
		}
		for i := range p.Negatives {
			p.Negatives[i] = float32(r.NormFloat64())
		}
		compare(t, e, buildPull(t, p), pullArrays(p, graphtest.Uniform(r, -1, 1, p.Grid.N, p.Grid.D, p.Grid.H, p.Grid.W)))
	}
}

func buildPull(t testing.TB, p *Pull) *graphs.Graph {
	t.Helper()
	built, err := program.Build(string(p.Options.Loss), nil, func(b *program.Program) {
		g := b.Graph()
		features := g.Input("features", graphs.Float32, p.Grid.N, p.Grid.D, p.Grid.H, p.Grid.W)
		loss := p.Loss(b, features, nil)
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, features)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	return built.Graph()
}

func pullArrays(p *Pull, features graphtest.Array) map[string]graphtest.Array {
	o, b, d := p.Options, p.Blocks, p.Grid.D
	return map[string]graphtest.Array{
		"features":         features,
		"pull.index":       array(p.Index, b*o.Block),
		"pull.weights":     array(p.Weights, b, o.Block),
		"pull.positives":   array(p.Positives, b, d),
		"pull.negatives":   array(p.Negatives, o.Classes, o.Negatives, d),
		"pull.block_class": array(p.BlockClass, b),
	}
}

func array[T int64 | float32](v []T, dims ...int) graphtest.Array {
	a := graphtest.Array{Shape: dims, Data: make([]float64, len(v))}
	for i, x := range v {
		a.Data[i] = float64(x)
	}
	return a
}
