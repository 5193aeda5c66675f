package losses

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

// pullOperands draws unit features and keys for 3 blocks of 4 queries of 3
// classes, the last block and some slots being empty.
func pullOperands(r *rand.Rand) (map[string]graphtest.Array, *refPull) {
	p := &refPull{
		n: 2, d: 5, h: 3, w: 4, blocks: 3, queries: 4, m: 6, nClasses: 3,
		index: []int{0, 5, 23, 5, 12, 11, 0, 0, 0, 0, 0, 0}, blockClass: []int{2, 0, 0},
		weights: []float64{0.1, 0.2, 0.05, 0.15, 0.3, 0.2, 0, 0, 0, 0, 0, 0},
	}
	unit := func(rows int) []float64 {
		v := make([]float64, rows*p.d)
		for i := range rows {
			row, norm := v[i*p.d:(i+1)*p.d], 0.0
			for k := range row {
				row[k] = r.NormFloat64()
				norm += row[k] * row[k]
			}
			for k := range row {
				row[k] /= math.Sqrt(norm)
			}
		}
		return v
	}
	positions := unit(p.n * p.h * p.w)
	p.features = make([]float64, len(positions))
	area := p.h * p.w
	for i := range p.n * area {
		for k := range p.d {
			p.features[(i/area*p.d+k)*area+i%area] = positions[i*p.d+k]
		}
	}
	p.positives, p.negatives = unit(p.blocks), unit(p.nClasses*p.m)
	return p.arrays(), p
}

func (p *refPull) arrays() map[string]graphtest.Array {
	return map[string]graphtest.Array{
		"features":   {Shape: graphs.Shape{p.n, p.d, p.h, p.w}, Data: p.features},
		"index":      {Shape: graphs.Shape{len(p.index)}, Data: floats(p.index)},
		"weights":    {Shape: graphs.Shape{p.blocks, p.queries}, Data: p.weights},
		"positives":  {Shape: graphs.Shape{p.blocks, p.d}, Data: p.positives},
		"negatives":  {Shape: graphs.Shape{p.nClasses, p.m, p.d}, Data: p.negatives},
		"blockClass": {Shape: graphs.Shape{p.blocks}, Data: floats(p.blockClass)},
	}
}

func floats(v []int) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

func buildNCE(tau float32) func(*graphs.Graph, map[string]*graphs.Value) *graphs.Value {
	return func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
		return InfoNCE(in["features"], in["index"], in["weights"], in["positives"], in["negatives"], in["blockClass"], tau)
	}
}

func buildMSE(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
	return MSE(in["features"], in["index"], in["weights"], in["positives"])
}

// runPull evaluates loss and gradient by the features.
func runPull(t testing.TB, arrays map[string]graphtest.Array, build func(*graphs.Graph, map[string]*graphs.Value) *graphs.Value) (loss float64, gradient []float64) {
	t.Helper()
	g, err := graphs.Build("pull", func(g *graphs.Graph) {
		in := map[string]*graphs.Value{"features": g.Param("features", arrays["features"].Shape...)}
		for _, name := range []string{"weights", "positives", "negatives"} {
			in[name] = g.Input(name, graphs.Float32, arrays[name].Shape...)
		}
		for _, name := range []string{"index", "blockClass"} {
			in[name] = g.Input(name, graphs.Int64, arrays[name].Shape...)
		}
		value := build(g, in)
		g.Output("loss", value)
		g.Output("gradient", graphs.Gradients(value, in["features"])[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	out := graphtest.Run(g, arrays)
	return out["loss"].Data[0], out["gradient"].Data
}

func TestPullLossesEqualReference(t *testing.T) {
	for seed := range uint64(3) {
		arrays, ref := pullOperands(rand.New(rand.NewPCG(seed, 1)))
		for _, tau := range []float32{0.2, 0.01, 1} {
			loss, _ := runPull(t, arrays, buildNCE(tau))
			near(t, "InfoNCE", loss, ref.infoNCE(float64(tau)), 1e-6) // 1/τ is rounded to float32
		}
		loss, _ := runPull(t, arrays, buildMSE)
		near(t, "MSE", loss, ref.mse(), 1e-12)
	}
}

func TestPullGradients(t *testing.T) {
	arrays, _ := pullOperands(rand.New(rand.NewPCG(2, 2)))
	typed := []graphtest.Option{graphtest.Typed("index", graphs.Int64), graphtest.Typed("blockClass", graphs.Int64)}
	for _, tau := range []float32{0.2, 0.03} {
		graphtest.CheckGradients(t, buildNCE(tau), arrays, []string{"features"}, 1e-5, typed...)
	}
	graphtest.CheckGradients(t, buildMSE, arrays, []string{"features"}, 1e-6, typed...)
}

func TestInfoNCEOfIdenticalNegatives(t *testing.T) {
	arrays, ref := pullOperands(rand.New(rand.NewPCG(3, 3)))
	// All negatives equal the class's positive: every logit is the same, −log(1/(1+m)).
	for b, class := range ref.blockClass[:2] {
		for j := range ref.m {
			copy(ref.negatives[(class*ref.m+j)*ref.d:][:ref.d], ref.positives[b*ref.d:][:ref.d])
		}
	}
	loss, gradient := runPull(t, arrays, buildNCE(0.2))
	near(t, "loss", loss, math.Log(float64(1+ref.m)), 1e-12) // the weights add up to 1
	for _, v := range gradient {
		near(t, "gradient", v, 0, 1e-12)
	}
}

func TestMSEIsCosine(t *testing.T) {
	arrays, ref := pullOperands(rand.New(rand.NewPCG(4, 4)))
	want := 0.0
	for i, weight := range ref.weights {
		want += weight * (2 - 2*refDot(ref.query(i), ref.positives[i/ref.queries*ref.d:][:ref.d]))
	}
	loss, _ := runPull(t, arrays, buildMSE)
	near(t, "MSE", loss, want, 1e-12)
}

func TestEmptySlotsAddNothing(t *testing.T) {
	arrays, ref := pullOperands(rand.New(rand.NewPCG(5, 5)))
	for name, build := range map[string]func(*graphs.Graph, map[string]*graphs.Value) *graphs.Value{"InfoNCE": buildNCE(0.2), "MSE": buildMSE} {
		loss, gradient := runPull(t, arrays, build)
		other := ref.arrays()
		moved := other["index"].Clone()
		for i := 6; i < len(moved.Data); i++ {
			moved.Data[i] = float64(i) // empty slots may point anywhere
		}
		other["index"] = moved
		loss2, gradient2 := runPull(t, other, build)
		if loss != loss2 {
			t.Errorf("%s: empty slots changed the loss from %g to %g", name, loss, loss2)
		}
		for i := range gradient {
			if gradient[i] != gradient2[i] {
				t.Fatalf("%s: empty slots changed the gradient", name)
			}
		}
		none := ref.arrays()
		none["weights"] = graphtest.New(ref.blocks, ref.queries)
		loss, gradient = runPull(t, none, build)
		for _, v := range append(gradient, loss) {
			if v != 0 {
				t.Fatalf("%s without weights gives %g", name, v)
			}
		}
	}
}

func TestPullRefusesOtherShapes(t *testing.T) {
	arrays, _ := pullOperands(rand.New(rand.NewPCG(6, 6)))
	for name, build := range map[string]func(in map[string]*graphs.Value){
		"InfoNCE": func(in map[string]*graphs.Value) {
			InfoNCE(in["features"], in["index"], in["weights"], in["positives"], in["negatives"], in["blockClass"], 0)
		},
		"MSE": func(in map[string]*graphs.Value) { MSE(in["features"], in["index"], in["positives"], in["weights"]) },
	} {
		_, err := graphs.Build("pull", func(g *graphs.Graph) {
			in := map[string]*graphs.Value{}
			for key, a := range arrays {
				dt := graphs.Float32
				if key == "index" || key == "blockClass" {
					dt = graphs.Int64
				}
				in[key] = g.Input(key, dt, a.Shape...)
			}
			build(in)
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
