package orchestrator

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/export/score"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// TestCheckInputs: what is missing is named once, with the fields that name it and the
// runs that read it, of what the runs read and what a name alone can tell.
func TestCheckInputs(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, folder := range []string{"there/images", "[odd] {name}/images", "empty"} {
		if err := os.MkdirAll(in(folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, in("file"), "a\n")
	there, gone, far := in("there"), in("gone"), in("far")
	run := func(method configs.Method, source, target, eval string, more ...func(*configs.Config)) Job {
		c := configs.Default()
		c.Method, c.Output, c.Name = method, dir, fmt.Sprint(method, len(source), len(target), len(eval))
		c.Data.Source.Root, c.Data.Target.Root, c.Data.Eval.Root = source, target, eval
		for _, set := range more {
			set(&c)
		}
		return Job{Row: string(method), Config: c}
	}
	for name, jobs := range map[string][]Job{
		"there":            {run("t2s", there, there, in("[odd] {name}"))},
		"not read":         {run("source-only", there, gone, there), run("target-only", gone, there, there)},
		"shards, buckets":  {run("t2s", "s3://bucket/a", in("{split}-*.tar"), there)},
		"listed elsewhere": {run("t2s", there, there, in("empty"), func(c *configs.Config) { c.Data.Eval.List = in("file") })},
		"rendered": {run("t2s", gone, far, far, func(c *configs.Config) {
			c.Data.Streets.Enabled, c.Data.Streets.Domains = true, []string{"game", "camera"}
		})},
		"not opened": {run("t2s", there, there, there, func(c *configs.Config) {
			c.Translate.Folder, c.Translate.Model, c.Data.Cache, c.Model.Init = gone, gone, gone, "streets_nano"
		})},
	} {
		if err := checkInputs(jobs); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []struct {
		name string
		jobs []Job
		want string
	}{
		{
			"twice",
			[]Job{run("source-only", gone, far, far), run("t2s", gone, far, far), run("t2s", there, there, there)},
			"data.source.root: " + gone + " is not there (2 runs, the first: source-only, seed 1): put it there, or set data.source.root=DIR\n" +
				"data.eval.root, data.target.root: " + far + " is not there (2 runs, the first: source-only, seed 1): put it there, or set data.eval.root=DIR data.target.root=DIR",
		},
		{"a name like a pattern", []Job{run("source-only", in("{a,b}*"), "", there)}, "data.source.root: " + in("{a,b}*") + " is not there (1 run, "},
		{"a file", []Job{run("source-only", in("file"), "", there)}, "data.source.root: " + in("file") + " is a file: want a folder, or shards (.tar) (1 run, "},
		{"an empty folder", []Job{run("source-only", there, "", in("empty"))}, "data.eval.root: " + in("empty") + " is an empty folder (1 run, "},
		{
			"a list",
			[]Job{run("source-only", there, "", there, func(c *configs.Config) { c.Data.Source.List = gone })},
			"data.source.list: " + gone + " is not there (1 run, the first: source-only, seed 1): put it there, or set data.source.list=FILE",
		},
		{"a map", []Job{run("source-only", there, "", there, func(c *configs.Config) { c.Data.Eval.Map = gone + ".yaml" })}, "data.eval.map: "},
		{"weights", []Job{run("source-only", there, "", there, func(c *configs.Config) { c.Model.Init = there })}, "model.init: " + there + " is a folder: want a file ("},
		{"translations", []Job{run("translated", there, there, there, func(c *configs.Config) {
			c.Translate.Engine, c.Translate.Folder = configs.Engines{"folder": 1}, in("empty")
		})}, "translate.folder: " + in("empty") + " is an empty folder ("},
		{"styles", []Job{run("translated", there, there, there, func(c *configs.Config) {
			c.Translate.Engine, c.Translate.Styles = configs.Engines{"fda": 1}, gone
		})}, "translate.styles: " + gone + " is not there ("},
		{"networks", []Job{run("translated", there, there, there, func(c *configs.Config) {
			c.Translate.Engine, c.Translate.Model, c.Translate.AdaIN.Model = configs.Engines{"onnx": 1, "adain": 1}, gone, gone
		})}, "translate.adain.model, translate.model: " + gone + " is not there ("},
	} {
		err := checkInputs(c.jobs)
		if missing := new(MissingError); !errors.As(err, &missing) || !strings.HasPrefix(err.Error(), "nothing is trained: "+c.want) {
			t.Errorf("%s: have %v\nwant nothing is trained: %s", c.name, err, c.want)
		}
	}
}

// TestMissingData: runs that are complete are tabulated all the same, and nothing is
// trained, opened or rendered before the check.
func TestMissingData(t *testing.T) {
	dir := t.TempDir()
	c := configs.Default()
	c.Method, c.Output, c.Runtime.Threads, c.Runtime.Library = "source-only", dir, 1, filepath.Join(dir, "no library")
	c.Data.Source.Root, c.Data.Eval.Root = filepath.Join(dir, "gone"), filepath.Join(dir, "gone")
	jobs := []Job{{"a", c}, {"b", c}}
	jobs[0].Config.Name, jobs[1].Config.Name = "a", "b"
	leaveOutcome(t, jobs[0])
	results, err := TrainAll(t.Context(), jobs, 1, nil, quiet())
	if missing := new(MissingError); !errors.As(err, &missing) || !strings.Contains(err.Error(), "(1 run, the first: b, seed 1)") {
		t.Fatalf("have %v", err)
	}
	if len(results) != 2 || results[0].Outcome == nil || results[0].Outcome.Result.MIoU != 0.5 || results[1] != (JobResult{}) {
		t.Errorf("have %+v", results)
	}
	if exists(jobs[1].Dir()) {
		t.Error("the other run was begun")
	}

	c.Name, c.Data.Target.Root = "s", filepath.Join(dir, "gone")
	o := CompareOptions{Methods: []string{configs.SourceOnly, configs.TargetOnly}, Seeds: []uint{1}, Jobs: 1}
	if _, err := Compare(t.Context(), c, o, quiet()); err == nil || exists(filepath.Join(dir, "s-compare", compareMarkdown)) {
		t.Errorf("a table of nothing is written: %v", err)
	}
	var out bytes.Buffer
	told := quiet()
	told.Out = &out
	methods, err := o.methods(c)
	if err != nil {
		t.Fatal(err)
	}
	leaveOutcome(t, o.jobs(methods, filepath.Join(dir, "s-compare"))[0])
	table, err := Compare(t.Context(), c, o, told)
	if missing := new(MissingError); !errors.As(err, &missing) || table == nil || table.Rows[0].Mean != 0.5 || len(table.Failures) > 0 {
		t.Fatalf("%+v, %v", table, err)
	}
	if !exists(filepath.Join(dir, "s-compare", compareMarkdown)) || !strings.Contains(out.String(), "50.0") {
		t.Errorf("printed\n%s", out.String())
	}
}

// leaveOutcome leaves what a complete run of the job leaves.
func leaveOutcome(t *testing.T, j Job) {
	t.Helper()
	r := score.NewResult([]string{"a", "b"}, score.NewConfusion(2))
	r.MIoU = 0.5
	if err := os.MkdirAll(j.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	out := &Outcome{Dir: j.Dir(), ConfigHash: j.Config.Hash(), Result: r}
	if err := out.write(quiet().Disk); err != nil {
		t.Fatal(err)
	}
}

// TestVoidEvaluation: a split whose labels say nothing is refused before anything is trained.
func TestVoidEvaluation(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	void := raster.NewLabels(96, 72)
	for i := range void.Pix {
		void.Pix[i] = raster.Void
	}
	for i := range 3 {
		writePNG(t, filepath.Join(root, "eval", "labels", fmt.Sprintf("%d.png", i)), void.Gray())
	}
	if d, err := prepareOnly(t, c, zap.NewNop()); err != nil || d.eval.Len() != 4 {
		t.Errorf("with labels in the last image: %v", err)
	}
	writePNG(t, filepath.Join(root, "eval", "labels", "3.png"), void.Gray())
	if _, err := prepareOnly(t, c, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "data.eval: the labels of all 4 images of split") || !strings.Contains(err.Error(), "are void, so that nothing can be scored") {
		t.Errorf("have %v", err)
	}
}

// TestWorldOfTheBaseline: what the source-only run before target-only learns from is rendered, too.
func TestWorldOfTheBaseline(t *testing.T) {
	for _, c := range []struct {
		settings []string
		want     string
	}{
		{[]string{"method=target-only", "baseline=true"}, "data.source.root data.target.root"},
		{[]string{"method=target-only", "baseline=false"}, "data.target.root"},
		{[]string{"method=source-only"}, "data.source.root data.target.root"}, // which it is scored on
	} {
		cfg, err := configs.Load("streets", c.settings)
		if err != nil {
			t.Fatal(err)
		}
		var fields []string
		for _, r := range streetRoots(cfg) {
			fields = append(fields, r.field)
		}
		if have := strings.Join(fields, " "); have != c.want {
			t.Errorf("%v renders %s, want %s", c.settings, have, c.want)
		}
	}
	t.Setenv("T2SDA_TEST_WORLD", "/w")
	for _, method := range []string{"target-only", "source-only"} {
		cfg, err := configs.Load("streets", []string{"method=" + method, "data.source.root=${T2SDA_TEST_WORLD}/game", "data.target.root=${T2SDA_TEST_WORLD}/camera", "data.eval.root=${T2SDA_TEST_WORLD}/camera"})
		if err != nil {
			t.Fatal(err)
		}
		if r := streetRoots(cfg); len(r) != 2 || r[0].root != "/w/game" || r[1].root != "/w/camera" {
			t.Errorf("%s renders %+v", method, r)
		}
	}
}

// TestVariablesOfOtherMethods: methods that read what the configured one does not find it, or say which
// variable is not set.
func TestVariablesOfOtherMethods(t *testing.T) {
	t.Setenv("GTA5_ROOT", "/the/game")
	t.Setenv("CITYSCAPES_ROOT", "/the/city")
	cfg, err := configs.Load("gta5-cityscapes", []string{"method=target-only", "baseline=true"})
	if err != nil {
		t.Fatal(err)
	}
	base, err := baselineOf(cfg)
	if err != nil || base.Data.Source.Root != "/the/game" {
		t.Errorf("the baseline reads %+v, %v", base, err)
	}
	o := CompareOptions{Methods: []string{configs.TargetOnly, configs.SourceOnly}, Seeds: []uint{1}}
	methods, err := o.methods(cfg)
	if err != nil || methods[1].Data.Source.Root != "/the/game" {
		t.Errorf("source-only reads %+v, %v", methods, err)
	}
	t.Setenv("GTA5_ROOT", "")
	if _, err := Run(t.Context(), cfg, quiet()); err == nil || !strings.Contains(err.Error(), "baseline: data.source.root: environment variable GTA5_ROOT is not set") {
		t.Errorf("have %v", err)
	}
	if _, err := Compare(t.Context(), cfg, o, quiet()); err == nil || !strings.Contains(err.Error(), "method source-only: data.source.root: environment variable GTA5_ROOT is not set") {
		t.Errorf("have %v", err)
	}
}

// TestWorldsOfRows: rows of different worlds in one folder would take each other's images away.
func TestWorldsOfRows(t *testing.T) {
	var jobs []Job
	for row, settings := range map[string][]string{"few": {"data.streets.train=100"}, "many": {"data.streets.train=400"}} {
		cfg, err := configs.Load("streets", append(settings, "output="+t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, Job{row, cfg})
	}
	if _, err := TrainAll(t.Context(), jobs, 2, nil, quiet()); err == nil || !strings.Contains(err.Error(), "nothing is trained: ") || !strings.Contains(err.Error(), "would render different worlds (data.streets.seed 1, train ") {
		t.Errorf("have %v", err)
	}
	for i := range jobs {
		jobs[i].Config.Data.Source.Root, jobs[i].Config.Data.Target.Root = jobs[i].Row+"/game", jobs[i].Row+"/camera"
	}
	if err := checkWorlds(jobs); err != nil {
		t.Error(err)
	}
}

// TestMissingBesideABaseline: what the method reads is looked for before its baseline is trained.
func TestMissingBesideABaseline(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Baseline, c.Data.Target.Root = true, filepath.Join(root, "gone")
	if _, err := Run(t.Context(), c, quiet()); err == nil || !strings.Contains(err.Error(), "nothing is trained: data.target.root: "+c.Data.Target.Root+" is not there") {
		t.Errorf("have %v", err)
	}
	if exists(filepath.Join(c.Output, c.Name, baselineName)) {
		t.Error("the baseline was begun")
	}
}
