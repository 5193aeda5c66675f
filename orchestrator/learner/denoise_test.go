package learner

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// TestSoftCrop: of labels on cells of 4 px, a crop that begins at a cell has the cells
// themselves, mirrored or not, and one that begins between two the mean of both.
func TestSoftCrop(t *testing.T) {
	s := &Soft{C: 2, H: 3, W: 4, Probabilities: make([]uint8, 24)}
	for i := range s.Probabilities {
		s.Probabilities[i] = uint8(10 * i)
	}
	for name, k := range map[string]struct {
		at      datasets.Corner
		between uint8   // cells of so much less and more
		want    []uint8 // of a crop of 2×2 cells, both classes
	}{
		"at a cell": {datasets.Corner{X: 4, Y: 4}, 0, []uint8{50, 60, 90, 100, 170, 180, 210, 220}},
		"mirrored":  {datasets.Corner{X: 4, Y: 4, Flip: true}, 0, []uint8{60, 50, 100, 90, 180, 170, 220, 210}},
		"between":   {datasets.Corner{X: 2, Y: 4}, 5, []uint8{45, 55, 85, 95, 165, 175, 205, 215}},
	} {
		got := make([]float32, 8)
		s.crop(got, k.at, 8, 8, 2, 2, 4)
		for i, v := range got {
			want := (levels[k.want[i]-k.between] + levels[k.want[i]+k.between]) / 2
			if math.Abs(float64(v-want)) > 1e-6 {
				t.Errorf("%s: %v, want the levels of %v", name, got, k.want)
				break
			}
		}
	}
	if err := s.Validate(3); err == nil || !strings.Contains(err.Error(), "want 3 classes") {
		t.Errorf("error %v", err)
	}
	if got := fmt.Sprint(steps(16, 16), steps(24, 16), steps(50, 16)); got != "[0] [0 8] [0 8 16 24 32 34]" {
		t.Errorf("crops begin at %s", got)
	}
}

// TestAssess: an image of a crop's size has the teacher's own probabilities and sums of
// features; in a larger one each position's feature counts once, and where crops overlap
// probabilities sum to 1 as everywhere.
func TestAssess(t *testing.T) {
	c := small()
	c.Method = configs.ProDA
	l := open(t, c, zap.NewNop())
	b := batch(c, 0)
	s, err := l.Assess(t.Context(), b.Target[0])
	if err != nil {
		t.Fatal(err)
	}
	fillImages(l.assessor.image, b.Target[:1])
	d, err := newDenoiser(l, &denoiseTerm{l: l, name: "denoise", cfg: c.Loss.Denoise})
	if err != nil {
		t.Fatal(err)
	}
	l.own(d)
	fillImages(d.image, []*raster.Image{b.Target[0], b.Target[0]})
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.H * s.W; s.C != 3 || n != d.grid.H*d.grid.W || s.D != d.grid.D || int(s.Counts[0]+s.Counts[1]+s.Counts[2]) != n {
		t.Fatalf("%d classes on %d×%d of width %d, counts %v", s.C, s.W, s.H, s.D, s.Counts)
	}
	for i, v := range d.sums {
		if math.Abs(float64(v/2-s.Sums[i])) > 1e-3*max(1, math.Abs(float64(v))) {
			t.Fatalf("sum %d is %g, want half of %g", i, s.Sums[i], v)
		}
	}
	wide := raster.NewImage(cropSize+40, cropSize+8)
	for k := range 3 {
		for i := range wide.Plane(k) {
			wide.Plane(k)[i] = float32((i*(k+3))%200) + 20
		}
	}
	if s, err = l.Assess(t.Context(), wide); err != nil {
		t.Fatal(err)
	}
	if s.W != (cropSize+40)/4 || s.H != (cropSize+8)/4 || int(s.Counts[0]+s.Counts[1]+s.Counts[2]) != s.H*s.W {
		t.Errorf("%d×%d positions, counts %v", s.W, s.H, s.Counts)
	}
	for i := range s.H * s.W {
		sum := levels[s.Probabilities[i]] + levels[s.Probabilities[s.H*s.W+i]] + levels[s.Probabilities[2*s.H*s.W+i]]
		if math.Abs(float64(sum)-1) > 3.0/255 {
			t.Fatalf("position %d: probabilities sum to %g", i, sum)
		}
	}
}

// openWithSoft makes a learner that asks for soft labels.
func openWithSoft(t *testing.T, c configs.Config, soft func(id string) (*Soft, error)) *Learner {
	t.Helper()
	l, err := New(enginetest.Open(t, engine.Options{IntraOpThreads: 1}), Options{Config: c, Space: shapesSpace(), Log: zap.NewNop(), Soft: soft})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// sure says class 2 everywhere, on a crop's cells.
func sure(string) (*Soft, error) {
	n := cropSize / 4
	s := &Soft{C: 3, H: n, W: n, D: 1, Probabilities: make([]uint8, 3*n*n), Counts: make([]int32, 3), Sums: make([]float32, 3)}
	for i := 2 * n * n; i < 3*n*n; i++ {
		s.Probabilities[i] = 255
	}
	return s, nil
}

// TestDenoiseFollowsTheRound: labels that are certain stay what they are, whatever the
// prototypes; a round's sums are the prototypes; the error of a label is the iteration's.
func TestDenoiseFollowsTheRound(t *testing.T) {
	c := small()
	c.Method = configs.ProDA
	l := openWithSoft(t, c, sure)
	term := l.memory[0]
	d := term.Shape[1]
	total := &Total{Counts: []int64{4, 0, 2}, Sums: make([]float64, 3*d)}
	total.Sums[0], total.Sums[2*d+1] = 8, 3
	if err := l.BeginRound(total, 0); err != nil {
		t.Fatal(err)
	}
	if term.Data[0] != 2 || term.Data[2*d+1] != 1.5 || term.Data[d] != 0 {
		t.Errorf("prototypes %v", term.Data)
	}
	before := slices.Clone(term.Data)
	first := train(t, l, 0, 1)[0].Losses["denoise"]
	for range 2 {
		train(t, l, 0, 1)
	}
	if last := train(t, l, 3, 4)[0].Losses["denoise"]; !(last < first) {
		t.Errorf("the loss goes from %g to %g", first, last)
	}
	if slices.Equal(before, term.Data) {
		t.Error("prototypes do not move")
	}
	away := errors.New("not there")
	l = openWithSoft(t, c, func(string) (*Soft, error) { return nil, away })
	if err := iterateOnce(t, l); !errors.Is(err, away) {
		t.Errorf("error %v", err)
	}
	l = openWithSoft(t, c, func(string) (*Soft, error) { return &Soft{C: 2}, nil })
	if err := iterateOnce(t, l); err == nil || !strings.Contains(err.Error(), "t: soft labels of 2 classes") {
		t.Errorf("error %v", err)
	}
}

// TestDenoiseLearns: without a round, the teacher's own labels of now are denoised; a learner
// that takes over the state, prototypes included, goes on as the one that it is of. Without the
// consistency, the graph is another one, and learns.
func TestDenoiseLearns(t *testing.T) {
	for _, consistency := range []float64{10, 0} {
		c := small()
		c.Method, c.Loss.Denoise.Consistency = configs.ProDA, consistency
		one, other := open(t, c, zap.NewNop()), open(t, c, zap.NewNop())
		train(t, one, 0, 2)
		copyState(t, other, one)
		for _, s := range goesOn(t, one, other, 2, 4) {
			if !(s.Losses["denoise"] > 0) {
				t.Errorf("iteration %d: %v", s.Iteration, s.Losses)
			}
		}
	}
}

// TestAssessRefusesOddCrops: cells of whole images must be those of their crops.
func TestAssessRefusesOddCrops(t *testing.T) {
	c := small()
	c.Method, c.Data.Crop = configs.ProDA, configs.Size{Width: 66, Height: 64}
	_, err := New(enginetest.Open(t, engine.Options{IntraOpThreads: 1}), Options{Config: c, Space: shapesSpace(), Log: zap.NewNop(), Soft: sure})
	if err == nil || !strings.Contains(err.Error(), "data.crop: 66×64 px are no multiple of the logits' 17×16") {
		t.Errorf("error %v", err)
	}
}
