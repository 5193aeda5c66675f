package atomicfile

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMountedFile: a file that is mounted by itself, as containers do, cannot be
// replaced, and is written into.
func TestMountedFile(t *testing.T) {
	dir := t.TempDir()
	real, path := filepath.Join(dir, "real"), filepath.Join(dir, "mounted")
	if err := errors.Join(Write(real, []byte("longer than the new one")), Write(path, nil)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(real, path, "", unix.MS_BIND, ""); err != nil {
		t.Skip("nothing can be mounted here:", err)
	}
	defer unix.Unmount(path, 0)
	if err := errors.Join(Try(path), Write(path, []byte("new"))); err != nil {
		t.Error(err)
	}
	if got := read(t, real); got != "new" {
		t.Errorf("have %q", got)
	}
	only(t, dir, "mounted", "real")
}
