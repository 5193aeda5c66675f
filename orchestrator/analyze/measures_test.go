package analyze

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/orchestrator/features"
)

// planar lays vectors out as features [D,n].
func planar(x ...[]float32) []float32 {
	out := make([]float32, 0, len(x)*len(x[0]))
	for d := range x[0] {
		for _, v := range x {
			out = append(out, v[d])
		}
	}
	return out
}

// gathered returns the moments of one image.
func gathered(classes int, x [][]float32, labels []uint8) *features.Moments {
	m := features.NewMoments(classes, len(x[0]))
	m.Add(planar(x...), labels)
	return m
}

// pddOf makes the second pass over one image.
func pddOf(t *testing.T, m *features.Moments, x [][]float32, labels []uint8) []float64 {
	t.Helper()
	d := newDiscrimination(m.Means())
	if err := d.add(t.Context(), planar(x...), labels); err != nil {
		t.Fatal(err)
	}
	return d.pdd()
}

// near compares to a relative 1e-9, NaN being equal to NaN.
func near(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}

func compare(t *testing.T, what string, have, want []float64) {
	t.Helper()
	if len(have) != len(want) {
		t.Fatalf("%s: %v, want %v", what, have, want)
	}
	for i := range have {
		if !near(have[i], want[i]) {
			t.Errorf("%s of class %d is %v, want %v", what, i, have[i], want[i])
		}
	}
}

// TestDiscriminationByHand: two classes in the plane, a third one absent. S_0 =
// {(3,4), (4,3)} and S_1 = {(1,0)}: μ_0 = (3.5,3.5), cosines of both x of S_0 to it
// 7/(5√2), to μ_1 0.6 and 0.8; x of S_1 has cosine 1 to μ_1 and 1/√2 to μ_0.
func TestDiscriminationByHand(t *testing.T) {
	x, labels := [][]float32{{3, 4}, {4, 3}, {1, 0}}, []uint8{0, 0, 1}
	own := 7 / (5 * math.Sqrt2)
	compare(t, "PDD", pddOf(t, gathered(3, x, labels), x, labels), []float64{1 - (own/0.6+own/0.8)/2, 1 - math.Sqrt2, math.NaN()})
}

// TestDiscriminationOfLittle: what has no number.
func TestDiscriminationOfLittle(t *testing.T) {
	nan, x := math.NaN(), [][]float32{{1, 0}, {2, 0}}
	compare(t, "PDD of a single class", pddOf(t, gathered(2, x, []uint8{1, 1}), x, []uint8{1, 1}), []float64{nan, nan})

	dark := [][]float32{{0, 0}, {1, 1}, {1, 0}} // features of 0 have no direction: that position counts nowhere
	compare(t, "PDD with zeros", pddOf(t, gathered(2, dark, []uint8{0, 0, 1}), dark, []uint8{0, 0, 1}), []float64{1 - math.Sqrt2, 1 - math.Sqrt2})
}

// cloud draws n features of D dimensions with their labels; about a tenth is
// void, class 0 never occurs.
func cloud(r *rand.Rand, n, depth, classes int) (x [][]float32, labels []uint8) {
	for range n {
		c := uint8(1 + r.IntN(classes-1))
		v := make([]float32, depth)
		for d := range v {
			v[d] = float32(math.Abs(r.NormFloat64() + float64(int(c)*d%5)))
		}
		if r.IntN(10) == 0 {
			c = raster.Void
		}
		x, labels = append(x, v), append(labels, c)
	}
	return x, labels
}

// naive follows the definitions word by word.
func naive(x [][]float32, labels []uint8, classes int) (means [][]float64, ccd, pdd []float64) {
	dot := func(a, b []float64) (sum float64) {
		for d := range a {
			sum += a[d] * b[d]
		}
		return sum
	}
	sets := make([][][]float64, classes)
	for i, c := range labels {
		if c == raster.Void {
			continue
		}
		v := make([]float64, len(x[i]))
		for d := range v {
			v[d] = float64(x[i][d])
		}
		sets[c] = append(sets[c], v)
	}
	present := 0.0
	for _, set := range sets {
		var mean []float64
		if len(set) > 0 {
			present++
			mean = make([]float64, len(set[0]))
			for _, v := range set {
				for d := range mean {
					mean[d] += v[d] / float64(len(set))
				}
			}
		}
		means = append(means, mean)
	}
	squared := func(a, b []float64) float64 { return dot(a, a) - 2*dot(a, b) + dot(b, b) }
	cosine := func(a, b []float64) float64 { return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b)) }
	for c, set := range sets {
		distance, ratio := 0.0, 0.0
		for _, v := range set {
			others := 0.0
			for j, mean := range means {
				if j != c && mean != nil {
					distance += squared(v, means[c]) / squared(means[c], mean) / (present - 1)
					others += cosine(v, mean)
				}
			}
			ratio += cosine(v, means[c]) / others
		}
		n := float64(len(set))
		ccd, pdd = append(ccd, distance/n), append(pdd, 1-ratio/n)
	}
	return means, ccd, pdd
}

// TestMeasuresAgainstDefinition streams random features in images of different
// sizes, larger and smaller than a stripe.
func TestMeasuresAgainstDefinition(t *testing.T) {
	const seed, classes, depth = 5, 7, 12
	t.Logf("seed %d", seed)
	r := rng.New(seed, 0, "measures")
	var x [][]float32
	var labels []uint8
	var images [][2]int
	for _, n := range []int{1, 30, stripe, 2*stripe + 17} {
		images = append(images, [2]int{len(x), len(x) + n})
		v, l := cloud(r, n, depth, classes)
		x, labels = append(x, v...), append(labels, l...)
	}
	m := features.NewMoments(classes, depth)
	for _, i := range images {
		m.Add(planar(x[i[0]:i[1]]...), labels[i[0]:i[1]])
	}
	d := newDiscrimination(m.Means())
	for _, i := range images {
		if err := d.add(t.Context(), planar(x[i[0]:i[1]]...), labels[i[0]:i[1]]); err != nil {
			t.Fatal(err)
		}
	}
	means, ccd, pdd := naive(x, labels, classes)
	for c := range means {
		compare(t, fmt.Sprintf("mean of class %d, coordinate", c), m.Means()[c], means[c])
	}
	compare(t, "CCD", m.CCD(), ccd)
	compare(t, "PDD", d.pdd(), pdd)
	compare(t, "similarity of a domain to itself", features.Similarity(m.Means(), means), []float64{math.NaN(), 1, 1, 1, 1, 1, 1})
}

// TestMeasuresInvariances: classes may be renamed, and features scaled, in each
// domain by a factor of its own.
func TestMeasuresInvariances(t *testing.T) {
	const seed, classes, depth = 6, 5, 8
	t.Logf("seed %d", seed)
	r := rng.New(seed, 0, "invariances")
	x, labels := cloud(r, 400, depth, classes)
	y, others := cloud(r, 300, depth, classes)
	permutation := r.Perm(classes)
	permuted := func(labels []uint8) []uint8 {
		out := slices.Clone(labels)
		for i, l := range out {
			if l != raster.Void {
				out[i] = uint8(permutation[l])
			}
		}
		return out
	}
	moved := func(values []float64) []float64 {
		out := make([]float64, len(values))
		for c, v := range values {
			out[permutation[c]] = v
		}
		return out
	}
	scaled := func(x [][]float32, factor float32) [][]float32 {
		out := make([][]float32, len(x))
		for i, v := range x {
			for _, u := range v {
				out[i] = append(out[i], factor*u)
			}
		}
		return out
	}
	a, b := gathered(classes, x, labels), gathered(classes, y, others)
	ap, bp := gathered(classes, x, permuted(labels)), gathered(classes, y, permuted(others))
	as, bs := gathered(classes, scaled(x, 8), labels), gathered(classes, scaled(y, 0.5), others)
	compare(t, "similarity, permuted", features.Similarity(ap.Means(), bp.Means()), moved(features.Similarity(a.Means(), b.Means())))
	compare(t, "CCD, permuted", ap.CCD(), moved(a.CCD()))
	compare(t, "PDD, permuted", pddOf(t, ap, x, permuted(labels)), moved(pddOf(t, a, x, labels)))
	compare(t, "similarity, scaled", features.Similarity(as.Means(), bs.Means()), features.Similarity(a.Means(), b.Means()))
	compare(t, "CCD, scaled", as.CCD(), a.CCD())
	compare(t, "PDD, scaled", pddOf(t, as, scaled(x, 8), labels), pddOf(t, a, x, labels))
	compare(t, "similarity, domains exchanged", features.Similarity(b.Means(), a.Means()), features.Similarity(a.Means(), b.Means()))
}

func TestDraw(t *testing.T) {
	hits := make([]int, 10)
	for i := range 2000 {
		got := draw(rng.New(9, i, "draw"), 3, 10)
		if len(got) != 3 || !slices.IsSorted(got) || got[0] < 0 || got[2] > 9 || got[0] == got[1] || got[1] == got[2] {
			t.Fatalf("drew %v", got)
		}
		for _, v := range got {
			hits[v]++
		}
	}
	for v, n := range hits { // 600 ± 20.5 expected
		if n < 500 || n > 700 {
			t.Errorf("%d was drawn %d times of 2000, want about 600", v, n)
		}
	}
	if got := draw(rng.New(9, 0, "draw"), 5, 3); !slices.Equal(got, []int64{0, 1, 2}) {
		t.Errorf("all of 3: %v", got)
	}
	if got := draw(rng.New(9, 0, "draw"), 5, 0); len(got) != 0 {
		t.Errorf("of none: %v", got)
	}
}

// TestSample: the positions drawn are those that are collected, at unit length.
func TestSample(t *testing.T) {
	x := [][]float32{{3, 4}, {0, 2}, {5, 0}, {0, 0}, {6, 8}}
	labels := []uint8{0, 1, raster.Void, 1, 0}
	s := newSample(&domain{Images: &features.Images{Domain: targetName}}, []int64{2, 2, 0}, 2, 1)
	s.add(planar(x[:3]...), labels[:3])
	if err := s.complete(); err == nil {
		t.Error("a sample was complete before its last image")
	}
	s.add(planar(x[3:]...), labels[3:])
	if err := s.complete(); err != nil {
		t.Fatal(err)
	}
	want := []point{{0, true, []float32{0.6, 0.8}}, {1, true, []float32{0, 1}}, {1, true, []float32{0, 0}}, {0, true, []float32{0.6, 0.8}}}
	if fmt.Sprint(s.points) != fmt.Sprint(want) {
		t.Errorf("collected %v, want %v", s.points, want)
	}
}

// TestPrincipal: points on the line (1,2)·s/√5 + (2,−1)·t/√5 with s = ±2, t = ±1:
// variances 4 : 1, whatever is added to all points.
func TestPrincipal(t *testing.T) {
	var x [][]float32
	var want [][2]float64
	for _, s := range []float64{-2, 2} {
		for _, u := range []float64{-1, 1} {
			x = append(x, []float32{float32((s+2*u)/math.Sqrt(5) + 7), float32((2*s-u)/math.Sqrt(5) - 3)})
			want = append(want, [2]float64{s, u})
		}
	}
	at, variance, err := principal(x)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(variance[0]-0.8) > 1e-6 || math.Abs(variance[1]-0.2) > 1e-6 {
		t.Errorf("variances %v, want 0.8 and 0.2", variance)
	}
	for i := range at {
		if math.Abs(at[i][0]-want[i][0]) > 1e-5 || math.Abs(at[i][1]-want[i][1]) > 1e-5 {
			t.Errorf("point %d lies at %v, want %v", i, at[i], want[i])
		}
	}
	if _, _, err := principal(x[:2]); err == nil {
		t.Error("two points have principal components")
	}
}

func TestNumberJSON(t *testing.T) {
	text, err := json.Marshal([]Number{0.5, Number(math.NaN()), Number(math.Inf(-1))})
	if err != nil || string(text) != "[0.5,null,null]" {
		t.Fatalf("%s, %v", text, err)
	}
	var back []Number
	if err := json.Unmarshal(text, &back); err != nil || back[0] != 0.5 || back[1].Finite() {
		t.Errorf("%v, %v", back, err)
	}
}

// TestAverages: means over the classes that have the measure, and Pearson's
// correlation, which is −1 on a falling line.
func TestAverages(t *testing.T) {
	nan := Number(math.NaN())
	classes := []Class{
		{Name: "a", Similarity: 1, Target: DomainClass{Positions: 3, IoU: 0.1, CCD: 2, PDD: nan}, Source: DomainClass{PDD: 4}},
		{Name: "b", Similarity: 0.5, Target: DomainClass{Positions: 4, IoU: 0.6, CCD: nan, PDD: nan}, Source: DomainClass{PDD: 6}},
		{Name: "c", Similarity: 0, Target: DomainClass{IoU: 1.1, CCD: 3, PDD: nan}, Source: DomainClass{PDD: nan}},
		{Name: "d", Similarity: nan, Target: DomainClass{IoU: 1, CCD: Number(math.Inf(1)), PDD: nan}, Source: DomainClass{PDD: nan}},
	}
	m := average(classes)
	if m.Similarity != 0.5 || m.Target.CCD != 2.5 || m.Source.PDD != 5 || m.Target.PDD.Finite() || m.Target.Positions != 7 || !near(float64(m.Target.IoU), 0.7) {
		t.Errorf("means %+v", m)
	}
	if got := correlation(classes); !near(float64(got), -1) {
		t.Errorf("correlation %v, want -1", got)
	}
	if got := correlation(classes[:2]); got.Finite() {
		t.Errorf("two classes correlate by %v", got)
	}
}
