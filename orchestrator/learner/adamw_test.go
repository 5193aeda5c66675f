package learner

import (
	"math"
	"testing"

	"t2sda/configs"
	"t2sda/internal/rng"
)

// TestAdamWGolden compares three steps on two groups with PyTorch
// (testdata/adamw_golden.py).
func TestAdamWGolden(t *testing.T) {
	golden := [][]float32{
		{0.489950001, -1.23987496, 1.98979998, 0.199999988, -0.299999982},
		{0.480930001, -1.23084283, 1.9806087, 0.2873317, -0.390094727},
		{0.47291705, -1.22295868, 1.97242141, 0.358821332, -0.470344335},
	}
	p := []float32{0.5, -1.25, 2, 0.1, -0.2}
	g, m, v := make([]float32, 5), make([]float32, 5), make([]float32, 5)
	o := newAdamW(configs.Default().Train, []span{{0, 3, 1, 0.01}, {3, 5, 10, 0}})
	sizes := []int{3, 2}
	for step, want := range golden {
		at := 0
		for k, n := range sizes {
			for i := range n {
				sign := 1 - 2*float64((i+k)%2)
				g[at] = float32(0.3*float64(i+1)*sign + 0.1*float64(step))
				at++
			}
		}
		o.update(p, g, m, v, update{index: step, lr: 1e-2 * (1 - float64(step)/10), scale: 1})
		for i := range p {
			if math.Abs(float64(p[i]-want[i])) > 1e-6 {
				t.Errorf("step %d, parameter %d: have %.8g, want %.8g", step, i, p[i], want[i])
			}
		}
	}
}

// TestClipNorm: gradients are unscaled before they are clipped.
func TestClipNorm(t *testing.T) {
	c := configs.Default().Train
	c.ClipNorm, c.Beta1, c.Beta2 = 1, 0, 0
	for _, scale := range []float64{1, 1 << 16} {
		g := []float32{3 * float32(scale), 4 * float32(scale)}
		p, m, v := make([]float32, 2), make([]float32, 2), make([]float32, 2)
		newAdamW(c, []span{{0, 2, 1, 0}}).update(p, g, m, v, update{lr: 1, norm: norm2(g) / scale, scale: scale})
		if math.Abs(float64(m[0])-0.6) > 1e-6 || math.Abs(float64(m[1])-0.8) > 1e-6 {
			t.Errorf("clipped gradient %v, want [0.6 0.8]", m)
		}
	}
}

// TestNorm: the sum is that of fixed blocks' sums, to the bit.
func TestNorm(t *testing.T) {
	r := rng.New(1, 0, "norm")
	x := make([]float32, 150_001)
	var want, block float64
	for i := range x {
		x[i] = float32(r.NormFloat64())
		block += float64(x[i]) * float64(x[i])
		if i%16384 == 16383 || i == len(x)-1 {
			want, block = want+block, 0
		}
	}
	if got := norm2(x); got != math.Sqrt(want) {
		t.Errorf("have %v, want %v", got, math.Sqrt(want))
	}
}

func TestEMA(t *testing.T) {
	teacher, student := []float32{1, 2, 3}, []float32{5, 6, 7}
	emaUpdate(teacher, student, 1)
	if teacher[0] != 1 || teacher[2] != 3 {
		t.Errorf("α = 1 moved the teacher to %v", teacher)
	}
	emaUpdate(teacher, student, 0.75)
	if teacher[0] != 2 || teacher[1] != 3 || teacher[2] != 4 {
		t.Errorf("have %v, want [2 3 4]", teacher)
	}
	emaUpdate(teacher, student, 0)
	if teacher[1] != 6 {
		t.Errorf("α = 0 is no copy: %v", teacher)
	}
}

func TestSchedules(t *testing.T) {
	c := configs.Default().Train // warm-up 1500 from 1e-6, T = 40 000, power 1
	for _, s := range []struct {
		t    int
		want float64
	}{
		{0, 6e-5 * 1e-6},
		{750, 6e-5 * (1 - 750.0/40000) * (1 - 0.5*(1-1e-6))},
		{1500, 6e-5 * (1 - 1500.0/40000)},
		{20000, 3e-5},
		{39999, 6e-5 / 40000},
	} {
		if got := LearningRate(c, s.t); math.Abs(got-s.want) > 1e-12*s.want+1e-20 {
			t.Errorf("learning rate at %d: have %g, want %g", s.t, got, s.want)
		}
	}
	for _, s := range []struct {
		t    int
		want float64
	}{{0, 0}, {1, 0.5}, {3, 0.75}, {998, 1 - 1.0/999}, {5000, 0.999}} {
		if got := emaDecay(0.999, s.t); math.Abs(got-s.want) > 1e-12 {
			t.Errorf("EMA decay at %d: have %g, want %g", s.t, got, s.want)
		}
	}
}
