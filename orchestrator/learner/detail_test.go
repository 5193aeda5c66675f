package learner

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/program"
	"t2sda/graphs/weights"
	"t2sda/internal/rng"
	"t2sda/losses"
)

// smallHRDA is [small] with two resolutions and masked images.
func smallHRDA() configs.Config {
	c := small()
	c.Method, c.Loss.Mask.Block = "t2s+mask", 16
	c.Model.HRDA = configs.HRDA{Detail: configs.Size{Width: 32, Height: 32}, Weight: 0.1, Attention: 8}
	return c
}

// goldenDraw is the generator of golden.py in graphs/nets/testdata: FNV-1a of the name, then
// SplitMix64 counted from it.
func goldenDraw(name string, n int) []float32 {
	h := uint64(0xcbf29ce484222325)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	out := make([]float32, n)
	for i := range out {
		h += 0x9e3779b97f4a7c15
		z := (h ^ h>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		out[i] = float32(z>>40)/(1<<23) - 1
	}
	return out
}

// TestDetailLoss compares the loss of the fused prediction and the detail's, and its
// gradients, with PyTorch's: graphs/nets/testdata/golden_hrda.py says how.
func TestDetailLoss(t *testing.T) {
	tensors, _, err := weights.Load(filepath.Join("..", "..", "graphs", "nets", "testdata", "golden_hrda.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	golden := map[string][]float32{}
	for _, x := range tensors {
		golden[x.Name] = x.Data
	}
	whole := imageBatch{N: 2, H: 32, W: 48}
	d := newDetail(configs.HRDA{Detail: configs.Size{Width: 24, Height: 16}, Weight: 0.1}, whole)
	s := &supervised{pass: &pass{}, detail: d}
	var loss []float32
	gradients := map[string][]float32{}
	e := enginetest.Open(t, engine.Options{IntraOpThreads: 1})
	p, err := program.New(e, "detail", nil, func(p *program.Program) {
		g, shape := p.Graph(), []int{2, 3, 4, 6}
		inputs := map[string]*graphs.Value{}
		for _, name := range []string{"context", "detail", "attention"} {
			inputs[name] = program.InputOf(p, name, goldenDraw("hrda."+name, 2*3*4*6), shape...)
		}
		labels, labelMemory := program.Labels(p, "labels", whole.N, whole.H, whole.W)
		weights, weightMemory := program.Input[float32](p, "weights", whole.N, whole.H, whole.W)
		s.labels, s.weights, s.image = labelMemory, weightMemory, make([]float32, whole.N*3*whole.H*whole.W)
		y := d.split(p, inputs["context"], inputs["detail"], g.Sigmoid(inputs["attention"]), labels, weights)
		loss = program.Output[float32](p, "loss", y)
		for name, x := range inputs {
			gradients[name] = program.Output[float32](p, "grad."+name, graphs.Gradients(y, x)[0])
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d.image = make([]float32, whole.N*3*d.h*d.w)
	pixels := float32(len(s.labels))
	for i, u := range goldenDraw("hrda.labels", len(s.labels)) {
		s.labels[i] = uint8(3 * (u + 1) / 2)
	}
	for i, u := range goldenDraw("hrda.weights", len(s.weights)) {
		s.weights[i] = (u + 1) / 2 / pixels
	}
	d.cutAt(s, 8, 16, losses.AllPixels)
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	gradients["loss"] = loss
	for name, have := range gradients {
		want := golden["grad."+name]
		if name == "loss" {
			want = golden[name]
		}
		if len(have) != len(want) {
			t.Fatalf("%s: %d values, want %d", name, len(have), len(want))
		}
		for i, x := range have {
			if math.Abs(float64(x-want[i])) > enginetest.Tolerance(1e-6) {
				t.Errorf("%s: element %d is %g, want %g", name, i, x, want[i])
				break
			}
		}
	}
}

// TestCut: the detail is the part of the crops that its place says, at full resolution, with
// weights that are means over it; it lies everywhere that there is, at multiples of its step.
func TestCut(t *testing.T) {
	l := open(t, smallHRDA(), zap.NewNop())
	s, d := l.supervised, l.supervised.detail
	if d.step != 8 {
		t.Fatalf("the step is %d", d.step)
	}
	for i := range s.image {
		s.image[i] = float32(i % 251)
	}
	for i := range s.labels {
		s.labels[i], s.weights[i] = uint8(i%3), float32(i%2) // half of all columns
	}
	places := map[[2]int]bool{}
	for it := range 300 {
		d.cut(s, rng.New(1, it, "detail"), losses.AllPixels)
		y, x := slices.Index(d.rows, 1)/d.positions[0], slices.Index(d.columns[:2*d.grid[1]], 1)
		y, x = 4*y, 4*x
		places[[2]int{y, x}] = true
		inside := 0
		for i, v := range d.inside {
			row, column := 8*(i/d.grid[1]), 8*(i%d.grid[1])
			if (v == 1) != (row >= y && row < y+d.h && column >= x && column < x+d.w) {
				t.Fatalf("at %d,%d: position %d is inside: %g", y, x, i, v)
			}
			inside += int(v)
		}
		if inside != 16 || y%8 != 0 || x%8 != 0 {
			t.Fatalf("at %d,%d: %d positions are inside", y, x, inside)
		}
		for n := range 2 * d.h * d.w {
			image, row, column := n/(d.h*d.w), n/d.w%d.h, n%d.w
			at := image*cropSize*cropSize + (y+row)*cropSize + x + column
			if d.labels[n] != s.labels[at] || d.weights[n] != 4*s.weights[at] {
				t.Fatalf("at %d,%d: label %d and weight %g of pixel %d, want %d and 4 times %g", y, x, d.labels[n], d.weights[n], n, s.labels[at], s.weights[at])
			}
		}
		for n, v := range d.image {
			plane, row, column := n/(d.h*d.w), n/d.w%d.h, n%d.w
			if want := s.image[plane*cropSize*cropSize+(y+row)*cropSize+x+column]; v != want {
				t.Fatalf("at %d,%d: pixel %d is %g, want %g", y, x, n, v, want)
			}
		}
	}
	if len(places) != 25 { // 0, 8, … 32 along both axes
		t.Errorf("the detail lay in %d places of 25", len(places))
	}
}

// TestCutValid: means over valid pixels are means over those of the detail, of which there
// may be none.
func TestCutValid(t *testing.T) {
	l := open(t, smallHRDA(), zap.NewNop())
	s, d := l.supervised, l.supervised.detail
	clear(s.weights)
	for i := range 10 {
		s.weights[i] = 0.1
	}
	d.cutAt(s, 0, 0, losses.ValidPixels) // the first row's ten
	if sum := total(d.weights); math.Abs(sum-1) > 1e-6 {
		t.Errorf("weights sum up to %g, want 1", sum)
	}
	d.cutAt(s, 8, 0, losses.ValidPixels)
	if sum := total(d.weights); sum != 0 {
		t.Errorf("weights of no pixels sum up to %g", sum)
	}
}

func total(x []float32) (sum float64) {
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

// TestHRDA: all terms are learned from; the pull and the feature distance are the context's,
// labels the whole crop's; recomputation changes nothing.
func TestHRDA(t *testing.T) {
	c := smallHRDA()
	c.Model.Init, c.Loss.FeatureDistance = "mit_nano", configs.FeatureDistance{Weight: 0.005, Classes: []string{"box", "disc"}, Ratio: 0.75}
	l := open(t, c, zap.NewNop())
	steps := train(t, l, 0, 3)
	for _, name := range []string{"source", "pull", "mix", "mask"} {
		if !(steps[2].Losses[name] > 0) {
			t.Errorf("losses %v", steps[2].Losses)
		}
	}
	if grid := l.target.features.Grid; grid.H != cropSize/8 || grid.W != cropSize/8 {
		t.Errorf("features are on a grid of %d×%d", grid.W, grid.H)
	}
	if f := l.frozen.features; f.H != cropSize/64 || len(l.target.pseudo) != 2*cropSize*cropSize {
		t.Errorf("a feature map of %d rows, %d labels", f.H, len(l.target.pseudo))
	}
	c.Train.Recompute = configs.RecomputeBlocks
	for i, again := range train(t, open(t, c, zap.NewNop()), 0, 3) {
		if !nearLosses(steps[i].Losses, again.Losses) {
			t.Errorf("iteration %d: losses %v, with recomputation %v", i, steps[i].Losses, again.Losses)
		}
	}
}

// TestHRDASizes: crops and details that do not fit are one error with the setting's name.
func TestHRDASizes(t *testing.T) {
	for want, change := range map[string]func(c *configs.Config){
		"model.hrda with data.crop: an image of 60×64 pixels: want multiples of 8 (twice the stride of the logits) where there are details": func(c *configs.Config) { c.Data.Crop.Width = 60 },
		"model.hrda with data.crop: details have 36×32 pixels, want multiples of 8 (twice the stride of the logits)":                        func(c *configs.Config) { c.Model.HRDA.Detail.Width = 36 },
	} {
		c := smallHRDA()
		change(&c)
		_, err := New(enginetest.Open(t, engine.Options{}), Options{Config: c, Space: shapesSpace(), Log: zap.NewNop()})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want %s", err, want)
		}
	}
}
