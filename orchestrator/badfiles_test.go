package orchestrator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// TestStopAtBadFile: files that go while a run trains stop it with what is
// trained saved; when they are back it continues, and ends as if nothing had been.
func TestStopAtBadFile(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.EvalEvery, c.Train.CheckpointEvery, c.Train.Iterations = 0, 0, 12
	c.Data.Workers, c.Data.Prefetch = 1, 1
	whole, _ := train(t, c)
	images, away := filepath.Join(root, "target", "images"), filepath.Join(root, "away")
	o := quiet()
	o.Out = writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), " 3/12 ") {
			if err := os.Rename(images, away); err != nil {
				t.Error(err)
			}
		}
		return len(p), nil
	})
	_, err := Run(t.Context(), c, o)
	if err == nil || !strings.Contains(err.Error(), images) || !strings.Contains(err.Error(), "no such file") || !strings.Contains(err.Error(), "--resume") {
		t.Fatalf("have %v", err)
	}
	dir := filepath.Join(c.Output, c.Name)
	paths, err := checkpoints(dir, lastPrefix)
	if err != nil || len(paths) != 1 {
		t.Fatalf("saved %v, %v", paths, err)
	}
	if err := os.Rename(away, images); err != nil {
		t.Fatal(err)
	}
	o = quiet()
	o.Resume = true
	if _, err := Run(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(lossLines(t, dir), lossLines(t, whole)) {
		t.Error("the losses are not those of a run that met nothing")
	}
}

// TestSkipBadFiles: with data.on_error=skip a run ends whatever is the matter with
// some files, says so, and is the same when it was interrupted meanwhile, even if
// a file that could not be read has gone by then.
func TestSkipBadFiles(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	label, image, truth := filepath.Join(root, "source", "labels", "1.png"), filepath.Join(root, "target", "images", "2.png"), filepath.Join(root, "eval", "images", "0.png")
	for _, path := range []string{label, image, truth} {
		truncate(t, path)
	}
	c := shapesConfig(root, t.TempDir())
	c.Data.OnError, c.Baseline = configs.OnErrorSkip, false
	core, logs := observer.New(zap.WarnLevel)
	o := quiet()
	o.Log = zap.New(core)
	out, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Result.Skipped) != 1 || !strings.Contains(out.Result.Skipped[0].Error, truth) || out.Result.Images != 3 {
		t.Errorf("evaluated %d images without %+v", out.Result.Images, out.Result.Skipped)
	}
	times := map[string]int{}
	for _, s := range out.Skipped {
		times[s.File] = s.Times
	}
	if n, ok := times[filepath.Join(root, "source", "images", "1.png")]; !ok || n > 0 { // RCS never draws it
		t.Errorf("skipped %+v", out.Skipped)
	}
	if times[image] == 0 {
		t.Errorf("skipped %+v: the target image was never drawn", out.Skipped)
	}
	if logs.FilterMessageSnippet("passed over: ").Len() == 0 {
		t.Error("nothing was said of it")
	}
	if n := logs.FilterMessageSnippet("the report does without").Len(); n > 0 {
		t.Errorf("%v", logs.All())
	}
	read, err := readOutcome(out.Dir, c)
	if err != nil || !slices.Equal(read.Skipped, out.Skipped) {
		t.Errorf("%s holds %+v (%v)", resultFile, read.Skipped, err)
	}
	page, err := os.ReadFile(filepath.Join(out.Dir, reportFile))
	if err != nil || !strings.Contains(string(page), "could not be used") {
		t.Errorf("the report says nothing of it (%v)", err)
	}

	c.Name = "stopped"
	stopAfter(t, c, " 2/6 ")
	for _, path := range []string{image, truth, label} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	o.Resume = true
	again, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(lossLines(t, again.Dir), lossLines(t, out.Dir)) {
		t.Error("the losses are not the uninterrupted run's")
	}
	if len(again.Skipped) != len(out.Skipped) || again.Result.MIoU != out.Result.MIoU {
		t.Errorf("skipped %+v, mIoU %v, want %v", again.Skipped, again.Result.MIoU, out.Result.MIoU)
	}
}

// TestCameraTellsOfBadFiles: what the fit of the camera cannot read is counted
// before anything is drawn.
func TestCameraTellsOfBadFiles(t *testing.T) {
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Data.OnError, c.Data.StatsCache = configs.OnErrorSkip, t.TempDir()
	c.Translate.Engine = configs.Engines{"camera": 1}
	path := filepath.Join(root, "target", "images", "2.png")
	truncate(t, path)
	d, err := prepareOnly(t, c, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if f := d.began.Faults; len(f) != 1 || f[0].File != path || !strings.Contains(f[0].Error, path) {
		t.Errorf("faults %+v", f)
	}
}

// TestEvaluationStopsAtBadFile: an evaluation image that goes stops the run with
// its iteration saved, and the evaluation still to be made.
func TestEvaluationStopsAtBadFile(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	path := filepath.Join(root, "eval", "images", "2.png")
	truncate(t, path)
	_, err := Run(t.Context(), c, quiet())
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "saved") {
		t.Fatalf("have %v", err)
	}
	p, err := readProgress(t, checkpointPath(filepath.Join(c.Output, c.Name), lastPrefix, 3), c.Hash())
	if err != nil || !p.EvalPending {
		t.Errorf("saved %+v, %v", p, err)
	}
}

// TestRunWithoutCache: without a place for class statistics a run says so once,
// and trains.
func TestRunWithoutCache(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Translate.Engine = configs.Engines{"camera": 1}
	c.Translate.Camera.Images = 2
	file := filepath.Join(root, "file")
	writeFile(t, file, "")
	for _, test := range []struct{ cache, home, want string }{
		{file, "", "not kept"}, {"", "", "no cache folder"},
	} {
		t.Setenv("XDG_CACHE_HOME", test.cache)
		t.Setenv("HOME", test.home)
		core, logs := observer.New(zap.WarnLevel)
		d, err := prepareOnly(t, c, zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		if n := logs.FilterMessageSnippet(test.want).Len(); n != 1 || d.began.Stats == nil || d.began.Camera == nil {
			t.Errorf("%+v: %d warnings of %v", test, n, logs.All())
		}
	}
	c.Data.StatsCache = filepath.Join(file, "stats")
	if _, err := prepareOnly(t, c, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "data.stats_cache: ") || !strings.Contains(err.Error(), file) {
		t.Errorf("a folder that was asked for: %v", err)
	}
	c.Data.StatsCache = filepath.Join(root, "kept")
	if _, err := prepareOnly(t, c, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	if kept, err := filepath.Glob(filepath.Join(root, "kept", "*.json")); err != nil || len(kept) != 2 {
		t.Errorf("kept %v, %v", kept, err)
	}
}

// prepareOnly opens what c's run reads.
func prepareOnly(t *testing.T, c configs.Config, log *zap.Logger) (*data, error) {
	t.Helper()
	cache, err := statsFolder(c, log)
	if err != nil {
		return nil, err
	}
	return openData(t.Context(), c, "", nil, cache, log, nil)
}

// TestTooSmallToMeasure: an image that the camera's model cannot be made of is one that cannot be used, by
// its name, and is passed over where those are.
func TestTooSmallToMeasure(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Data.StatsCache, c.Translate.Engine = t.TempDir(), configs.Engines{"camera": 1}
	path := filepath.Join(root, "target", "images", "2.png")
	writePNG(t, path, raster.NewImage(20, 31).NRGBA())
	want := path + ": it has 20×31 pixels, but at least 32×32 are needed to measure sharpness and noise"
	if _, err := prepareOnly(t, c, zap.NewNop()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("have %v, want %s", err, want)
	}
	c.Data.OnError = configs.OnErrorSkip
	d, err := prepareOnly(t, c, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if f := d.began.Faults; len(f) != 1 || f[0].File != path || f[0].Error != want {
		t.Errorf("faults %+v", f)
	}
}
