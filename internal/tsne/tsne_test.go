package tsne

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"t2sda/internal/rng"
)

// gaussians draws n points around each of several centres, d dimensions each.
func gaussians(r *rand.Rand, n, d int, centres ...float64) [][]float32 {
	var x [][]float32
	for _, c := range centres {
		for range n {
			p := make([]float32, d)
			for k := range p {
				p[k] = float32(c + r.NormFloat64())
			}
			x = append(x, p)
		}
	}
	return x
}

// TestGolden holds affinities and divergence against numpy: bisection over the
// dense matrix of squared distances, P = (P|i + P|j)/2n, Σ P log(P/Q).
func TestGolden(t *testing.T) {
	x := [][]float32{{0, 0, 0}, {1, 0, 0}, {0, 2, 0}, {5, 5, 5}, {5, 6, 5}, {4, 5, 7}}
	want := [][]float64{
		{0.000000000, 0.096393765, 0.080663169, 0.000085884, 0.000052882, 0.000016527},
		{0.096393765, 0.000000000, 0.072633423, 0.000190561, 0.000112641, 0.000028938},
		{0.080663169, 0.072633423, 0.000000000, 0.000155357, 0.000183770, 0.000012356},
		{0.000085884, 0.000190561, 0.000155357, 0.000000000, 0.100263704, 0.077413635},
		{0.000052882, 0.000112641, 0.000183770, 0.100263704, 0.000000000, 0.071793388},
		{0.000016527, 0.000028938, 0.000012356, 0.077413635, 0.071793388, 0.000000000},
	}
	p, err := affinities(t.Context(), x, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range want {
		for j, w := range row {
			if got := float64(p.row(i)[j]); math.Abs(got-w) > 1e-6 {
				t.Errorf("p[%d][%d] = %.9f, want %.9f", i, j, got, w)
			}
		}
	}
	kl, err := divergence(t.Context(), p, [][2]float64{{0, 0}, {1, .5}, {-1, 2}, {3, 3}, {3.5, 4}, {2, 5}})
	if err != nil || math.Abs(kl-0.30741139468040757) > 1e-6 {
		t.Errorf("divergence %.9f, %v", kl, err)
	}
}

// TestPerplexity: every point's conditional distribution has the perplexity that
// was asked for, far outliers and data of any scale included.
func TestPerplexity(t *testing.T) {
	const n = 120
	for _, scale := range []float32{1e-6, 1, 1e6} {
		x := gaussians(rng.New(1, 0, "perplexity"), n/2, 8, 0, 3)
		x[7] = []float32{90, 90, 90, 90, 90, 90, 90, 90}
		for _, perplexity := range []float64{1.5, 5, 30, 100} {
			for i := range x {
				row := make([]float32, n)
				for j := range x {
					row[j] = squaredDistance(x[i], x[j]) * scale
				}
				conditional(row, i, perplexity)
				var entropy, sum float64
				for _, p := range row {
					sum += float64(p)
					if p > 0 {
						entropy -= float64(p) * math.Log(float64(p))
					}
				}
				if got := math.Exp(entropy); math.Abs(got/perplexity-1) > 1e-4 || math.Abs(sum-1) > 1e-5 || row[i] != 0 {
					t.Fatalf("scale %g, point %d: perplexity %g, want %g; sum %g, p_ii %g", scale, i, got, perplexity, sum, row[i])
				}
			}
		}
	}
}

// TestGradient holds the gradient against central differences of the divergence,
// for random layouts and directions.
func TestGradient(t *testing.T) {
	r := rng.New(2, 0, "gradient")
	p, err := affinities(t.Context(), gaussians(r, 10, 5, 0, 2), 4)
	if err != nil {
		t.Fatal(err)
	}
	kl := func(y [][2]float64) float64 {
		v, err := divergence(t.Context(), p, y)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for trial := range 5 {
		y, forces := make([][2]float64, p.n), make([]force, p.n)
		for i := range y {
			y[i] = [2]float64{3 * r.NormFloat64(), 3 * r.NormFloat64()}
		}
		z, err := repulsion(t.Context(), p, y, forces)
		if err != nil {
			t.Fatal(err)
		}
		for i := range y {
			gradient := forces[i].gradient(1, z)
			for k := range 2 {
				const h = 1e-5
				at := y[i][k]
				y[i][k] = at + h
				up := kl(y)
				y[i][k] = at - h
				down := kl(y)
				y[i][k] = at
				if want := (up - down) / (2 * h); math.Abs(gradient[k]-want) > 1e-6 {
					t.Errorf("layout %d, point %d, axis %d: gradient %.8f, differences %.8f", trial, i, k, gradient[k], want)
				}
			}
		}
	}
}

// TestClusters: two clusters stay two, every point's nearest neighbour is of its
// own, and the layout is a far better one than where it began.
func TestClusters(t *testing.T) {
	const n = 60
	x := gaussians(rng.New(3, 0, "clusters"), n, 10, 0, 6)
	for _, init := range []string{"random", "given", "one place"} {
		o := Options{Seed: 4}
		switch init {
		case "given":
			for _, p := range x {
				o.Start = append(o.Start, [2]float64{float64(p[0]), float64(p[1])})
			}
		case "one place":
			o.Start = make([][2]float64, 2*n)
		}
		l, err := Embed(t.Context(), x, o)
		if err != nil {
			t.Fatal(err)
		}
		if !(l.Divergence >= 0 && l.Divergence < 0.6) || l.Perplexity != 30 {
			t.Errorf("%s: divergence %g at perplexity %g", init, l.Divergence, l.Perplexity)
		}
		for i, a := range l.Points {
			best, at := math.Inf(1), -1
			for j, b := range l.Points {
				if d := math.Hypot(a[0]-b[0], a[1]-b[1]); j != i && d < best {
					best, at = d, j
				}
			}
			if i/n != at/n {
				t.Errorf("%s: the nearest neighbour of point %d is %d, of the other cluster", init, i, at)
			}
		}
	}
}

// TestRepeatable: neither the number of CPUs nor anything else but arguments
// changes a layout; another seed does.
func TestRepeatable(t *testing.T) {
	x := gaussians(rng.New(5, 0, "repeatable"), 50, 4, 0, 1, 2) // more points than fewRows
	embed := func(seed uint64) [][2]float64 {
		l, err := Embed(t.Context(), x, Options{Seed: seed, Iterations: 60})
		if err != nil {
			t.Fatal(err)
		}
		return l.Points
	}
	first := embed(1)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if second := embed(1); !equal(first, second) {
		t.Error("another number of CPUs gives another layout")
	}
	if equal(first, embed(2)) {
		t.Error("another seed gives the same layout")
	}
}

func equal(a, b [][2]float64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestCoincidingPoints: points in one place have no width to be found; the
// layout stays finite.
func TestCoincidingPoints(t *testing.T) {
	x := make([][]float32, 40)
	for i := range x {
		x[i] = []float32{1, 2, float32(i / 38)} // 38 in one place, 2 in another
	}
	l, err := Embed(t.Context(), x, Options{Perplexity: 5, Iterations: 300})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range l.Points {
		if s := p[0] + p[1]; s-s != 0 {
			t.Fatalf("point %d is at %v", i, p)
		}
	}
	if math.IsNaN(l.Divergence) {
		t.Error("divergence is NaN")
	}
}

func TestBadArguments(t *testing.T) {
	nan := float32(math.NaN())
	three := [][]float32{{0}, {1}, {2}}
	for _, c := range []struct {
		name string
		x    [][]float32
		o    Options
		want string
	}{
		{"two points", three[:2], Options{}, "2 points, want at least 3"},
		{"ragged", [][]float32{{0}, {1, 2}, {2}}, Options{}, "point 1 has 2 dimensions, point 0 has 1"},
		{"NaN", [][]float32{{0}, {1}, {nan}}, Options{}, "point 2 has a coordinate NaN"},
		{"perplexity", three, Options{Perplexity: 3}, "perplexity 3"},
		{"perplexity below 1", three, Options{Perplexity: 0.5}, "perplexity 0.5"},
		{"iterations", three, Options{Iterations: -1}, "-1 iterations"},
		{"start", three, Options{Start: make([][2]float64, 2)}, "2 first positions for 3 points"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Embed(t.Context(), c.x, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestCancel: a context that ends stops the descent.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last := 0
	_, err := Embed(ctx, gaussians(rng.New(6, 0, "cancel"), 20, 3, 0, 1), Options{Progress: func(done, total int) {
		if last = done; done == 10 {
			cancel()
		}
		if total != 1000 {
			t.Fatalf("total %d", total)
		}
	}})
	if !errors.Is(err, context.Canceled) || last != 10 {
		t.Errorf("stopped after %d iterations with %v", last, err)
	}
}

// BenchmarkEmbed is a picture's worth: 1500 points of 256 dimensions.
func BenchmarkEmbed(b *testing.B) {
	x := gaussians(rng.New(7, 0, "bench"), 150, 256, 0, .1, .2, .3, .4, .5, .6, .7, .8, .9)
	for b.Loop() {
		if _, err := Embed(b.Context(), x, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
