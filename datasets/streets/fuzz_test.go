package streets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/internal/peaktest"
	"t2sda/internal/sha256sum"
)

// FuzzManifest: whatever the record of a tree claims, making way for another tree takes
// little memory, removes nothing but pictures and labels of streets, and names the
// record where it cannot be read.
func FuzzManifest(f *testing.F) {
	for _, text := range []string{
		`{"version":1,"seed":1,"domain":"camera","width":32,"height":16,"train":5,"val":1}`,
		`{"domain":"game","train":9223372036854775807,"val":-1}`, `{"domain":"../../..","train":-9,"val":1000000000}`, `{}`, `[]`, ``,
	} {
		f.Add(text, "altenfurt_000000_000019_leftImg8bit.png")
	}
	f.Add(`{"domain":"camera","train":3}`, "altenfurt_999999999999999999999_x")
	f.Add(`{"domain":"camera","train":3}`, "-1_")
	f.Fuzz(func(t *testing.T, text, name string) {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || len(name) > 200 {
			t.Skip("no name of a file")
		}
		root := t.TempDir()
		dir := filepath.Join(root, "leftImg8bit", "train", "altenfurt")
		write := func(path, text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(dir, name), "kept")
		write(filepath.Join(dir, "mine.txt"), "kept")
		path := filepath.Join(root, manifestName)
		write(path, text)
		want := manifest{Version, 1, Camera, 32, 16, 2, 1}
		peaktest.Bound(t, 1<<20+uint64(16*len(text)), func() {
			if err := prepare(root, want); err != nil {
				if !strings.Contains(err.Error(), path) {
					t.Errorf("the error does not name the record: %v", err)
				}
				return
			}
			l, err := openLedger(root, want.files(root))
			if err != nil {
				t.Fatal(err)
			}
			if err := l.close(); err != nil {
				t.Fatal(err)
			}
		})
		if _, err := os.Stat(filepath.Join(dir, "mine.txt")); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil && !(strings.HasPrefix(name, "altenfurt_") && strings.HasSuffix(name, "_000019_leftImg8bit.png")) &&
			!strings.HasPrefix(name, ".") {
			t.Errorf("%q was removed: %v", name, err)
		}
	})
}

// FuzzLedger: what a list of digests holds of files that are not the tree's, or not in
// its form, is left out; the list that is kept is read as the same.
func FuzzLedger(f *testing.F) {
	sum := strings.Repeat("0a", 32)
	f.Add(sum + "  a.png\n" + sum + "  b.png\n")
	f.Add(sum + "  a.png\n" + strings.Repeat("1b", 32) + "  a.png\n" + sum + "  ../../a.png\n" + sum + "  b.p")
	f.Add("\x00  a.png\r\n" + strings.Repeat("xy", 32) + "  a.png\n")
	root := f.TempDir()
	files := map[string]bool{"a.png": true, "b.png": true}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(root, sumsName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := openLedger(root, files)
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		for name := range l.sums {
			if !files[name] {
				t.Errorf("%q is none of the tree's files", name)
			}
		}
		if l.holds(filepath.Join(root, "a.png")) {
			t.Error("a file that is not there is whole")
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != string(sha256sum.List(l.sums)) {
			t.Errorf("%q is kept, not %q: %v", kept, sha256sum.List(l.sums), err)
		}
		again, err := openLedger(root, files)
		if err != nil {
			t.Fatal(err)
		}
		defer again.close()
		if string(sha256sum.List(again.sums)) != string(sha256sum.List(l.sums)) {
			t.Errorf("%q is read as %q", sha256sum.List(l.sums), sha256sum.List(again.sums))
		}
	})
}
