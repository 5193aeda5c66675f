package orchestrator

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs/weights"
	"t2sda/internal/atomicfile"
	"t2sda/internal/sha256sum"
)

// savedState saves a small state and returns the checkpoint's directory and
// something that loads it.
func savedState(t *testing.T) (dir string, load func() error) {
	t.Helper()
	c := shapesConfig("x", t.TempDir())
	s := openLearner(t, c)
	dir = checkpointPath(t.TempDir(), lastPrefix, 3)
	if err := saveState(atomicfile.Disk{}, s, dir, progress{Iteration: 3, ConfigHash: c.Hash()}); err != nil {
		t.Fatal(err)
	}
	return dir, func() error {
		p, err := loadState(s, dir, c.Hash())
		if err == nil && p.Iteration != 3 {
			t.Errorf("loaded %+v", p)
		}
		return err
	}
}

// TestEveryByteCounts changes one bit in every part of every file of a
// checkpoint: it is refused, and the file named.
func TestEveryByteCounts(t *testing.T) {
	dir, load := savedState(t)
	if err := load(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{studentFile, teacherFile, optimFile, stateFile, sumsFile} {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		harm := func(how string, bad []byte) {
			writeFile(t, path, string(bad))
			damaged := new(damagedError)
			if err := load(); !errors.As(err, &damaged) || !strings.Contains(err.Error(), dir) || name != sumsFile && !strings.Contains(err.Error(), name) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
		for part := range 16 {
			bad := []byte(string(good))
			bad[(len(bad)-1)*part/15] ^= 1 << (part % 8)
			harm("a bit", bad)
		}
		harm("shorter", good[:len(good)-1])
		harm("longer", append([]byte(string(good)), ' '))
		harm("empty", nil)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := load(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
		writeFile(t, path, string(good))
		if err := load(); err != nil {
			t.Fatal(err)
		}
	}
	// A line less is as bad as a wrong one.
	sums, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(sums), "\n")
	writeFile(t, filepath.Join(dir, sumsFile), rest)
	if err := load(); err == nil || !strings.Contains(err.Error(), "does not list "+optimFile) {
		t.Errorf("have %v", err)
	}
}

// TestCheckpointWithoutSums: those from before there were any are used, and it
// is said.
func TestCheckpointWithoutSums(t *testing.T) {
	dir, load := savedState(t)
	path := filepath.Join(dir, stateFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var old map[string]any
	if err := json.Unmarshal(text, &old); err != nil || old["sums"] != true {
		t.Fatal(err, old)
	}
	delete(old, "sums")
	if text, err = json.Marshal(old); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, string(text))
	if err := os.Remove(filepath.Join(dir, sumsFile)); err != nil {
		t.Fatal(err)
	}
	if err := load(); !errors.Is(err, errUnsummed) {
		t.Errorf("have %v", err)
	}
}

// TestInitialWeightsAreVerified: a run that starts from a checkpoint's file
// starts from what was written.
func TestInitialWeightsAreVerified(t *testing.T) {
	dir, _ := savedState(t)
	path := filepath.Join(dir, studentFile)
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	want := f.Infos()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := initialWeights(path, want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 8
	writeFile(t, path, string(text))
	if _, _, err := weights.Load(path); err != nil {
		t.Fatal(err) // or the sums would show nothing
	}
	if _, _, err := initialWeights(path, want); err == nil || !strings.Contains(err.Error(), path+" is damaged") {
		t.Errorf("have %v", err)
	}
}

// TestSummed: whatever parts of a file are read, in whatever order, its digest is
// that of all of it.
func TestSummed(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	path := filepath.Join(t.TempDir(), "f")
	writeFile(t, path, string(text))
	for _, parts := range [][][2]int{ // from, to
		nil, {{0, 8}, {8, 100}}, {{0, 16000}}, {{50, 60}, {20, 55}, {20, 70}, {9000, 16000}}, {{15990, 16010}}, {{17000, 17010}},
	} {
		f, err := openSummed(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			have := make([]byte, p[1]-p[0])
			n, _ := f.ReadAt(have, int64(p[0]))
			if want := text[min(p[0], len(text)):min(p[1], len(text))]; !bytes.Equal(have[:n], want) {
				t.Errorf("%v: read %q, want %q", p, have[:n], want)
			}
		}
		if have, err := f.close(); err != nil || have != sha256sum.Of(text) {
			t.Errorf("%v: %s, %v", parts, have, err)
		}
	}
}
