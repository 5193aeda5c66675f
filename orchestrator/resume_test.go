package orchestrator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/graphs/engine/enginetest"
)

// flip changes one bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 4
	writeFile(t, path, string(text))
}

// TestLastGoodCheckpoint damages the newest checkpoints of an interrupted run: it goes on
// from the one before them, says so, and ends as the run that nothing happened to.
func TestLastGoodCheckpoint(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	whole, score := train(t, c)
	stopAfter(t, c, " 4/6 ") // which is seen an iteration later
	dir := filepath.Join(c.Output, "shapes")
	at := func(prefix string, iteration int, file string) string {
		return filepath.Join(checkpointPath(dir, prefix, iteration), file)
	}
	flip(t, at(lastPrefix, 5, optimFile))
	flip(t, at(lastPrefix, 4, stateFile)) // the best one, of iteration 3, is next

	o := quiet()
	o.Resume, o.Strict = true, true
	if _, err := Run(t.Context(), c, o); err == nil || !strings.Contains(err.Error(), filepath.Dir(at(lastPrefix, 5, "x"))) || !strings.Contains(err.Error(), optimFile) || !strings.Contains(err.Error(), "--strict") {
		t.Fatalf("strict: %v", err)
	}
	core, logs := observer.New(zap.WarnLevel)
	o.Strict, o.Log = false, zap.New(core)
	got, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lossLines(t, whole), lossLines(t, got.Dir); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\nresumed:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	if score.MIoU != got.Result.MIoU {
		t.Errorf("mIoU %v uninterrupted, %v resumed", score.MIoU, got.Result.MIoU)
	}
	var told []string
	for _, e := range logs.FilterMessageSnippet("is damaged").All() {
		told = append(told, e.Message+" "+e.ContextMap()["going on from"].(string))
	}
	if len(told) != 2 || !strings.Contains(told[0], optimFile) || !strings.Contains(told[1], stateFile) || !strings.HasSuffix(told[0], "best_000003") {
		t.Errorf("told %q", told)
	}
	if _, err := os.Stat(filepath.Join(dir, checkpointDir, "damaged_iter_000005", optimFile)); err != nil {
		t.Error(err)
	}
}

// TestNoGoodCheckpoint: a run without a checkpoint that is whole does not begin anew.
func TestNoGoodCheckpoint(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	stopAfter(t, c, " 2/6 ")
	paths, err := resumable(filepath.Join(c.Output, "shapes"))
	if err != nil || len(paths) < 2 {
		t.Fatal(paths, err)
	}
	for _, dir := range paths {
		if err := os.Remove(filepath.Join(dir, stateFile)); err != nil {
			t.Fatal(err)
		}
	}
	o := quiet()
	o.Resume = true
	if _, err := Run(t.Context(), c, o); err == nil || !strings.Contains(err.Error(), "none of the run's checkpoints is whole") || !strings.Contains(err.Error(), stateFile) {
		t.Errorf("have %v", err)
	}
}

// TestCheckpointsGone: a run that has lost its checkpoints does not begin anew, nor lose its events.
// Killed before it made the first, it does.
func TestCheckpointsGone(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	stopAfter(t, c, " 2/6 ") // which is seen an iteration later
	dir := filepath.Join(c.Output, "shapes")
	if err := os.RemoveAll(filepath.Join(dir, checkpointDir)); err != nil {
		t.Fatal(err)
	}
	before := lossLines(t, dir)
	o := quiet()
	o.Resume = true
	if _, err := Run(t.Context(), c, o); err == nil || !strings.Contains(err.Error(), "tells of 3 iterations, and ") || !strings.Contains(err.Error(), "holds no checkpoint any more: put it back, or begin a new run") {
		t.Errorf("have %v", err)
	}
	if after := lossLines(t, dir); !slices.Equal(before, after) {
		t.Errorf("events %v, want %v", after, before)
	}
	c.Train.CheckpointEvery = 0 // no part of the hash, and not what the run was trained by
	if _, err := Run(t.Context(), c, o); err == nil || !strings.Contains(err.Error(), "holds no checkpoint any more") {
		t.Errorf("have %v", err)
	}

	c.Name, c.Train.CheckpointEvery = "early", 4
	stopAfter(t, c, " 2/6 ")
	if err := os.RemoveAll(filepath.Join(c.Output, "early", checkpointDir)); err != nil { // as if it had been killed
		t.Fatal(err)
	}
	c.Train.CheckpointEvery = 1 // from now on
	core, logs := observer.New(zap.WarnLevel)
	o.Log = zap.New(core)
	if _, err := Run(t.Context(), c, o); err != nil || logs.FilterMessageSnippet("there is no checkpoint: the run begins again").Len() != 1 {
		t.Errorf("%v, %v", err, logs.All())
	}
}

// TestBestCheckpointAlone: where the best checkpoint is the only one, the run goes on from that, without
// the weights that it began from, and says that it does.
func TestBestCheckpointAlone(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.CheckpointEvery = 0
	stopAfter(t, c, " 4/6 ")
	dir := filepath.Join(c.Output, "shapes")
	if err := os.RemoveAll(checkpointPath(dir, lastPrefix, 5)); err != nil { // as a killed run leaves it
		t.Fatal(err)
	}
	c.Loss.FeatureDistance.Weight, c.Model.Init = 0, filepath.Join(root, "gone.safetensors")
	s, err := findStart(t.Context(), c, dir, zap.NewNop())
	if err != nil || s.file != "" {
		t.Errorf("begins from %+v, %v", s, err)
	}
	tr := openTrainer(t, shapesConfig(root, t.TempDir()))
	tr.dir = dir
	if have := tr.lastSaved(); have != "best_000003" {
		t.Errorf("what was saved last is %q", have)
	}
}
