package learner

import (
	"context"
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/rng"
	"t2sda/losses"
)

func clustering() configs.Config {
	c := small()
	c.Method, c.Loss.Cluster.Memory, c.Loss.Cluster.Samples = configs.CPSL, 40, 16
	return c
}

// handClusters are clusters of three classes, of which the last has no prototype, and features of
// two images on a grid of 2×4, that turn away from class 0's prototype.
func handClusters() (*clusters, *denoiser) {
	k := &clusters{cfg: configs.Cluster{Samples: 8, Memory: 20, Epsilon: 0.05, Balance: 50}, classes: 3}
	d := &denoiser{grid: losses.Grid{N: 2, D: 2, H: 2, W: 4}, rows: []float32{1, 0, 0, 1, 0, 0}, absent: []float32{0, 0, noPrototype}, features: make([]float32, 32)}
	k.memory, k.prior = &ring{width: 2, rows: make([]float32, 40), filled: make([]float32, 1)}, []float32{0.5, 0.25, 0.25}
	k.targets, k.positions = make([]float32, 48), make([]float32, 16)
	for n := range 2 {
		for i := range 8 {
			angle := 0.1 * float64(i)
			d.features[n*16+i], d.features[n*16+8+i] = float32(3*math.Cos(angle)), float32(3*math.Sin(angle))
		}
	}
	return k, d
}

// TestAssignByShares: of positions that all lie along class 0's prototype or nearly so, the prior's
// share goes to class 1, and none to a class without a prototype; features are remembered, the
// oldest forgotten.
func TestAssignByShares(t *testing.T) {
	k, d := handClusters()
	all := [][]int{{0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3, 4, 5, 6, 7}}
	for step := range 3 {
		if err := k.assign(d, all, rng.New(1, step, "positions")); err != nil {
			t.Fatal(err)
		}
		var sums [3]float64
		for i, q := range k.targets {
			sums[i/8%3] += float64(q)
		}
		// Classes 0 and 1 share the rest as ½ to ¼.
		if math.Abs(sums[0]-32.0/3) > 0.5 || math.Abs(sums[1]-16.0/3) > 0.5 || sums[2] != 0 {
			t.Errorf("step %d: classes have %v of 16 positions", step, sums)
		}
		if q := k.targets; q[7] > q[0] {
			t.Errorf("step %d: the position next to class 1 is more of class 0 than the first: %v", step, q[:8])
		}
		if n := k.positions[0]; n != 1.0/16 {
			t.Errorf("step %d: a position weighs %g", step, n)
		}
	}
	if got := k.memory.filled[0]; got != 28 { // 48 positions in a ring of 20, from 20 to 39
		t.Errorf("%g are remembered", got)
	}
	clear(k.prior)
	if err := k.assign(d, all, rng.New(1, 4, "positions")); err != nil || slices.Max(k.positions) != 0 {
		t.Errorf("without a prior: %v, %v", k.positions, err)
	}
}

// TestClusterOutsideOfRims: positions of the rim are not drawn, and a batch that is all rim adds
// nothing.
func TestClusterOutsideOfRims(t *testing.T) {
	k, d := handClusters()
	if err := k.assign(d, [][]int{{4, 5, 6}, nil}, rng.New(1, 0, "positions")); err != nil {
		t.Fatal(err)
	}
	for at, p := range k.positions {
		if drawn := at >= 4 && at < 7; drawn != (p == 1.0/3) || !drawn && p != 0 {
			t.Errorf("position %d weighs %g", at, p)
		}
	}
	if err := k.assign(d, [][]int{nil, nil}, rng.New(1, 1, "positions")); err != nil || slices.Max(k.positions) != 0 || k.memory.filled[0] != 3 {
		t.Errorf("all rim: positions %v, %g remembered, %v", k.positions, k.memory.filled[0], err)
	}
	c := clustering()
	c.Loss.IgnoreTop, c.Loss.IgnoreBottom = 0, 0.5
	l, b := open(t, c, zap.NewNop()), batch(c, 0)
	term := &denoiseTerm{l: l, judge: d}
	b.TargetRows[0].Of, b.TargetRows[1].Of = cropSize, 4*cropSize
	if got := term.positions(&iteration{batch: b}); !slices.Equal(got[0], []int{0, 1, 2, 3}) || len(got[1]) != 8 {
		t.Errorf("positions %v", got)
	}
	b.TargetRows[0], b.TargetRows[1] = datasets.Rows{From: cropSize, Of: 2 * cropSize}, datasets.Rows{From: cropSize, Of: 2 * cropSize}
	step, err := l.Iterate(t.Context(), 0, func(context.Context) (*datasets.Batch, error) { return b, nil })
	if err != nil || step.Losses["cluster"] != 0 {
		t.Errorf("all rim: losses %v, %v", step.Losses, err)
	}
}

// TestPriorOfRounds: the classes' shares are those of the round's labels, which the mean over crops
// makes, not those of the first crop of each place, by which features are summed.
func TestPriorOfRounds(t *testing.T) {
	total := &Total{}
	s, err := says(100, 100, 55)("")
	if err != nil {
		t.Fatal(err)
	}
	n := s.H * s.W
	for i := range n / 4 {
		s.Probabilities[n+i] = 101 // of class 1
	}
	s.Counts = []int32{0, 0, int32(n)}
	if err := total.Add(s); err != nil {
		t.Fatal(err)
	}
	k := &clusters{classes: 3, prior: make([]float32, 3)}
	if k.beginRound(total); !slices.Equal(k.prior, []float32{0.75, 0.25, 0}) {
		t.Errorf("prior %v", k.prior)
	}
}

// TestClusterMemoryIsBounded: 512 MB of features are refused with what would do.
func TestClusterMemoryIsBounded(t *testing.T) {
	k := &clusters{cfg: configs.Cluster{Memory: 65536}, classes: 3}
	err := k.open(nil, &denoiseTerm{judge: &denoiser{grid: losses.Grid{D: 2048}}})
	if want := "loss.cluster.memory: 65536 features of width 2048 are 512 MB in each checkpoint; set at most 32768, which are 256 MB"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestClusterLearns: a round's labels give the prior; a learner that takes over the state, with
// what is remembered, goes on as the one that it is of.
func TestClusterLearns(t *testing.T) {
	c := clustering()
	one, other := openWithSoft(t, c, sure), openWithSoft(t, c, sure)
	total := &Total{}
	s, err := one.Assess(t.Context(), batch(c, 0).Target[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := total.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.BeginRound(total, 0); err != nil {
		t.Fatal(err)
	}
	prior := one.memory[3]
	if prior.Name != "cluster.prior" || math.Abs(float64(prior.Data[0]+prior.Data[1]+prior.Data[2])-1) > 1e-6 {
		t.Errorf("%s is %v", prior.Name, prior.Data)
	}
	train(t, one, 0, 3)
	copyState(t, other, one)
	for _, s := range goesOn(t, one, other, 3, 5) {
		if !(s.Losses["cluster"] > 0) {
			t.Errorf("iteration %d: %v", s.Iteration, s.Losses)
		}
	}
}

// TestClusterWithoutARound: as `t2sda bench` has it, prototypes come with the first batch.
func TestClusterWithoutARound(t *testing.T) {
	l := open(t, clustering(), zap.NewNop())
	for _, s := range train(t, l, 0, 3) {
		if !(s.Losses["cluster"] > 0) {
			t.Errorf("losses %v", s.Losses)
		}
	}
}
