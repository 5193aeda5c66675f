package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

// regionOperands are those of two images of three regions, whose keys follow two remembered ones.
// Image 0 has negatives within alone, image 1 across alone.
func regionOperands(r *rand.Rand) map[string]graphtest.Array {
	in := map[string]graphtest.Array{
		"queries": graphtest.Uniform(r, -1, 1, 2, 3, 4), "keys": graphtest.Uniform(r, -1, 1, 8, 4),
		"own": {Shape: graphs.Shape{2, 3}}, "absent": {Shape: graphs.Shape{2, 8}},
		"weights": {Shape: graphs.Shape{2, 3}, Data: []float64{0.5, 0, 0.25, 1, 0.125, 0}},
	}
	own, absent := in["own"], in["absent"]
	for n, s := range []Negatives{{Regions: 3, Memory: 2, Known: 1, Within: true}, {Regions: 3, Memory: 2, Known: 1, Across: true}} {
		row := make([]float32, 8)
		s.Encode(row, n)
		for _, v := range row {
			absent.Data = append(absent.Data, float64(v))
		}
		for region := range 3 {
			own.Data = append(own.Data, float64(s.Own(n, region)))
		}
	}
	in["own"], in["absent"] = own, absent
	return in
}

const regionTau = 0.25

func regionLoss(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
	return RegionContrast(in["queries"], in["keys"], in["own"], in["absent"], in["weights"], regionTau)
}

func buildRegions(t testing.TB) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("regions", func(g *graphs.Graph) {
		in := map[string]*graphs.Value{
			"queries": g.Param("queries", 2, 3, 4), "keys": g.Input("keys", graphs.Float32, 8, 4), "own": g.Input("own", graphs.Int64, 2, 3),
			"absent": g.Input("absent", graphs.Float32, 2, 8), "weights": g.Input("weights", graphs.Float32, 2, 3),
		}
		loss := regionLoss(g, in)
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, in["queries"])[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestRegionContrastEqualsReference: the equation, with negatives listed by hand.
func TestRegionContrastEqualsReference(t *testing.T) {
	in := regionOperands(rand.New(rand.NewPCG(3, 21)))
	q, k := in["queries"], in["keys"]
	dot := func(n, region, key int) float64 {
		return refDot(q.Data[(n*3+region)*4:][:4], k.Data[key*4:][:4])
	}
	want := 0.0
	for i, w := range in["weights"].Data {
		n, region := i/3, i%3
		own := []int{2, 3, 4, 5, 6, 7}[i]
		negatives := []int{2, 3, 4} // of image 0: its own
		if n == 1 {
			negatives = []int{0, 2, 3, 4} // of image 1: the one that is remembered, and the other image's
		}
		positive := dot(n, region, own) / regionTau
		sum := math.Exp(positive)
		for _, key := range negatives {
			if key != own {
				sum += math.Exp(dot(n, region, key) / regionTau)
			}
		}
		want += w * (math.Log(sum) - positive)
	}
	near(t, "loss", graphtest.Run(buildRegions(t), in)["loss"].Data[0], want, 1e-6)
}

// TestRegionContrastByHand: queries like their keys, all others at right angles, τ of 1/4: of two
// negatives −log(e⁴/(e⁴ + 2)); without one 0; and by where queries go, a gradient of right sign.
func TestRegionContrastByHand(t *testing.T) {
	in := regionOperands(rand.New(rand.NewPCG(1, 21)))
	unit := []float64{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}
	in["queries"] = graphtest.Array{Shape: graphs.Shape{2, 3, 4}, Data: slices.Concat(unit, unit)}
	in["keys"] = graphtest.Array{Shape: graphs.Shape{8, 4}, Data: slices.Concat(make([]float64, 8), unit, unit)}
	in["weights"] = graphtest.Array{Shape: graphs.Shape{2, 3}, Data: []float64{1, 0, 0, 0, 0, 0}}
	out := graphtest.Run(buildRegions(t), in)
	e := math.Exp(4)
	near(t, "loss", out["loss"].Data[0], math.Log((e+2)/e), 1e-9)
	// ∂ = (Σ p·k − k⁺)/τ
	for i, want := range []float64{4 * (e/(e+2) - 1), 4 / (e + 2), 4 / (e + 2), 0} {
		near(t, "gradient", out["gradient"].Data[i], want, 1e-6)
	}
	for i := range in["absent"].Data {
		in["absent"].Data[i] = noKey
	}
	out = graphtest.Run(buildRegions(t), in)
	for _, v := range append(out["gradient"].Data, out["loss"].Data...) {
		near(t, "without negatives", v, 0, 0)
	}
}

func TestRegionContrastGradients(t *testing.T) {
	graphtest.CheckGradients(t, regionLoss, regionOperands(rand.New(rand.NewPCG(5, 21))), []string{"queries"}, 1e-6, graphtest.Typed("own", graphs.Int64))
}

// TestRegionPool: means of 1×2 cells, of unit length; gradients through both.
func TestRegionPool(t *testing.T) {
	r := Regions{Rows: 2, Columns: 2}
	pool := func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value { return r.Pool(in["features"]) }
	g, err := graphs.Build("pool", func(g *graphs.Graph) {
		g.Output("pooled", pool(g, map[string]*graphs.Value{"features": g.Input("features", graphs.Float32, 1, 2, 2, 4)}))
	})
	if err != nil {
		t.Fatal(err)
	}
	in := graphtest.Array{Shape: graphs.Shape{1, 2, 2, 4}, Data: []float64{1, 5, 0, 0, 2, 2, 3, 1, 3, 5, 1, 3, 0, 0, 1, 3}}
	pooled := graphtest.Run(g, map[string]graphtest.Array{"features": in})["pooled"]
	// Means: (3, 4), (0, 2), (2, 0), (2, 2).
	for i, want := range []float64{0.6, 0.8, 0, 1, 1, 0, math.Sqrt(0.5), math.Sqrt(0.5)} {
		near(t, "pooled", pooled.Data[i], want, 1e-6)
	}
	features := graphtest.Uniform(rand.New(rand.NewPCG(6, 21)), 0.1, 1, 2, 3, 4, 6)
	graphtest.CheckGradients(t, pool, map[string]graphtest.Array{"features": features}, []string{"features"}, 1e-5)
}

func TestRegionsRefuse(t *testing.T) {
	for want, build := range map[string]func(g *graphs.Graph){
		"that 2×3 regions divide": func(g *graphs.Graph) { Regions{Rows: 2, Columns: 3}.Pool(g.Param("f", 1, 2, 4, 4)) },
		"want queries [N,R,D], keys [K,D]": func(g *graphs.Graph) {
			RegionContrast(g.Param("q", 1, 2, 3), g.Param("k", 4, 2), g.Input("o", graphs.Int64, 1, 2), g.Param("a", 1, 4), g.Param("w", 1, 2), 1)
		},
		"tau is 0": func(g *graphs.Graph) {
			RegionContrast(g.Param("q", 1, 2, 3), g.Param("k", 4, 3), g.Input("o", graphs.Int64, 1, 2), g.Param("a", 1, 4), g.Param("w", 1, 2), 0)
		},
	} {
		if _, err := graphs.Build("wrong", build); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want … %s", err, want)
		}
	}
}

// TestNegatives: what strategies take of two remembered regions, one of them there, and of two
// images of two.
func TestNegatives(t *testing.T) {
	for _, c := range []struct {
		within, across bool
		want           string
	}{{true, false, "--oo--"}, {false, true, "o---oo"}, {true, true, "o-oooo"}} {
		s := Negatives{Regions: 2, Memory: 2, Known: 1, Within: c.within, Across: c.across}
		absent := make([]float32, 6)
		s.Encode(absent, 0)
		for k, v := range absent {
			if there := c.want[k] == 'o'; there != (v == 0) || !there && v != noKey {
				t.Errorf("%+v: key %d is %g", s, k, v)
			}
		}
		if s.Own(1, 1) != 5 {
			t.Errorf("region 1 of image 1 is key %d", s.Own(1, 1))
		}
	}
}

// TestTargetRegions: of regions of 2×2 pixels of a 4×4 image, those of which three quarters are
// neither pasted nor rim.
func TestTargetRegions(t *testing.T) {
	pasted := make([]bool, 16)
	pasted[0], pasted[2], pasted[7] = true, true, true // one in region 0, two in region 1
	own, r := make([]bool, 4), Regions{Rows: 2, Columns: 2}
	if r.Target(own, pasted, 4, Rim{}, 0.75); !slices.Equal(own, []bool{true, false, true, true}) {
		t.Errorf("%v", own)
	}
	if r.Target(own, pasted, 4, Rim{Bottom: 1}, 0.75); !slices.Equal(own, []bool{true, false, false, false}) {
		t.Errorf("with a rim: %v", own)
	}
	if r.Target(own, pasted, 4, Rim{Bottom: 1}, 0.5); !slices.Equal(own, []bool{true, true, true, true}) {
		t.Errorf("of half: %v", own)
	}
}
