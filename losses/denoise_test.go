package losses

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/graphtest"
	"t2sda/graphs/program"
)

const denoiseTau = 2

var published = Symmetric{Cross: 0.1, Reverse: 1, Smooth: 0.1}

// denoised is the loss of ProDA's first stage, of maps [2,3,2,3].
func denoised(in map[string]*graphs.Value) *graphs.Value {
	g := in["logits"].Graph()
	near := AssignmentDivergence(PrototypeDistances(in["features"], in["prototypes"], in["absent"], denoiseTau), in["targets"], in["weights"])
	return g.Add(SymmetricCrossEntropy(in["logits"], in["labels"], in["weights"], published), g.Mul(near, g.Scalar(10)))
}

// denoiseOperands are sines as in the reference.
func denoiseOperands() map[string]graphtest.Array {
	in := map[string]graphtest.Array{
		"features": sines(1, 1, 2, 4, 2, 3), "prototypes": sines(2, 5, 3, 4), "absent": graphtest.New(3), "logits": sines(2, 2, 2, 3, 2, 3),
		"labels": graphtest.New(2, 2, 3), "weights": graphtest.New(2, 2, 3), "targets": graphtest.New(2, 3, 2, 3),
	}
	x := sines(2, 8, 2, 3, 2, 3)
	for i := range 12 {
		in["labels"].Data[i], in["weights"].Data[i] = float64((i*i+1)%3), 1.0/12
		n, at, sum := i/6, i%6, 0.0
		for c := range 3 {
			sum += math.Exp(x.Data[n*18+c*6+at])
		}
		for c := range 3 {
			in["targets"].Data[n*18+c*6+at] = math.Exp(x.Data[n*18+c*6+at]) / sum
		}
	}
	return in
}

func buildDenoised(t testing.TB) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("denoised", func(g *graphs.Graph) {
		in := map[string]*graphs.Value{
			"features": g.Param("features", 2, 4, 2, 3), "logits": g.Param("logits", 2, 3, 2, 3),
			"prototypes": g.Input("prototypes", graphs.Float32, 3, 4), "absent": g.Input("absent", graphs.Float32, 3),
			"labels": g.Input("labels", graphs.Int64, 2, 2, 3), "weights": g.Input("weights", graphs.Float32, 2, 2, 3), "targets": g.Input("targets", graphs.Float32, 2, 3, 2, 3),
		}
		loss := denoised(in)
		g.Output("loss", loss)
		g.Output("near", PrototypeDistances(in["features"], in["prototypes"], in["absent"], denoiseTau))
		for i, d := range graphs.Gradients(loss, in["logits"], in["features"]) {
			g.Output([]string{"dlogits", "dfeatures"}[i], d)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The loss and its gradients as PyTorch 2 has them, in float64, by the lines of ProDA's public
// code (feat_prototype_distance, rce, regular_loss of type MRKLD, kl_div) on sines.
func TestDenoiseEqualsPyTorch(t *testing.T) {
	out := graphtest.Run(buildDenoised(t), denoiseOperands())
	near(t, "loss", out["loss"].Data[0], 4.902480880870804+10*0.20647782789752595, 1e-6)
	for name, values := range map[string]map[int]float64{
		"near":      {0: -3.4231470736312426 / denoiseTau, 17: -3.3319205202567153 / denoiseTau, 35: -3.539098364075837 / denoiseTau},
		"dlogits":   {0: 0.024248250095842565, 13: -0.1880805123470811, 35: -0.15466314215173488},
		"dfeatures": {0: 0.07214918483043231, 20: 0.03209589415848846, 47: -0.00375132136876741},
	} {
		for at, want := range values {
			near(t, fmt.Sprint(name, " ", at), out[name].Data[at], want, 1e-6)
		}
	}
}

func TestDenoiseGradient(t *testing.T) {
	in, r := denoiseOperands(), rand.New(rand.NewPCG(8, 14))
	for _, name := range []string{"features", "logits"} {
		in[name] = graphtest.Uniform(r, -2, 2, in[name].Shape...)
	}
	in["absent"].Data[1] = 1e4
	graphtest.CheckGradients(t, func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value { return denoised(in) },
		in, []string{"features", "logits"}, 1e-6, graphtest.Typed("labels", graphs.Int64))
}

// Positions without a weight, as those of rims, have no gradient from any of the parts.
func TestDenoiseOfRims(t *testing.T) {
	in := denoiseOperands()
	for i := range in["weights"].Data {
		in["weights"].Data[i] = 0
		if i%6 >= 3 {
			in["weights"].Data[i] = 1.0 / 6
		}
	}
	out := graphtest.Run(buildDenoised(t), in)
	for _, name := range []string{"dlogits", "dfeatures"} {
		for i, d := range out[name].Data {
			if (d == 0) != (i%6 < 3) {
				t.Errorf("%s %d is %g", name, i, d)
			}
		}
	}
}

// A feature at a prototype has distance 0 and a finite gradient; of probabilities ¾ and ¼ with
// the second's label, −log ¼ and ¾ of −log 1e-4 count; assignments that are as they shall be
// have no divergence.
func TestDenoiseByHand(t *testing.T) {
	g, err := graphs.Build("hand", func(g *graphs.Graph) {
		f := g.Param("f", 1, 2, 1, 1)
		near := PrototypeDistances(f, g.Floats([]float32{3, 4, 0, 0, 0, 0}, 3, 2), g.Floats([]float32{0, 0, 1e4}, 3), 0.5)
		g.Output("near", near)
		g.Output("gradient", graphs.Gradients(g.ReduceSum(near, nil, false), f)[0])
		logits := g.Floats([]float32{float32(math.Log(3)), 0}, 1, 2, 1, 1)
		g.Output("sce", SymmetricCrossEntropy(logits, g.Ints([]int64{1}, 1, 1, 1), g.Floats([]float32{1}, 1, 1, 1), Symmetric{Cross: 0.5, Reverse: 2}))
		g.Output("divergence", AssignmentDivergence(logits, g.Floats([]float32{0.75, 0.25}, 1, 2, 1, 1), g.Floats([]float32{1}, 1, 1, 1)))
	})
	if err != nil {
		t.Fatal(err)
	}
	out := graphtest.Run(g, map[string]graphtest.Array{"f": {Shape: graphs.Shape{1, 2, 1, 1}, Data: []float64{3, 4}}})
	near(t, "at its prototype", out["near"].Data[0], 0, 1e-5)
	near(t, "at the other", out["near"].Data[1], -10, 1e-6)
	near(t, "gradient", out["gradient"].Data[0], -2*2*0.6, 1e-4) // of the two that are away
	near(t, "loss", out["sce"].Data[0], 0.5*math.Log(4)+2*0.75*math.Log(1e4), 1e-6)
	near(t, "divergence", out["divergence"].Data[0], 0, 1e-7)
}

// A feature at class 1's prototype, 200 from class 2's, which is all that the round's label says:
// e⁻²⁰⁰ is 0 in float32, and so is each product. The label is then the round's; elsewhere, where
// the round is not sure, the larger product counts.
func TestDenoisedFarFromItsLabel(t *testing.T) {
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1})
	var got []uint8
	p, err := program.New(e, "far", nil, func(p *program.Program) {
		g := p.Graph()
		features := g.Floats([]float32{0, 0, 0, 0}, 1, 2, 1, 2)
		prototypes, absent := g.Floats([]float32{100, 100, 0, 0, 200, 0}, 3, 2), g.Floats([]float32{0, 0, 0}, 3)
		soft := g.Floats([]float32{0, 0.3, 0, 0.1, 1, 0.6}, 1, 3, 1, 2)
		near := g.Softmax(PrototypeDistances(features, prototypes, absent, 1), 1)
		got = program.Output[uint8](p, "labels", g.Cast(Denoised(near, soft), graphs.Uint8))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := p.Run(t.Context()); err != nil || !slices.Equal(got, []uint8{2, 1}) {
		t.Errorf("labels %v, want [2 1]; %v", got, err)
	}
}

// Of four rows of an image on a grid of two, the last two are rim: the second row's middle is
// in it.
func TestEncodeDenoised(t *testing.T) {
	ids, weights := make([]uint8, 4), make([]float32, 4)
	if err := EncodeDenoised(ids, weights, []uint8{1, 0, 2, 1}, []Rim{{Bottom: 2}}, 2, 2, 4); err != nil || !slices.Equal(ids, []uint8{1, 0, 2, 1}) || !slices.Equal(weights, []float32{0.5, 0.5, 0, 0}) {
		t.Errorf("ids %v, weights %v, %v", ids, weights, err)
	}
	if err := EncodeDenoised(ids, weights, []uint8{1}, []Rim{{}}, 2, 2, 4); err == nil || !strings.Contains(err.Error(), "1 labels") {
		t.Errorf("error %v", err)
	}
}

func TestDenoiseRefusesOtherShapes(t *testing.T) {
	for want, build := range map[string]func(g *graphs.Graph){
		"want features [N,D,h,w], prototypes": func(g *graphs.Graph) {
			PrototypeDistances(g.Param("f", 1, 3, 2, 2), g.Param("p", 4, 2), g.Param("a", 4), 1)
		},
		"want logits and targets": func(g *graphs.Graph) {
			AssignmentDivergence(g.Param("l", 1, 3, 2, 2), g.Param("t", 1, 3, 2, 1), g.Param("w", 1, 2, 2))
		},
		"weights [N,h,w]": func(g *graphs.Graph) {
			AssignmentDivergence(g.Param("l", 1, 3, 2, 2), g.Param("t", 1, 3, 2, 2), g.Param("w", 1, 2, 1))
		},
	} {
		if _, err := graphs.Build("wrong", build); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
