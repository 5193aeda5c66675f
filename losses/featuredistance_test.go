package losses

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
	"t2sda/internal/raster"
)

// buildDistance makes the term with its gradient for maps [n,d,h,w].
func buildDistance(t testing.TB, n, d, h, w int) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("distance", func(g *graphs.Graph) {
		features := g.Param("features", n, d, h, w)
		loss := FeatureDistance(features, g.Input("frozen", graphs.Float32, n, d, h, w), g.Input("weights", graphs.Float32, n, h, w))
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, features)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// distanceOperands draws maps [2,3,2,3] and weights of which every other is 0.
func distanceOperands(r *rand.Rand) map[string]graphtest.Array {
	in := map[string]graphtest.Array{
		"features": graphtest.Uniform(r, -2, 2, 2, 3, 2, 3),
		"frozen":   graphtest.Uniform(r, -2, 2, 2, 3, 2, 3),
		"weights":  graphtest.Uniform(r, 0, 1, 2, 2, 3),
	}
	for i := 0; i < len(in["weights"].Data); i += 2 {
		in["weights"].Data[i] = 0
	}
	return in
}

// Two positions that differ by (3,4) and by (0,2), with weights ¼ and ¾: the
// distances are 5 and 2.
func TestFeatureDistanceByHand(t *testing.T) {
	out := graphtest.Run(buildDistance(t, 1, 2, 1, 2), map[string]graphtest.Array{
		"features": {Shape: graphs.Shape{1, 2, 1, 2}, Data: []float64{4, 1, 5, -1}},
		"frozen":   {Shape: graphs.Shape{1, 2, 1, 2}, Data: []float64{1, 1, 1, 1}},
		"weights":  {Shape: graphs.Shape{1, 1, 2}, Data: []float64{0.25, 0.75}},
	})
	near(t, "distance", out["loss"].Data[0], 0.25*5+0.75*2, 1e-12)
	for i, want := range []float64{0.25 * 3 / 5, 0, 0.25 * 4 / 5, -0.75} {
		near(t, fmt.Sprint("gradient ", i), out["gradient"].Data[i], want, 1e-12)
	}
}

func TestFeatureDistanceGradient(t *testing.T) {
	for seed := range uint64(3) {
		graphtest.CheckGradients(t, func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
			return FeatureDistance(in["features"], in["frozen"], in["weights"])
		}, distanceOperands(rand.New(rand.NewPCG(seed, 1))), []string{"features"}, 1e-6, graphtest.Seed(seed))
	}
}

// Where no position counts, value and gradient are exactly 0; where the maps are
// equal, too, whatever the weights.
func TestFeatureDistanceOfNothingIsZero(t *testing.T) {
	g := buildDistance(t, 2, 3, 2, 3)
	unweighted := distanceOperands(rand.New(rand.NewPCG(5, 1)))
	clear(unweighted["weights"].Data)
	equal := distanceOperands(rand.New(rand.NewPCG(6, 1)))
	equal["frozen"] = equal["features"]
	for name, in := range map[string]map[string]graphtest.Array{"no position": unweighted, "equal maps": equal} {
		for output, a := range graphtest.Run(g, in) {
			for _, v := range a.Data {
				if v != 0 || math.IsNaN(v) {
					t.Fatalf("%s: %s holds %g", name, output, v)
				}
			}
		}
	}
}

// A position at distance 0 leaves the others' gradient as it is.
func TestFeatureDistanceStaysFinite(t *testing.T) {
	in := distanceOperands(rand.New(rand.NewPCG(7, 1)))
	for c := range 3 { // position 1 of image 0, which has a weight
		in["frozen"].Data[c*6+1] = in["features"].Data[c*6+1]
	}
	sum := 0.0
	for _, v := range graphtest.Run(buildDistance(t, 2, 3, 2, 3), in)["gradient"].Data {
		sum += v * v
	}
	if !(sum > 0.01 && sum < 100) {
		t.Errorf("the gradient's squared norm is %g", sum)
	}
}

func TestFeatureDistanceRefusesOtherShapes(t *testing.T) {
	_, err := graphs.Build("distance", func(g *graphs.Graph) {
		FeatureDistance(g.Param("features", 1, 2, 3, 4), g.Input("frozen", graphs.Float32, 1, 2, 3, 4), g.Input("weights", graphs.Float32, 1, 4, 3))
	})
	if err == nil || !strings.Contains(err.Error(), "FeatureDistance") {
		t.Errorf("error %v", err)
	}
}

// refThings is DAFormer's rule as it is written: the one-hot label averaged over
// each cell, its largest channel, void as one more channel.
func refThings(labels []uint8, n, height, width, h, w int, things []bool, ratio float64) []bool {
	var out []bool
	for i := range n {
		for y := range h {
			for x := range w {
				pooled := make([]float64, len(things)+1)
				cell := 0.0
				for r := y * height / h; r < (y+1)*height/h; r++ {
					for c := x * width / w; c < (x+1)*width/w; c++ {
						pooled[min(int(labels[(i*height+r)*width+c]), len(things))]++
						cell++
					}
				}
				top := slices.Index(pooled, slices.Max(pooled))
				out = append(out, top < len(things) && things[top] && pooled[top]/cell >= ratio)
			}
		}
	}
	return out
}

// Cells that divide the labels evenly, that do not, and labels smaller than a
// cell, with regions that cover any share of a cell.
func TestWeighThingsEqualsReference(t *testing.T) {
	things := []bool{false, true, true, false}
	for _, k := range []struct{ n, height, width, h, w int }{
		{2, 64, 96, 2, 3}, {1, 48, 48, 2, 2}, {1, 33, 47, 2, 3}, {2, 5, 7, 1, 1}, {1, 4, 6, 4, 6},
	} {
		for seed := range uint64(8) {
			r := rand.New(rand.NewPCG(seed, 2))
			labels := make([]uint8, k.n*k.height*k.width)
			for i := range labels { // blobs: most pixels repeat their neighbour
				switch {
				case i >= k.width && r.IntN(10) > 0:
					labels[i] = labels[i-k.width]
				case i > 0 && r.IntN(10) > 0:
					labels[i] = labels[i-1]
				default:
					labels[i] = []uint8{0, 1, 2, 3, raster.Void}[r.IntN(5)]
				}
			}
			ratio := []float64{0.75, 0.3, 0.55, 1}[seed%4]
			weights := make([]float32, k.n*k.h*k.w)
			count, err := Things{things, ratio}.Weigh(weights, labels, k.n, k.height, k.width, k.h, k.w, 0)
			if err != nil {
				t.Fatal(err)
			}
			want := refThings(labels, k.n, k.height, k.width, k.h, k.w, things, ratio)
			number := 0
			for _, yes := range want {
				if yes {
					number++
				}
			}
			for i, yes := range want {
				expected := float32(0)
				if yes {
					expected = float32(1 / float64(number))
				}
				if count != number || weights[i] != expected {
					t.Fatalf("%+v seed %d ratio %g: position %d weighs %g, want %g (%d count, want %d)",
						k, seed, ratio, i, weights[i], expected, count, number)
				}
			}
		}
	}
}

// Exactly three quarters of a cell count, one pixel less does not, and neither
// do stuff and void.
func TestWeighThingsAtTheRatio(t *testing.T) {
	labels := []uint8{ // cells of 2×4
		1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 255, 255, 255, 255,
		1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255,
	}
	weights := []float32{9, 9, 9, 9}
	count, err := Things{[]bool{false, true}, 0.75}.Weigh(weights, labels, 1, 2, 16, 1, 4, 0)
	if err != nil || count != 1 || !slices.Equal(weights, []float32{1, 0, 0, 0}) {
		t.Errorf("%d positions, weights %v, %v", count, weights, err)
	}
	count, err = Things{[]bool{false, false}, 0.75}.Weigh(weights, labels, 1, 2, 16, 1, 4, 0)
	if err != nil || count != 0 || !slices.Equal(weights, make([]float32, 4)) {
		t.Errorf("without things: %d positions, weights %v, %v", count, weights, err)
	}
}

func TestWeighThingsErrors(t *testing.T) {
	for _, k := range []struct {
		weights, labels, h, w int
		want                  string
	}{
		{3, 16, 2, 2, "3 values do not fill the grid [1,2,2]"},
		{4, 15, 2, 2, "15 values do not fill [1,4,4]"},
		{64, 16, 8, 8, "finer"},
		{4, 16, 2, 2, "label 7 is neither one of 2 classes nor void (255)"},
	} {
		labels := slices.Repeat([]uint8{7}, k.labels)
		_, err := Things{make([]bool, 2), 0.75}.Weigh(make([]float32, k.weights), labels, 1, 4, 4, k.h, k.w, 0)
		if err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%+v: error %v", k, err)
		}
	}
}
