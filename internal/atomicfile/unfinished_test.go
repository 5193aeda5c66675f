package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that another program writes by its name is nobody's leftover meanwhile, gets the
// name that was asked for, through links, and is gone when it is abandoned.
func TestUnfinished(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "film")
	link(t, "real", path)
	begun := func() *Unfinished {
		u, err := Begin(path)
		if err != nil {
			t.Fatal(err)
		}
		// Truncated, as programs open what they write.
		if err := os.WriteFile(u.Name(), []byte("whole"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := RemoveLeftovers(dir); err != nil {
			t.Fatal(err)
		}
		return u
	}
	if err := begun().Abandon(); err != nil {
		t.Fatal(err)
	}
	only(t, dir, "film")
	if err := begun().Finish(); err != nil {
		t.Fatal(err)
	}
	only(t, dir, "film", "real")
	if text, err := os.ReadFile(filepath.Join(dir, "real")); err != nil || string(text) != "whole" {
		t.Errorf("%q, %v", text, err)
	}
	u := begun()
	if err := os.Remove(u.Name()); err != nil {
		t.Fatal(err)
	}
	if err := u.Finish(); err == nil || !strings.HasPrefix(err.Error(), "write "+path+": ") {
		t.Errorf("a file that is gone: %v", err)
	}
}

func TestNothingBegins(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	fifo(t, at("pipe"))
	makeDir(t, at("folder"), "")
	for name, want := range map[string]string{
		"pipe":      "pipe is a device or a pipe: a file is needed",
		"folder":    "is a folder: name a file in it",
		"nowhere/a": "make it first",
	} {
		if _, err := Begin(at(name)); err == nil || !strings.HasPrefix(err.Error(), "write "+at(name)+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	only(t, dir, "folder", "pipe")
}
