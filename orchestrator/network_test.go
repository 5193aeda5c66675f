package orchestrator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/weights"
)

// TestOpenNetwork: student and teacher are what the checkpoint's files hold, the
// teacher with the student's running statistics.
func TestOpenNetwork(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.EvalEvery = 0
	if _, err := Run(t.Context(), c, quiet()); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(c.Output, c.Name)
	if err := os.Mkdir(filepath.Join(run, checkpointDir, ".writing-1"), 0o755); err != nil {
		t.Fatal(err)
	}
	removeAll(t, root) // no data are needed
	files := map[string]map[string][]float32{}
	for _, name := range []string{studentFile, teacherFile} {
		tensors, _, err := weights.Load(filepath.Join(checkpointPath(run, lastPrefix, 6), name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = map[string][]float32{}
		for _, x := range tensors {
			files[name][x.Name] = x.Data
		}
	}
	for which, file := range map[string]string{Student: studentFile, Teacher: teacherFile} {
		n, err := OpenNetwork(run, "last", which)
		if err != nil {
			t.Fatal(err)
		}
		if n.Checkpoint != "iter_000006" || n.Iteration != 6 || len(n.Space.Classes) != 3 || n.Config.Method != configs.T2S {
			t.Errorf("%s: %s, iteration %d, classes %v", which, n.Checkpoint, n.Iteration, n.Space.Names())
		}
		differs := false
		for name, students := range files[studentFile] {
			want, ok := files[file][name]
			if !ok {
				want = students
			}
			have, err := n.Lookup(name)
			if err != nil || !slices.Equal(have, want) {
				t.Fatalf("%s: %s is not the file's (%v)", which, name, err)
			}
			differs = differs || !slices.Equal(have, students)
		}
		if differs != (which == Teacher) {
			t.Errorf("%s differs from the student: %v", which, differs)
		}
		if _, err := n.Lookup("hair"); err == nil {
			t.Error("the network has hair")
		}
	}
	if n, err := OpenNetwork(run, "iter_000004", Student); err != nil || n.Iteration != 4 {
		t.Errorf("by name: %+v, %v", n, err)
	}
	for _, bad := range []struct{ checkpoint, which, want string }{
		{"last", "both", `weights: want student or teacher, have "both"`},
		{"iter_5", Student, `holds no checkpoint "iter_5", only `},
		{".writing-1", Student, `holds no checkpoint ".writing-1"`},
		{"../..", Student, `holds no checkpoint "../.."`},
	} {
		if _, err := OpenNetwork(run, bad.checkpoint, bad.which); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s, %s: have %v, want %q", bad.checkpoint, bad.which, err, bad.want)
		}
	}
	path := filepath.Join(run, ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][3]string{
		{"seed: 3", "seed: 4", "belongs to another configuration"},
		{"method: t2s", "method: source-only", "method source-only keeps no teacher"},
	} {
		if !strings.Contains(string(text), bad[0]) {
			t.Fatalf("%s lacks %q", path, bad[0])
		}
		writeFile(t, path, strings.Replace(string(text), bad[0], bad[1], 1))
		if _, err := OpenNetwork(run, "last", Teacher); err == nil || !strings.Contains(err.Error(), bad[2]) {
			t.Errorf("%s: have %v, want %q", bad[1], err, bad[2])
		}
	}
}
