package analyze

import (
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/orchestrator"
	"t2sda/orchestrator/features"
)

// tiny makes the embedded run small: four iterations on eight pictures, which
// are evaluated at another size than their labels have.
var tiny = []string{
	"data.streets.train=6", "data.streets.val=2", "data.crop.width=64", "data.crop.height=64", "data.streets.size.width=128", "data.streets.size.height=64",
	"data.eval.resize.width=96", "data.eval.resize.height=48",
	"train.iterations=4", "train.batch=2", "train.eval_every=2", "train.checkpoint_every=2", "model.head_width=16", "model.projector_width=12",
	"loss.pull.queries=8", "loss.pull.negatives=16", "runtime.device=cpu",
}

// train makes a tiny run in the working directory and returns its outcome.
func train(t *testing.T, settings ...string) *orchestrator.Outcome {
	t.Helper()
	cfg, err := configs.Load("streets", append(append([]string{}, tiny...), settings...))
	if err != nil {
		t.Fatal(err)
	}
	out, err := orchestrator.Run(t.Context(), cfg, orchestrator.Options{Log: zap.NewNop(), Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// defaults are options for a test's run.
func defaults(dir string) Options {
	return Options{Dir: dir, Checkpoint: "last", Samples: 2, Seed: 1}
}

func analyzed(t *testing.T, e *engine.Engine, o Options) *Result {
	t.Helper()
	r, err := Run(t.Context(), e, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// written reads analysis.json without what differs from call to call.
func written(t *testing.T, dir string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, resultFile))
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	delete(v, "seconds")
	return v
}

// TestRun analyses a run with its baseline.
func TestRun(t *testing.T) {
	enginetest.Isolate(t)
	t.Chdir(t.TempDir())
	trained := train(t)
	e := enginetest.Open(t, engine.Options{Device: "cpu"})
	o := defaults(trained.Dir)
	stages := map[string]int{}
	o.Progress = func(stage, unit string) func(int, int) {
		return func(done, total int) { stages[stage+" in "+unit] = done*1000 + total }
	}
	r := analyzed(t, e, o)

	if len(r.Networks) != 2 || r.Networks[0].Method != configs.T2S || r.Networks[1].Method != configs.SourceOnly || r.Networks[0].Depth != 16 {
		t.Fatalf("networks %+v", r.Networks)
	}
	if r.Source.Images != 6 || r.Source.Width != 128 || r.Target.Images != 2 || r.Target.Width != 96 {
		t.Errorf("images %+v, %+v", r.Source, r.Target)
	}
	for k, want := range []*orchestrator.Outcome{trained, {Result: trained.Baseline}} {
		for c, class := range r.Networks[k].Classes {
			// What is deployed is the same network with other roundings.
			if have, want := float64(class.Target.IoU), float64(want.Result.Classes[c].IoU); !(math.Abs(have-want) <= 1e-3) && !(math.IsNaN(have) && math.IsNaN(want)) {
				t.Errorf("network %d, IoU of %s on the target is %v, the evaluation's is %v", k, class.Name, have, want)
			}
			if a, b := class.Source.Positions, r.Networks[1-k].Classes[c].Source.Positions; a != b {
				t.Errorf("%s has %d and %d positions", class.Name, a, b)
			}
			if s := class.Similarity; (class.Source.Positions > 0 && class.Target.Positions > 0) != s.Finite() || s > 1+1e-9 || s < -1 {
				t.Errorf("network %d, similarity of %s is %v", k, class.Name, s)
			}
		}
		if m := r.Networks[k].Mean; !m.Similarity.Finite() || !m.Target.CCD.Finite() || !m.Source.PDD.Finite() || m.Source.Positions == 0 {
			t.Errorf("network %d, means %+v", k, m)
		}
	}
	for stage, want := range map[string]int{"t2s, source, pass 1 in images": 6006, "source-only, target, pass 2 in images": 2002, "t2s, t-SNE in steps": 1001000} {
		if stages[stage] != want {
			t.Errorf("progress of %q: %d, want %d, among %v", stage, stages[stage], want, stages)
		}
	}
	checkFiles(t, r, filepath.Join(trained.Dir, "analysis"))

	// Nothing depends on the number of workers, and other draws leave the
	// measures alone.
	again := o
	again.Workers, again.Out = 1, t.TempDir()
	analyzed(t, e, again)
	if diff := cmp.Diff(written(t, filepath.Join(trained.Dir, "analysis")), written(t, again.Out)); diff != "" {
		t.Errorf("one worker gives other numbers: %s", diff)
	}
	again.Seed, again.Baseline = 2, NoBaseline
	other := analyzed(t, e, again)
	if len(other.Networks) != 1 || !cmp.Equal(other.Networks[0].Mean, r.Networks[0].Mean) {
		t.Errorf("another seed gives means %+v, not %+v", other.Networks, r.Networks[0].Mean)
	}
	t.Run("features", func(t *testing.T) { testFeatures(t, e, o) })
	t.Run("errors", func(t *testing.T) { testErrors(t, e, o) })
}

// checkFiles opens what was written.
func checkFiles(t *testing.T, r *Result, dir string) {
	t.Helper()
	var want []string
	for _, name := range []string{resultFile, similarityFile, distancesFile, pcaFile, tsneFile} {
		want = append(want, filepath.Join(dir, name))
	}
	if diff := cmp.Diff(want, r.Files); diff != "" {
		t.Error(diff)
	}
	for _, path := range want[1:] {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := png.Decode(f); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	var back Result
	text, err := os.ReadFile(want[0])
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || back.Networks[0].Mean.Similarity != r.Networks[0].Mean.Similarity || back.Networks[1].Embedding != r.Networks[1].Embedding {
		t.Errorf("%s: %v, %+v", want[0], err, back)
	}
}

func testFeatures(t *testing.T, e *engine.Engine, o Options) {
	o.Images, o.Out, o.SourceSplit = 1, t.TempDir(), "val"
	o.Features = features.Projector
	r := analyzed(t, e, o)
	if len(r.Networks) != 1 || r.Networks[0].Depth != 12 || len(r.Notes) != 1 || r.Notes[0] != filepath.Join(o.Dir, "baseline")+" is left out: method source-only trains no projector" {
		t.Errorf("projector: %d networks of depth %d, notes %v", len(r.Networks), r.Networks[0].Depth, r.Notes)
	}
	if r.Source.Images != 1 || r.Source.Of != 2 || !strings.HasSuffix(r.Source.Place, "game, split val") {
		t.Errorf("source %+v", r.Source)
	}
	o.Baseline, o.Features = o.Dir, features.Projector // a run against itself
	r = analyzed(t, e, o)
	if len(r.Networks) != 2 || !cmp.Equal(r.Networks[0].Mean, r.Networks[1].Mean) || r.Names()[0] != o.Dir {
		t.Errorf("against itself: %+v, named %v", r.Networks, r.Names())
	}
	o.Baseline, o.Features, o.Checkpoint = "", features.Encoder, "iter_000002"
	r = analyzed(t, e, o)
	if n := r.Networks[1]; n.Depth != 16+32+64+128 || n.Iteration != 2 || n.Checkpoint != "iter_000002" {
		t.Errorf("encoder: %+v", n)
	}
}

// edit replaces text in a file.
func edit(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %s: %s", path, from, text)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// testErrors checks messages; the last cases damage the run's surroundings.
func testErrors(t *testing.T, e *engine.Engine, o Options) {
	source := filepath.Join(o.Dir, "baseline")
	move := func(path string) {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
	}
	edit(t, "data/streets/camera/streets.json", `"seed": 1`, `"seed": 2`)
	want := "target domain: data.eval: data/streets/camera/streets.json: the streets there are now others (version"
	if _, err := Run(t.Context(), e, o); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "seed 2") {
		t.Errorf("of another world: %v, want %q", err, want)
	}
	edit(t, "data/streets/camera/streets.json", `"seed": 2`, `"seed": 1`)
	for _, c := range []struct {
		name   string
		change func(o *Options)
		want   []string
	}{
		{"no run", func(o *Options) { o.Dir = "runs/none" }, []string{"runs/none is no run directory"}},
		{"checkpoint", func(o *Options) { o.Checkpoint = "iter_000003" }, []string{`holds no checkpoint "iter_000003", only best_`, "iter_000002, iter_000004"}},
		{"features", func(o *Options) { o.Features = "hair" }, []string{`features "hair" are none of head, encoder, projector`}},
		{"projector", func(o *Options) { o.Dir, o.Features = source, features.Projector }, []string{"method source-only trains no projector", "head or encoder"}},
		{"another baseline", func(o *Options) { o.Baseline = "runs/none" }, []string{`baseline ("none" leaves it out): runs/none is no run directory`}},
		{"samples", func(o *Options) { o.Samples = 0 }, []string{"samples: want at least 1, have 0"}},
		{"images", func(o *Options) { o.Images = -1 }, []string{"images: want at least 0, have -1"}},
		{"perplexity", func(o *Options) { o.Perplexity = 0.5 }, []string{"perplexity: want 0 or at least 1, have 0.5"}},
		{"folder", func(o *Options) { o.Out = filepath.Join(o.Dir, "config.yaml", "x") }, []string{"folder for results: ", "config.yaml"}},
		{"split", func(o *Options) { o.SourceSplit = "dusk" }, []string{"source domain: data.source", "dusk"}},
		{"baseline", func(*Options) { move(filepath.Join(source, "checkpoints")) }, []string{`baseline ("none" leaves it out)`, "holds no checkpoint"}},
		{"target labels", func(o *Options) { o.Baseline = NoBaseline; move("data/streets/camera/gtFine") }, []string{"target domain: data.eval", "images of data.eval", "start this where the run was started"}},
		{"no checkpoint", func(o *Options) { move(filepath.Join(o.Dir, "checkpoints")) }, []string{"holds no checkpoint"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := o
			o.Out = t.TempDir()
			c.change(&o)
			_, err := Run(t.Context(), e, o)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("have %v, want %q", err, want)
				}
			}
		})
	}
}

// TestOneDomain: on a network whose source is its own target, the domains are
// one.
func TestOneDomain(t *testing.T) {
	enginetest.Isolate(t)
	t.Chdir(t.TempDir())
	trained := train(t, "method=source-only", "train.iterations=1", "data.crop.height=32", "data.source.root=data/streets/camera", "data.source.split=val", "data.source.resize.width=96", "data.source.resize.height=48")
	r := analyzed(t, enginetest.Open(t, engine.Options{Device: "cpu"}), defaults(trained.Dir))
	for _, c := range r.Networks[0].Classes {
		if c.Source.Positions > 0 && math.Abs(float64(c.Similarity)-1) > 1e-12 {
			t.Errorf("similarity of %s is %v", c.Name, c.Similarity)
		}
		if diff := cmp.Diff(c.Source, c.Target, cmp.Comparer(func(a, b Number) bool { return a == b || a.Finite() == b.Finite() && !a.Finite() })); diff != "" && c.Source.Positions > 0 {
			t.Errorf("%s: %s", c.Name, diff)
		}
	}
}

// TestOracle: the oracle reads no source images, the analysis of it does.
func TestOracle(t *testing.T) {
	enginetest.Isolate(t)
	t.Chdir(t.TempDir())
	trained := train(t, "method=target-only", "baseline=false", "train.iterations=1", "data.target.split=val", "data.source.root=${SOMEWHERE}")
	e := enginetest.Open(t, engine.Options{Device: "cpu"})
	_, err := Run(t.Context(), e, defaults(trained.Dir))
	if want := "method target-only reads no source images: "; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "SOMEWHERE is not set") {
		t.Errorf("have %v, want %q", err, want)
	}
	t.Setenv("SOMEWHERE", "data/streets/camera")
	o := defaults(trained.Dir)
	o.SourceSplit = "train"
	if r := analyzed(t, e, o); r.Source.Images != 6 || len(r.Networks) != 1 {
		t.Errorf("source %+v, %d networks", r.Source, len(r.Networks))
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, e, o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestBadFiles: of a run that passes over bad files the analysis leaves them out
// and says so, the first one included; all networks see the same images. Another
// run's stops.
func TestBadFiles(t *testing.T) {
	enginetest.Isolate(t)
	t.Chdir(t.TempDir())
	trained := train(t, "data.on_error=skip", "method=self-training", "train.iterations=1")
	e := enginetest.Open(t, engine.Options{Device: "cpu"})
	images, err := filepath.Glob("data/streets/game/leftImg8bit/train/*/*.png")
	labels, labelsErr := filepath.Glob("data/streets/camera/gtFine/val/*/*.png")
	if err := errors.Join(err, labelsErr, os.Truncate(images[0], 60), os.Remove(labels[1])); err != nil {
		t.Fatal(err)
	}
	r := analyzed(t, e, defaults(trained.Dir))
	if r.Source.Images != 5 || r.Source.Of != 6 || len(r.Source.Skipped) != 1 || r.Target.Images != 1 || r.Target.Of != 2 {
		t.Errorf("source %+v, target %+v", r.Source, r.Target)
	}
	for i, want := range []string{images[0], "no label"} {
		if len(r.Notes) != 2 || !strings.Contains(r.Notes[i], want) || !strings.Contains(r.Notes[i], "cannot be read: 1 of ") {
			t.Errorf("notes %q, want %q", r.Notes, want)
		}
	}
	if a, b := r.Networks[0].Classes[0].Source.Positions, r.Networks[1].Classes[0].Source.Positions; a != b || a == 0 {
		t.Errorf("%d and %d positions of road", a, b)
	}
	stops := train(t, "name=stops", "method=source-only", "train.iterations=1", "data.source.root=data/streets/camera", "data.eval.root=data/streets/game")
	for _, path := range images {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Run(t.Context(), e, defaults(trained.Dir)); err == nil || !strings.Contains(err.Error(), "none of the 6 images can be read") {
		t.Errorf("have %v", err)
	}
	vals, err := filepath.Glob("data/streets/game/leftImg8bit/val/*/*.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(vals[1], 60); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), e, defaults(stops.Dir)); err == nil || !strings.Contains(err.Error(), vals[1]) {
		t.Errorf("have %v", err)
	}
}
