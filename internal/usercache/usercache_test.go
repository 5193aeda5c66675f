package usercache

import (
	"path/filepath"
	"testing"
)

func TestDir(t *testing.T) {
	base := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", base)
	t.Setenv("HOME", base) // where the system has no such variable
	if dir, err := Dir("a", "b"); err != nil || filepath.Base(dir) != "b" || In(base, "a", "b") != filepath.Join(base, "t2sda", "a", "b") {
		t.Errorf("%s, %v", dir, err)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if dir, err := Dir(); err == nil {
		t.Errorf("without a home it is %s", dir)
	}
}
