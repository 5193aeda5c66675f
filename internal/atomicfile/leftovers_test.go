package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestRemoveLeftovers: what a killed writer has left goes; what is being written and what
// is none of ours stays.
func TestRemoveLeftovers(t *testing.T) {
	dir := t.TempDir()
	put := func(name string) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(".model.onnx.0123456789abcdef")
	for _, theirs := range []string{"model.onnx", ".hidden", ".a.0123456789abcdeg", "x.0123456789abcdef", "..0123456789abcdef"} {
		put(theirs)
	}
	if err := os.Mkdir(filepath.Join(dir, ".folder.0123456789abcdef"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := WriteFunc(filepath.Join(dir, "slow"), func(w io.Writer) error {
		found, err := filepath.Glob(filepath.Join(dir, ".slow.*"))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return RemoveLeftovers(dir, filepath.Join(dir, "nowhere"))
	})
	if err != nil {
		t.Fatal(err)
	}
	only(t, dir, "..0123456789abcdef", ".a.0123456789abcdeg", ".folder.0123456789abcdef", ".hidden", "model.onnx", "slow", "x.0123456789abcdef")
}
