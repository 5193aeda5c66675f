package orchestrator

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/atomicfile"
)

// TestPruneKeepsTheNamedBest: a best checkpoint of a higher number, which a
// killed run left, is not the best.
func TestPruneKeepsTheNamedBest(t *testing.T) {
	run := t.TempDir()
	for _, name := range []string{"iter_000002", "iter_000004", "iter_000006", "best_000001", "best_000003", "best_000007", ".writing-1"} {
		if err := os.MkdirAll(filepath.Join(run, checkpointDir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := prune(atomicfile.Disk{}, run, 2, 3); err != nil {
		t.Fatal(err)
	}
	var have []string
	entries, err := os.ReadDir(filepath.Join(run, checkpointDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if want := []string{"best_000003", "iter_000004", "iter_000006"}; !slices.Equal(have, want) {
		t.Errorf("have %v, want %v", have, want)
	}
}

// TestOnlyFiniteStateIsSaved: a NaN anywhere keeps the state from being saved.
func TestOnlyFiniteStateIsSaved(t *testing.T) {
	enginetest.Isolate(t)
	c := shapesConfig("x", t.TempDir())
	tr := &trainer{cfg: c, dir: t.TempDir(), learner: openLearner(t, c)}
	for _, part := range tr.learner.Parts() {
		tensors, err := part.Tensors()
		if err != nil {
			t.Fatal(err)
		}
		x := tensors[len(tensors)-1].Data
		kept := x[0]
		x[0] = float32(math.NaN())
		if err := tr.checkpoint(lastPrefix); err == nil || !strings.Contains(err.Error(), "not finite") {
			t.Errorf("%s: have %v", part.Name, err)
		}
		x[0] = kept
	}
	if paths, err := checkpoints(tr.dir, lastPrefix); err != nil || len(paths) > 0 {
		t.Errorf("saved %v, %v", paths, err)
	}
	if err := tr.checkpoint(lastPrefix); err != nil {
		t.Error(err)
	}
}

// TestInterruptedEvaluation interrupts a run when an evaluation is due: the
// resumed run makes up for it, once, with the uninterrupted run's score.
func TestInterruptedEvaluation(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Data.RCS.Enabled = false
	t.Setenv("HOME", "") // without RCS, nobody asks for a cache
	t.Setenv("XDG_CACHE_HOME", "")
	whole, _ := train(t, c)
	stopAfter(t, c, " 2/6 ")
	dir := filepath.Join(c.Output, c.Name)
	p, err := readProgress(t, checkpointPath(dir, lastPrefix, 3), c.Hash())
	if err != nil {
		t.Fatal(err)
	}
	if !p.EvalPending || p.BestIteration != 0 || p.Seconds <= 0 {
		t.Errorf("saved %+v", p)
	}
	stopAfter(t, c, " 4/6 ", resuming)
	want, err := ReadEvents(filepath.Join(whole, eventsFile))
	if err != nil {
		t.Fatal(err)
	}
	have, err := ReadEvents(filepath.Join(dir, eventsFile))
	if err != nil || len(have) != 5 {
		t.Fatalf("%d events, %v", len(have), err)
	}
	if !slices.Equal(lossLines(t, dir), lossLines(t, whole)[:5]) {
		t.Error("the losses are not the uninterrupted run's")
	}
	if have[2].MIoU == nil || *have[2].MIoU != *want[2].MIoU {
		t.Errorf("mIoU %v after iteration 3, want %v", have[2].MIoU, *want[2].MIoU)
	}
	later, err := readProgress(t, checkpointPath(dir, lastPrefix, 5), c.Hash())
	if err != nil {
		t.Fatal(err)
	}
	if later.EvalPending || later.BestIteration != 3 || later.BestMIoU != *want[2].MIoU {
		t.Errorf("saved %+v", later)
	}
	if later.Seconds <= p.Seconds {
		t.Errorf("%g s after %g s", later.Seconds, p.Seconds)
	}
	if _, err := os.Stat(checkpointPath(dir, bestPrefix, 3)); err != nil {
		t.Error(err)
	}
}

// TestInterruptedEvaluationWithoutEvents: the evaluation is made up for where the events were lost, too.
func TestInterruptedEvaluationWithoutEvents(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	stopAfter(t, c, " 2/6 ")
	dir := filepath.Join(c.Output, c.Name)
	if err := os.Remove(filepath.Join(dir, eventsFile)); err != nil {
		t.Fatal(err)
	}
	stopAfter(t, c, " 4/6 ", resuming)
	have, err := ReadEvents(filepath.Join(dir, eventsFile))
	if err != nil || len(have) != 3 || have[0].Iteration != 2 || have[0].MIoU == nil {
		t.Errorf("events %+v, %v", have, err)
	}
}

// readProgress reads a checkpoint's state.json.
func readProgress(t *testing.T, dir, hash string) (progress, error) {
	t.Helper()
	s, err := openSaved(dir, hash)
	if err != nil {
		return progress{}, err
	}
	return s.progress, s.rest()
}
