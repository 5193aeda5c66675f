package orchestrator

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
)

// states lists what Verify finds as "what: state" by base name of the path.
func states(t *testing.T, path string) map[string]Finding {
	t.Helper()
	all, err := Verify(path)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Finding{}
	for _, f := range all {
		by[filepath.Base(f.Path)] = f
	}
	return by
}

// TestVerify: of a finished run everything is whole; one changed bit anywhere is found,
// and nothing else is blamed.
func TestVerify(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.Iterations = 4
	out, err := Run(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	dir := out.Dir
	best := checkpointPath(dir, bestPrefix, bestOf(t, dir))
	want := []string{ConfigFile, filepath.Base(best), "iter_000002", "iter_000004", eventsFile, resultFile, modelFile}
	have := states(t, dir)
	for _, name := range want {
		if have[name].State != Whole {
			t.Errorf("%s: %+v", name, have[name])
		}
	}
	if len(have) != len(want) || have["iter_000004"].Detail != "iteration 4" || have[eventsFile].Detail != "4 iterations" {
		t.Errorf("have %v", have)
	}

	newest := checkpointPath(dir, lastPrefix, 4)
	for file, blamed := range map[string]string{
		filepath.Join(newest, studentFile): "iter_000004",
		filepath.Join(newest, sumsFile):    "iter_000004",
		filepath.Join(dir, modelFile):      modelFile,
	} {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		flip(t, file)
		for name, f := range states(t, dir) {
			if damaged := f.State == Damaged; damaged != (name == blamed) {
				t.Errorf("with a bit of %s changed, %s: %+v", file, name, f)
			}
		}
		writeFile(t, file, string(good))
	}
	if f := states(t, newest)["iter_000004"]; f.State != Whole {
		t.Errorf("the checkpoint alone: %+v", f)
	}
}

// bestOf is the iteration of the run's best evaluation.
func bestOf(t *testing.T, dir string) int {
	t.Helper()
	paths, err := namedCheckpoints(dir, bestPrefix)
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	return paths[0].iteration
}

// TestVerifyWithoutDigests: what has none is unknown, and still has to be readable.
func TestVerifyWithoutDigests(t *testing.T) {
	dir, _ := savedState(t)
	state := filepath.Join(dir, stateFile)
	p := new(progress)
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, p); err != nil {
		t.Fatal(err)
	}
	p.Summed = false
	old, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, state, string(old))
	if err := os.Remove(filepath.Join(dir, sumsFile)); err != nil {
		t.Fatal(err)
	}
	if f := states(t, dir)[filepath.Base(dir)]; f.State != Unknown || !strings.Contains(f.Detail, "before there were checksums") {
		t.Errorf("without sums: %+v", f)
	}
	writeFile(t, filepath.Join(dir, optimFile), "torn")
	if f := states(t, dir)[filepath.Base(dir)]; f.State != Damaged || !strings.Contains(f.Detail, optimFile) {
		t.Errorf("with a torn file: %+v", f)
	}
}

// TestVerifyEvents: one event an iteration, up to the last checkpoint.
func TestVerifyEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), eventsFile)
	for text, want := range map[string]string{
		"{\"iteration\":0}\n{\"iteration\":1}\n{\"iter": "",
		"{\"iteration\":0}\n":                           "iterations 1 are missing",
		"{\"iteration\":0}\n{torn\n{\"iteration\":1}\n": "line 2",
	} {
		writeFile(t, path, text)
		_, err := verifyEvents(path, 2)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestVerifyNothing: what is none of ours is an error, not a finding.
func TestVerifyNothing(t *testing.T) {
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		if _, err := Verify(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
