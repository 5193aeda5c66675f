// Package ctest compiles C for tests: libraries that stand in for those of others.
package ctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Library compiles a shared library of that file name, in a folder of the test's, and
// returns its path. Where there is no C compiler the test is skipped.
func Library(t testing.TB, name, source string, flags ...string) string {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler here: ", err)
	}
	dir := t.TempDir()
	file, out := filepath.Join(dir, "source.c"), filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	words := append(flags, "-shared", "-fPIC", "-o", out, file)
	if text, err := exec.CommandContext(t.Context(), compiler, words...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}
