package orchestrator

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/export/score"
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
	leaveOutcome(t, o.jobs(c, filepath.Join(dir, "s-compare"))[0])
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
