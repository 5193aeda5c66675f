package orchestrator

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
	"t2sda/orchestrator/learner"

	"t2sda/configs"
)

// TestExtend extends a finished run, interrupts it on the way, and expects the
// losses of a run of the extended configuration, bit for bit.
func TestExtend(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.Iterations, c.Train.EvalEvery, c.Train.AdaptAfter, c.Baseline = 4, 0, 0.3, true
	dir := filepath.Join(c.Output, c.Name)

	longer := func(o *Options) { o.Resume, o.Run, o.Extend = true, dir, 3 }
	o := quiet()
	if longer(&o); true {
		if _, err := Run(t.Context(), c, o); err == nil {
			t.Error("a run that is not there was extended")
		}
	}
	stopAfter(t, c, "t2s 2/4 ")
	if _, err := Run(t.Context(), c, o); err == nil || !strings.Contains(err.Error(), "is not finished") {
		t.Errorf("a run that is not finished: %v", err)
	}
	again := quiet()
	again.Resume = true
	short, err := Run(t.Context(), c, again)
	if err != nil {
		t.Fatal(err)
	}

	stopAfter(t, c, "t2s 6/7 ", longer)
	kept, err := configs.Load(filepath.Join(dir, ConfigFile), nil)
	if err != nil || kept.Train.Iterations != 7 || !slices.Equal(kept.Train.Extended, []int{4}) {
		t.Fatalf("kept %+v, %v", kept.Train, err)
	}
	long, err := Run(t.Context(), kept, again)
	if err != nil {
		t.Fatal(err)
	}
	straight := kept
	straight.Output = t.TempDir()
	whole, err := Run(t.Context(), straight, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", baselineName} {
		want, have := lossLines(t, filepath.Join(whole.Dir, name)), lossLines(t, filepath.Join(dir, name))
		if len(have) != 7 || !slices.Equal(have, want) {
			t.Errorf("%s\nin one:\n%s\nextended:\n%s", name, strings.Join(want, "\n"), strings.Join(have, "\n"))
		}
		for _, file := range []string{"result-000004.json", "model-000004.onnx", "report-000004.html", resultFile, modelFile} {
			if _, err := os.Stat(filepath.Join(dir, name, file)); err != nil {
				t.Error(err)
			}
		}
	}
	if long.Result.MIoU != whole.Result.MIoU || long.Iterations != 7 || long.ConfigHash == short.ConfigHash {
		t.Errorf("%+v, want %+v", long, whole)
	}
	if n, err := OpenNetwork(dir, "best", Student); err != nil || n.Iteration < 4 { // maybe of the shorter run
		t.Errorf("the best checkpoint: %v", err)
	}
}

// TestExtendAgain: an extension that was stopped before the run itself was begun again is told to be
// continued, and a finished run without checkpoints is not trained anew.
func TestExtendAgain(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.Iterations, c.Train.EvalEvery, c.Baseline = 3, 0, true
	dir := filepath.Join(c.Output, c.Name)
	if _, err := Run(t.Context(), c, quiet()); err != nil {
		t.Fatal(err)
	}
	longer := func(o *Options) { o.Resume, o.Run, o.Extend = true, dir, 2 }

	o := quiet()
	longer(&o)
	for _, run := range []string{dir, filepath.Join(dir, baselineName)} {
		saved := filepath.Join(run, checkpointDir)
		if err := os.Rename(saved, saved+"-elsewhere"); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), c, o); err == nil || !strings.Contains(err.Error(), saved+" holds no checkpoint any more, from which it could go on") {
			t.Errorf("without checkpoints: %v", err)
		}
		if kept, err := configs.Read(filepath.Join(dir, ConfigFile)); err != nil || kept.Train.Iterations != 3 {
			t.Errorf("the configuration is that of %d iterations, %v", kept.Train.Iterations, err)
		}
		if err := os.Rename(saved+"-elsewhere", saved); err != nil {
			t.Fatal(err)
		}
	}

	stopAfter(t, c, "source-only 4/5 ", longer)
	kept, err := configs.Load(filepath.Join(dir, ConfigFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), kept, o); err == nil || !strings.Contains(err.Error(), "is not finished, so there is nothing to extend yet: continue it (--resume without --extend)") {
		t.Errorf("extended again: %v", err)
	}
	again := quiet()
	again.Resume = true
	if out, err := Run(t.Context(), kept, again); err != nil || out.Iterations != 5 {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestScheduleOfExtension: up to where a run was extended the learning rate is
// what it was, from there on that of the longer run.
func TestScheduleOfExtension(t *testing.T) {
	c := configs.Train{LR: 1, Power: 1, Iterations: 12, Extended: []int{8}}
	for it, want := range map[int]float64{0: 1, 4: 0.5, 7: 1.0 / 8, 8: 4.0 / 12, 11: 1.0 / 12} {
		if have := learner.LearningRate(c, it); math.Abs(have-want) > 1e-15 {
			t.Errorf("iteration %d: %g, want %g", it, have, want)
		}
	}
}
