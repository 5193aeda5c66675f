package cachedir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder that was used before is opened again: entries stay, unfinished ones go.
func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "cache")
	entry := Entry(dir, "abcdef")
	unfinished := filepath.Join(filepath.Dir(entry), ".cdef.0123456789abcdef")
	for range 2 {
		if err := Open(dir, "Nothing kept"); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(entry), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{entry, unfinished} {
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := Open(dir, "Nothing kept"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(entry); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(unfinished); !os.IsNotExist(err) {
		t.Errorf("an unfinished entry is there: %v", err)
	}
	tag, err := os.ReadFile(filepath.Join(dir, "CACHEDIR.TAG"))
	if err != nil || !strings.HasPrefix(string(tag), "Signature: 8a477f597d28d172789f06886806bc55\n# Nothing kept by t2sda") {
		t.Errorf("%q, %v", tag, err)
	}
}

func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Open(file, "Nothing kept"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in the way: %v", err)
	}
}
