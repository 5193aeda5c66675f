package realpath

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestOf(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"folder":             folder,
		"link":               folder,
		"link/new/file.png":  filepath.Join(folder, "new", "file.png"), // neither is there
		"none/../link/a.png": filepath.Join(folder, "a.png"),
	} {
		if real, err := Of(filepath.Join(root, name)); err != nil || real != want {
			t.Errorf("%s leads to %s, %v; want %s", name, real, err, want)
		}
	}
	for name, to := range map[string]string{"e": "far/../new.png", "a": "folder/new.png", "b": filepath.Join(root, "a"), "c": "d", "d": "c"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	far := filepath.Join(root, "else", "where")
	if err := errors.Join(os.MkdirAll(far, 0o755), os.Symlink(far, filepath.Join(root, "far"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{ // links that lead to nothing yet
		"e": filepath.Join(root, "else", "new.png"),
		"a": filepath.Join(folder, "new.png"), "b": filepath.Join(folder, "new.png"), "b/deeper": filepath.Join(folder, "new.png", "deeper"),
	} {
		if real, err := Of(filepath.Join(root, name)); err != nil || real != want {
			t.Errorf("%s leads to %s, %v; want %s", name, real, err, want)
		}
	}
	if real, err := Of(filepath.Join(root, "c")); err == nil {
		t.Errorf("a link that leads to itself leads to %s", real)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		real, folder string
		want         bool
	}{
		{"/a/b", "/a/b", true},
		{"/a/b/c", "/a/b", true},
		{"/a/bc", "/a/b", false},
		{"/a", "/a/b", false},
		{"/a", "/", true},
	} {
		if have := Within(c.real, c.folder); have != c.want {
			t.Errorf("%s within %s: %v", c.real, c.folder, have)
		}
	}
}
