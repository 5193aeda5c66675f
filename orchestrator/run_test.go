package orchestrator

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/graphs/engine/enginetest"

	"t2sda/configs"
)

// lossLines lists a run's loss per term and iteration and the gradient's norm, exactly;
// on a device, whose runs are not equal bit by bit, their names alone.
func lossLines(t testing.TB, dir string) []string {
	t.Helper()
	bits := math.Float64bits
	if enginetest.OnDevice() {
		bits = func(float64) uint64 { return 0 }
	}
	events := readEvents(t, dir)
	lines := make([]string, len(events))
	for i, e := range events {
		lines[i] = fmt.Sprint(e.Iteration, " norm ", bits(e.GradNorm))
		for _, k := range slices.Sorted(maps.Keys(e.Losses)) {
			lines[i] += fmt.Sprint(" ", k, " ", bits(e.Losses[k]))
		}
	}
	return lines
}

func readEvents(t testing.TB, dir string) []Event {
	t.Helper()
	events, err := ReadEvents(filepath.Join(dir, eventsFile))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// TestRun trains every method end to end and checks what it leaves behind.
func TestRun(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	terms := map[string][]string{
		configs.SourceOnly:             {"source"},
		configs.Translated:             {"pseudo"},
		configs.SelfTraining:           {"mix", "source"},
		configs.SelfTrainingTranslated: {"mix", "pseudo"},
		configs.T2SMSE:                 {"mix", "pull", "source"},
		configs.T2S:                    {"mix", "pull", "source"},
		configs.TargetOnly:             {"source"},
		configs.Generalise:             {"pull", "source"},
		configs.MinEnt:                 {"entropy", "source"},
		configs.AdaptSegNet:            {"adversarial", "discriminator", "source"},
		configs.AdvEnt:                 {"adversarial", "discriminator", "source"},
		configs.CBST:                   {"select", "source"},
		configs.CRST:                   {"select", "source"},
		configs.IAST:                   {"select", "source"},
		configs.FADA:                   {"class-adversarial", "class_discriminator", "source"},
		configs.SAC:                    {"source", "views"},
		configs.ProDA:                  {"denoise", "source"},
		configs.CPSL:                   {"cluster", "source"},
		configs.PLCA:                   {"associate", "source"},
		configs.SePiCo:                 {"contrast", "mix", "source"},
		configs.CAG:                    {"contrast", "mix", "source"},
		configs.RCCR:                   {"mix", "regions", "source"},
	}
	for _, method := range configs.Methods() {
		t.Run(method, func(t *testing.T) {
			c := shapesConfig(root, t.TempDir())
			c.Method = configs.Method(method)
			c.Loss.Adversarial.Width, c.Loss.ClassAdversarial.Width = 4, 4
			switch method {
			case configs.TargetOnly:
				c.Data.Target = c.Data.Eval
			case configs.Generalise:
				c.Translate.Engine, c.Loss.DRW = configs.Engines{"jitter": 1}, "none"
			case configs.T2S:
				c.Baseline = true
			}
			out, err := Run(t.Context(), c, quiet())
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{ConfigFile, eventsFile, modelFile, resultFile, reportFile, filepath.Join(checkpointDir, "iter_000006")} {
				if _, err := os.Stat(filepath.Join(out.Dir, name)); err != nil {
					t.Error(err)
				}
			}
			if out.Agreement < 0.999 {
				t.Errorf("the exported model agrees with the network on %g of the pixels", out.Agreement)
			}
			if (out.Baseline != nil) != c.Baseline {
				t.Errorf("baseline: %v", out.Baseline)
			}
			events, err := ReadEvents(filepath.Join(out.Dir, eventsFile))
			if err != nil || len(events) != c.Train.Iterations {
				t.Fatalf("%d events, %v", len(events), err)
			}
			for _, e := range events {
				if got := slices.Sorted(maps.Keys(e.Losses)); !slices.Equal(got, terms[method]) {
					t.Errorf("iteration %d trained %v, want %v", e.Iteration, got, terms[method])
				}
			}
			if events[2].MIoU == nil || events[3].MIoU != nil {
				t.Error("the evaluation after iteration 3 is not recorded there")
			}
		})
	}
}

// TestLearns: the supervised term alone fits four images.
func TestLearns(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Method, c.Train.Iterations, c.Train.EvalEvery, c.Train.LR = configs.SourceOnly, 100, 0, 4e-3
	c.Model.Dropout, c.Model.DropPath = 0, 0
	c.Data.Eval = c.Data.Source
	dir, result := train(t, c)
	events, err := ReadEvents(filepath.Join(dir, eventsFile))
	if err != nil {
		t.Fatal(err)
	}
	var first, last float64
	for i := range 10 {
		first, last = first+events[i].Losses["source"]/10, last+events[len(events)-1-i].Losses["source"]/10
	}
	if last > 0.35*first {
		t.Errorf("the loss went from %.3f to %.3f only", first, last)
	}
	if box, _ := result.Class("box"); box.IoU < 0.8 {
		t.Errorf("boxes are found with IoU %.2f", box.IoU)
	}
}

// TestWorkersDoNotMatter: the course of training is a function of the
// configuration, not of how batches are prepared.
func TestWorkersDoNotMatter(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	var runs [][]string
	for _, workers := range []int{1, 3} {
		c := shapesConfig(root, t.TempDir())
		c.Data.Workers, c.Train.EvalEvery = workers, 0
		dir, _ := train(t, c)
		runs = append(runs, lossLines(t, dir))
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Errorf("1 worker: %v\n3 workers: %v", runs[0], runs[1])
	}
}

// TestInterruptAndResume stops a run after an iteration, resumes it and expects
// the uninterrupted run's losses bit for bit.
func TestInterruptAndResume(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	dir, score := train(t, c)
	stopAfter(t, c, " 3/6 ")
	o := quiet()
	o.Resume = true
	got, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lossLines(t, dir), lossLines(t, got.Dir); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\nresumed:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	if score.MIoU != got.Result.MIoU {
		t.Errorf("mIoU %v uninterrupted, %v resumed", score.MIoU, got.Result.MIoU)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatal("nothing happened for two minutes")
}

// writerFunc is an io.Writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
