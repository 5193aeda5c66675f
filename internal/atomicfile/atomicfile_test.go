package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// only expects exactly these names in dir.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if strings.Join(have, " ") != strings.Join(names, " ") {
		t.Errorf("%s holds %v, want %v", dir, have, names)
	}
}

func TestWriteReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, text := range []string{"first", "", "a longer third"} {
		if err := Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != text {
			t.Errorf("have %q, want %q", got, text)
		}
	}
	only(t, dir, "a")
}

// ways are both ways to write through a function.
var ways = map[string]func(path string, write func(io.Writer) error) error{"synced": WriteFunc, "unsynced": WriteUnsynced}

// TestFailureKeepsTheOld: a writer that fails half way leaves the file as it was
// and nothing beside it.
func TestFailureKeepsTheOld(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) { testFailure(t, way) })
	}
}

func testFailure(t *testing.T, way func(path string, write func(io.Writer) error) error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	err := way(path, func(w io.Writer) error {
		_, err := w.Write([]byte("half"))
		return errors.Join(err, full)
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), path) {
		t.Errorf("have %v, want the writer's error and the file", err)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("have %q", got)
	}
	only(t, dir, "a")
}

// TestUntilTheEndTheOldIsThere: who reads meanwhile sees the old file whole.
func TestUntilTheEndTheOldIsThere(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) { testReplacing(t, way) })
	}
}

func testReplacing(t *testing.T, way func(path string, write func(io.Writer) error) error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	err := way(path, func(w io.Writer) error {
		_, err := w.Write([]byte("new"))
		if got := read(t, path); got != "old" {
			t.Errorf("meanwhile %q", got)
		}
		return err
	})
	if err != nil || read(t, path) != "new" {
		t.Errorf("%v, %q", err, read(t, path))
	}
}

// TestUmask: the file is as readable as any that the user makes.
func TestUmask(t *testing.T) {
	dir := t.TempDir()
	path, plain := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	f, err := os.Create(plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), Write(path, nil)); err != nil {
		t.Fatal(err)
	}
	have, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(plain)
	if err != nil || have.Mode() != want.Mode() {
		t.Errorf("mode %v, %v of a plain file (%v)", have.Mode(), want.Mode(), err)
	}
}

func TestMissingFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "a")
	if err := Write(path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("have %v, want an error that names %s", err, path)
	}
}

func makeDir(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "f"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRenameDir(t *testing.T) {
	dir := t.TempDir()
	temp, path := filepath.Join(dir, "temp"), filepath.Join(dir, "final")
	for _, text := range []string{"first", "second"} { // new, then in place of the first
		makeDir(t, temp, text)
		if err := (Disk{}).RenameDir(temp, path); err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(path, "f")); got != text {
			t.Errorf("have %q, want %q", got, text)
		}
		if text == "second" {
			if got := read(t, filepath.Join(temp, "f")); got != "first" {
				t.Errorf("what was there before: %q", got)
			}
		}
		if err := os.RemoveAll(temp); err != nil {
			t.Fatal(err)
		}
		only(t, dir, "final")
	}
}

// TestRenameDirFails: without a new directory the old one stays.
func TestRenameDirFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "final")
	makeDir(t, path, "old")
	if err := (Disk{}).RenameDir(filepath.Join(dir, "none"), path); err == nil {
		t.Error("no error")
	}
	if got := read(t, filepath.Join(path, "f")); got != "old" {
		t.Errorf("have %q", got)
	}
	only(t, dir, "final")
}
