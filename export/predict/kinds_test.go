package predict_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"t2sda/datasets"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// One channel stands for two classes by a threshold: of logits 0, of
// probabilities 0.5. Windows and mirroring change nothing.
func TestThreshold(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	two := datasets.Space{Name: "two", Classes: exporttest.FiveClasses().Classes[:2]}
	want := noise(rand.New(rand.NewPCG(3, 3)), 24, 16, 2)
	img := exporttest.Paint(want, step)
	at := func(v float64) *float64 { return &v }
	for _, m := range []exporttest.Foreign{{Sigmoid: true}, {}, {Sigmoid: true, Half: true}, {Sigmoid: true, FreeShape: true}, {W: 24, H: 16}} {
		m.Step, m.Single = step, true
		form := predict.Form{Space: two, Threshold: at(0)}
		if m.Sigmoid {
			form.Threshold = at(0.5)
		}
		for _, o := range []predict.Inference{{}, {Flip: true}, {WindowWidth: 24, WindowHeight: 16, Overlap: 0.5, Flip: true}} {
			p := exporttest.Open(t, e, m.File(t), predict.Options{Form: form, Inference: o})
			wantLabels(t, predictOf(t, p, img), want)
		}
	}
	// sigmoid(1/2) = 0.622 for the second class, 0.378 for the first.
	file := exporttest.Foreign{Step: step, Single: true, Sigmoid: true}.File(t)
	for threshold, class := range map[float64]uint8{0.37: 1, 0.63: 0} {
		p := exporttest.Open(t, e, file, predict.Options{Form: predict.Form{Space: two, Threshold: &threshold}})
		for i, id := range predictOf(t, p, img).Pix {
			if id != class {
				t.Fatalf("threshold %v: class %d at %d", threshold, id, i)
			}
		}
	}

	p := exporttest.Open(t, e, file, predict.Options{Form: predict.Form{Space: two}})
	_, err := p.Predict(t.Context(), img)
	wantError(t, err, "which is no id; one channel of probabilities or logits for two classes needs --threshold (0.5 or 0)")
	for _, c := range []struct {
		m    exporttest.Foreign
		form predict.Form
		want string
	}{
		{exporttest.Foreign{Single: true, W: 8, H: 8}, predict.Form{Space: exporttest.FiveClasses(), Threshold: at(0)}, `output "y" has one channel, which a threshold makes two classes: 2 classes, but five has 5`},
		{exporttest.Foreign{Classes: 5, W: 8, H: 8}, predict.Form{Space: exporttest.FiveClasses(), Threshold: at(0)}, "a threshold is for an output of one channel"},
		{exporttest.Foreign{Classes: 5, W: 8, H: 8, Labels: engine.Int32}, predict.Form{Space: two, Threshold: at(0)}, "holds int32: a threshold is for one channel of float32"},
		{exporttest.Foreign{Single: true}, predict.Form{Space: two, Threshold: at(math.NaN())}, "threshold NaN: want a number"},
	} {
		c.m.Step = step
		_, err := predict.OpenWith(e, c.m.File(t), predict.Options{Form: c.form})
		wantError(t, err, c.want)
	}
}

// A model of a fixed height takes images of that height, in proportion.
func TestFreeAxis(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, labels := range []engine.DType{0, engine.Uint8} {
		m := exporttest.Foreign{Classes: 5, Step: step, H: 24, Labels: labels}
		file := m.File(t)
		for _, o := range []predict.Inference{{}, {Width: 40, Height: 24}, {WindowWidth: 16, WindowHeight: 24, Overlap: 0.2, Flip: true}} {
			p := exporttest.Open(t, e, file, predict.Options{Form: five(), Inference: o})
			want := checker(40, 24, 8)
			wantLabels(t, predictOf(t, p, exporttest.Paint(want, step)), want)
		}
		p := exporttest.Open(t, e, file, predict.Options{Form: five()})
		want := checker(80, 48, 16) // halved and brought back
		wantLabels(t, predictOf(t, p, exporttest.Paint(want, step)), want)
		small := exporttest.Open(t, e, file, predict.Options{Form: five(), Inference: predict.Inference{WindowWidth: 16, WindowHeight: 24}})
		want = checker(12, 8, 4) // smaller than a window, whose height stays
		wantLabels(t, predictOf(t, small, exporttest.Paint(want, step)), want)
		for _, c := range []struct {
			o    predict.Inference
			want string
		}{
			{predict.Inference{Width: 32, Height: 32}, "size 32×32: the model takes images 24 pixels high only"},
			{predict.Inference{WindowWidth: 32, WindowHeight: 32}, "windows of 32×32 pixels: the model takes images 24 pixels high only"},
			{predict.Inference{Scales: []float64{2}}, "scale 2: the model takes images 24 pixels high only"},
			{predict.Inference{Divisor: 32}, "divisor 32: the model takes images 24 pixels high only"},
		} {
			_, err := predict.OpenWith(e, file, predict.Options{Form: five(), Inference: c.o})
			wantError(t, err, c.want)
		}
	}
	wide := exporttest.Open(t, e, exporttest.Foreign{Classes: 5, Step: step, W: 32, Multiple: 16}.File(t), predict.Options{Form: five()})
	want := checker(32, 24, 8) // height 24 is continued to 32
	wantLabels(t, predictOf(t, wide, exporttest.Paint(want, step)), want)
}

// Images are continued for models that take multiples only, windows and scales as
// well, and the way of an image does not depend on the images before it.
func TestDivisor(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	r := rand.New(rand.NewPCG(7, 7))
	file := exporttest.Foreign{Classes: 5, Step: step, Multiple: 32}.File(t)
	odd := exporttest.Foreign{Classes: 5, Step: step, Multiple: 24}.File(t)
	for _, size := range [][2]int{{32, 64}, {33, 31}, {100, 60}, {1, 1}, {5, 90}} {
		want := noise(r, size[0], size[1], 5)
		img := exporttest.Paint(want, step)
		for _, o := range []predict.Inference{{}, {Flip: true}, {Divisor: 32}, {Divisor: 96}, {WindowWidth: 50, WindowHeight: 40, Overlap: 0.3}} {
			p := exporttest.Open(t, e, file, predict.Options{Form: five(), Inference: o})
			for range 2 {
				wantLabels(t, predictOf(t, p, img), want)
			}
		}
		p := exporttest.Open(t, e, odd, predict.Options{Form: five(), Inference: predict.Inference{Divisor: 24}})
		wantLabels(t, predictOf(t, p, img), want)
	}
	p := exporttest.Open(t, e, odd, predict.Options{Form: five()})
	_, err := p.Predict(t.Context(), raster.NewImage(50, 50))
	wantError(t, err, "it does not run on 50×50 pixels, nor with width and height continued to multiples of up to 64; "+
		"if it takes certain sizes only, name one (--size), or what they are multiples of (--divisor)")
	wantLabels(t, predictOf(t, p, raster.NewImage(48, 24)), raster.NewLabels(48, 24)) // after the error
	for divisor, want := range map[int]string{7: "continued to multiples of 7 (--divisor): ", 1: "as they are (--divisor 1): "} {
		p := exporttest.Open(t, e, file, predict.Options{Form: five(), Inference: predict.Inference{Divisor: divisor}})
		_, err := p.Predict(t.Context(), raster.NewImage(50, 50))
		wantError(t, err, want)
	}
	_, err = exporttest.Open(t, e, odd, predict.Options{Form: five()}).Predict(t.Context(), raster.NewImage(64, 64))
	wantError(t, err, "or what they are multiples of (--divisor)") // no larger size to try
	for _, divisor := range []int{-1, 2000} {
		_, err := predict.OpenWith(e, file, predict.Options{Form: five(), Inference: predict.Inference{Divisor: divisor}})
		wantError(t, err, "want what width and height must be multiples of")
	}
}

// What a network cuts off for its stride is not stretched over: the image is
// continued, and comes back whole. Where the blocks end with the image it is not.
func TestCutShort(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, labels := range []engine.DType{0, engine.Uint8} {
		p := exporttest.Open(t, e, exporttest.Foreign{Classes: 5, Step: step, Blocks: 8, Labels: labels}.File(t), predict.Options{Form: five()})
		for _, size := range [][2]int{{40, 24}, {44, 30}, {45, 24}, {6, 3}} {
			want := checker(size[0], size[1], 8)
			wantLabels(t, predictOf(t, p, exporttest.Paint(want, step)), want)
		}
	}
	// Blocks of 24 pixels end at no multiple of a power of two but 48.
	p := exporttest.Open(t, e, exporttest.Foreign{Classes: 5, Step: step, Blocks: 24}.File(t), predict.Options{Form: five()})
	if l := predictOf(t, p, exporttest.Paint(checker(70, 70, 35), step)); l.W != 70 || l.H != 70 {
		t.Errorf("labels of %d×%d pixels", l.W, l.H)
	}
}

// Means and deviations for another scale than the one given are pointed out.
func TestFormWarnings(t *testing.T) {
	imagenet, bytes := []float64{0.485, 0.456, 0.406}, []float64{123.675, 116.28, 103.53}
	for _, c := range []struct {
		form predict.Form
		want []string
	}{
		{predict.Form{}, nil},
		{predict.Form{Mean: imagenet, Scale: 1, Std: []float64{0.229, 0.224, 0.225}}, nil},
		{predict.Form{Mean: bytes, Std: []float64{58.395, 57.12, 57.375}}, nil},
		{predict.Form{Mean: bytes, Std: []float64{1, 1, 1}}, nil},
		{predict.Form{Mean: []float64{0.5, 0.5, 0.5}, Std: []float64{0.5, 0.5, 0.5}, Scale: 1}, nil},
		{predict.Form{Mean: imagenet}, []string{"mean [0.485 0.456 0.406] is for values of 0–1, but they are 0–255: scale 1?"}},
		{predict.Form{Std: []float64{0.229, 0.224, 0.225}}, []string{"std [0.229 0.224 0.225] is for values of 0–1, but they are 0–255: scale 1?"}},
		{predict.Form{Mean: bytes, Std: []float64{58.395, 57.12, 57.375}, Scale: 1}, []string{"mean [123.675 116.28 103.53] is for values of 0–255, but they are 0–1: scale 255?", "std [58.395 57.12 57.375] is for values of 0–255, but they are 0–1: scale 255?"}},
	} {
		got := c.form.Warnings()
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%+v: %q, want %q", c.form, got, c.want)
		}
	}
}
