package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
	"t2sda/internal/raster"
)

const anchorTau = 0.5

// anchored is one of the two losses on maps [2,3,2,4] of four classes.
func anchored(in map[string]*graphs.Value, distance bool) *graphs.Value {
	if distance {
		return AnchorDistance(in["features"], in["anchors"], in["labels"], in["weights"])
	}
	return PrototypeContrast(in["features"], in["anchors"], in["absent"], in["labels"], in["weights"], anchorTau)
}

func anchorOperands(r *rand.Rand) map[string]graphtest.Array {
	return map[string]graphtest.Array{
		"features": graphtest.Uniform(r, -1, 1, 2, 3, 2, 4), "anchors": graphtest.Uniform(r, -1, 1, 4, 3),
		"absent":  {Shape: graphs.Shape{4}, Data: []float64{0, -1e4, 0, 0}},
		"labels":  graphtest.Fill(func() float64 { return float64(2 * r.IntN(2)) }, 2, 2, 4),
		"weights": graphtest.Uniform(r, 0, 1, 2, 2, 4),
	}
}

func buildAnchored(t testing.TB, distance bool) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("anchored", func(g *graphs.Graph) {
		in := map[string]*graphs.Value{
			"features": g.Param("features", 2, 3, 2, 4), "anchors": g.Input("anchors", graphs.Float32, 4, 3), "absent": g.Input("absent", graphs.Float32, 4),
			"labels": g.Input("labels", graphs.Int64, 2, 2, 4), "weights": g.Input("weights", graphs.Float32, 2, 2, 4),
		}
		loss := anchored(in, distance)
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, in["features"])[0])
		g.Output("sums", ClassSums(in["features"], in["labels"], 4))
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestAnchorsEqualReference: both losses and the sums as they read; class 1 has no anchor.
func TestAnchorsEqualReference(t *testing.T) {
	in := anchorOperands(rand.New(rand.NewPCG(3, 12)))
	f, a := in["features"], in["anchors"]
	contrast, distance, sums := 0.0, 0.0, make([]float64, 4*3)
	for i, w := range in["weights"].Data {
		n, at, label := i/8, i%8, int(in["labels"].Data[i])
		var total, own float64
		for c := range 4 {
			dot := 0.0
			for d := range 3 {
				x := f.Data[(n*3+d)*8+at]
				dot += x * a.At(c, d)
				if c == label {
					distance += w * (x - a.At(c, d)) * (x - a.At(c, d))
					sums[c*3+d] += x
				}
			}
			if c != 1 {
				total += math.Exp(dot / anchorTau)
			}
			if c == label {
				own = dot / anchorTau
			}
		}
		contrast += w * (math.Log(total) - own)
	}
	out := graphtest.Run(buildAnchored(t, false), in)
	near(t, "contrast", out["loss"].Data[0], contrast, 1e-6)
	for i, want := range sums {
		near(t, "sum", out["sums"].Data[i], want, 1e-9)
	}
	near(t, "distance", graphtest.Run(buildAnchored(t, true), in)["loss"].Data[0], distance, 1e-6)
}

func TestAnchorGradients(t *testing.T) {
	for _, distance := range []bool{false, true} {
		graphtest.CheckGradients(t, func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value { return anchored(in, distance) },
			anchorOperands(rand.New(rand.NewPCG(5, 12))), []string{"features"}, 1e-6, graphtest.Typed("labels", graphs.Int64))
	}
}

func TestAnchorsRefuseOtherShapes(t *testing.T) {
	_, err := graphs.Build("wrong", func(g *graphs.Graph) {
		AnchorDistance(g.Param("f", 1, 3, 2, 2), g.Param("a", 4, 2), g.Input("l", graphs.Int64, 1, 2, 2), g.Param("w", 1, 2, 2))
	})
	if err == nil || !strings.Contains(err.Error(), "want features [N,D,h,w], anchors [C,D]") {
		t.Errorf("error %v", err)
	}
}

// A class's first mean is its anchor; later ones move it by a quarter; one that is not there
// keeps it.
func TestFollowMeans(t *testing.T) {
	anchors := []float32{0, 0, 1, 2, 5, 5}
	if err := FollowMeans(anchors, []float32{4, 8, 10, 20, 0, 0}, []int{4, 2, 0}, 0.75); err != nil || !slices.Equal(anchors, []float32{1, 2, 2, 4, 5, 5}) {
		t.Errorf("anchors %v, %v", anchors, err)
	}
	if err := FollowMeans(anchors, anchors[:4], []int{1, 1}, 0.5); err == nil {
		t.Error("sums of another size are taken")
	}
}

// Void and classes without an anchor have no weight; the others share 1.
func TestEncodeAnchored(t *testing.T) {
	ids, weights := make([]uint8, 4), make([]float32, 4)
	n, err := EncodeAnchored(ids, weights, []uint8{0, raster.Void, 2, 1}, []bool{true, false, true}, 0)
	if err != nil || n != 2 || !slices.Equal(ids, []uint8{0, 0, 2, 0}) || !slices.Equal(weights, []float32{0.5, 0, 0.5, 0}) {
		t.Errorf("%d: ids %v, weights %v, %v", n, ids, weights, err)
	}
	if n, err := EncodeAnchored(ids, weights, []uint8{0, raster.Void, 2, 1}, []bool{true, false, true}, 8); err != nil || n != 2 || !slices.Equal(weights, []float32{0.125, 0, 0.125, 0}) {
		t.Errorf("%d of 8: weights %v, %v", n, weights, err)
	}
	if _, err := EncodeAnchored(ids, weights, []uint8{3, 0, 0, 0}, []bool{true, true, true}, 0); err == nil || !strings.Contains(err.Error(), "label 3 is neither") {
		t.Errorf("error %v", err)
	}
	if _, err := EncodeAnchored(ids[:1], weights, []uint8{0, 0, 0, 0}, []bool{true}, 0); err == nil || !strings.Contains(err.Error(), "1 ids") {
		t.Errorf("error %v", err)
	}
}
