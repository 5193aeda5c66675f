package orchestrator

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
)

// TestFP16Resume: a run with scaled losses that is stopped and resumed is the run that was not, to
// the bit, scale included; it is evaluated and exported in float32.
func TestFP16Resume(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Runtime.Precision = configs.FP16
	whole, score := train(t, c)
	stopAfter(t, c, " 3/6 ")
	dir := filepath.Join(c.Output, "shapes")
	paths, err := resumable(dir)
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	p, err := readProgress(t, paths[0], c.Hash())
	if err != nil || p.LossScale == nil || p.LossScale.Scale != 65536 || p.LossScale.Good != p.Iteration {
		t.Fatalf("%+v, %v", p.LossScale, err)
	}
	o := quiet()
	o.Resume = true
	out, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lossLines(t, whole), lossLines(t, out.Dir); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\nresumed:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	for _, e := range readEvents(t, out.Dir) {
		if e.LossScale != 65536 || e.Overflow {
			t.Errorf("iteration %d: scale %g, overflow %t", e.Iteration, e.LossScale, e.Overflow)
		}
	}
	if !enginetest.OnDevice() && out.Result.MIoU != score.MIoU {
		t.Errorf("mIoU %v, %v uninterrupted", out.Result.MIoU, score.MIoU)
	}
	if out.Agreement < 0.999 {
		t.Errorf("the exported model agrees with the network on %g of the pixels", out.Agreement)
	}
}

// TestStreetsPrecision trains preset streets for 100 iterations in each precision: losses stay near
// float32's, none is NaN, and the networks are as good.
func TestStreetsPrecision(t *testing.T) {
	if os.Getenv(longEnv) == "" {
		t.Skip("minutes: set " + longEnv)
	}
	enginetest.Isolate(t)
	c, err := configs.Load("streets", nil)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for side, d := range map[string]*configs.Dataset{"game": &c.Data.Source, "camera": &c.Data.Target} {
		d.Root = filepath.Join(root, side)
	}
	c.Data.Eval.Root = c.Data.Target.Root
	c.Baseline, c.Runtime.Device, c.Train.Iterations, c.Train.AdaptAfter = false, enginetest.Device(), 100, 0.1
	c.Data.Streets.Train, c.Data.Streets.Val = 100, 40
	if err := renderStreets(t.Context(), c, quiet()); err != nil {
		t.Fatal(err)
	}
	c.Runtime.Precision = configs.FP32
	dir, want := train(t, c)
	exact := readEvents(t, dir)
	for _, precision := range []string{configs.BF16, configs.FP16} {
		c.Runtime.Precision = precision
		dir, score := train(t, c)
		have := readEvents(t, dir)
		for _, term := range []string{"source", "pseudo", "pull", "mix"} {
			a, b, most := meanOf(exact, term), meanOf(have, term), 0.0
			for i := range have {
				most = max(most, math.Abs(have[i].Losses[term]-exact[i].Losses[term]))
			}
			t.Logf("%s: %s is %.4f over the last 50 iterations, %.4f in float32; they part by %.4f at most", precision, term, b, a, most)
			if !(math.Abs(a-b) <= 0.03*a) {
				t.Errorf("%s: %s is %g over the last 50 iterations, %g in float32", precision, term, b, a)
			}
		}
		t.Logf("%s: mIoU %.4f, %.4f in float32", precision, score.MIoU, want.MIoU)
		if math.Abs(float64(score.MIoU-want.MIoU)) > 0.02 {
			t.Errorf("%s: mIoU %v, %v in float32", precision, score.MIoU, want.MIoU)
		}
	}
}

// meanOf is the mean of a loss over the last 50 events.
func meanOf(events []Event, term string) (sum float64) {
	last := events[len(events)-50:]
	for _, e := range last {
		sum += e.Losses[term]
	}
	return sum / float64(len(last))
}
