package freespace

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOf(t *testing.T) {
	dir := t.TempDir()
	if n, ok := Of(dir); ok && n == 0 {
		if err := os.WriteFile(filepath.Join(dir, "x"), []byte("x"), 0o600); err == nil {
			t.Error("a disk without room was written to")
		}
	}
	if n, ok := Of(filepath.Join(dir, "none")); ok {
		t.Errorf("%d bytes in a folder that is not there", n)
	}
}
