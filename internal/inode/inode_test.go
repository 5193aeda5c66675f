package inode

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSet(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(in(name), []byte("the same"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"a link": "a", "b link": "b", "no link": "none"} {
		if err := os.Symlink(in(to), in(link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(in("a"), in("a too")); err != nil {
		t.Fatal(err)
	}
	var s Set
	if name, ok := s.Find(in("a")); ok {
		t.Errorf("an empty set holds %s", name)
	}
	s.Add(in("a link"))
	s.Add(in("none"))
	for name, want := range map[string]bool{"a": true, "a link": true, "a too": true, "b": false, "b link": false, "none": false, "no link": false} {
		got, ok := s.Find(in(name))
		if ok != want || ok && got != in("a link") {
			t.Errorf("%s: %q, %v; want %v", name, got, ok, want)
		}
	}
}
