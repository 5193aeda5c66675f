package atomicfile_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/atomicfile"
	"t2sda/internal/faulttest"
)

// names lists what lies in dir.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEveryFaultOfAFile lets every operation of writing a file fail, in every way: the
// file is the old one or the new one, the error names it, nothing stays beside it that
// could be removed, the rest goes when somebody tidies up, and then writing succeeds.
func TestEveryFaultOfAFile(t *testing.T) {
	for _, k := range faulttest.Kinds {
		for n := 0; ; n++ {
			dir := t.TempDir()
			path := filepath.Join(dir, "a")
			if err := atomicfile.Write(path, []byte("old")); err != nil {
				t.Fatal(err)
			}
			s := faulttest.New(k, n)
			err := atomicfile.On(s).WriteFunc(path, func(w io.Writer) error {
				for range 3 {
					if _, err := io.WriteString(w, "new"); err != nil {
						return err
					}
				}
				return nil
			})
			if s.Hit == nil {
				break
			}
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s, %v: %v", k.Name, s.Hit, err)
			}
			if got := content(t, path); got != "old" && got != "newnewnew" {
				t.Errorf("%s, %v: the file holds %q", k.Name, s.Hit, got)
			}
			if left := names(t, dir); len(left) > 1 && !k.Stays && k.Of[0] != faulttest.Remove {
				t.Errorf("%s, %v: there is %v", k.Name, s.Hit, left)
			}
			if err := atomicfile.RemoveLeftovers(dir); err != nil || !slices.Equal(names(t, dir), []string{"a"}) {
				t.Errorf("%s, %v: %v after tidying up, %v", k.Name, s.Hit, names(t, dir), err)
			}
			if err := atomicfile.Write(path, []byte("later")); err != nil || content(t, path) != "later" {
				t.Errorf("%s, %v: then %v", k.Name, s.Hit, err)
			}
		}
	}
}

// TestEveryFaultOfAFolder is the same for a folder that takes another's place: either is
// there, whole, and the other one beside it, or gone.
func TestEveryFaultOfAFolder(t *testing.T) {
	for _, k := range faulttest.Kinds {
		for n := 0; ; n++ {
			dir := t.TempDir()
			temp, path := filepath.Join(dir, "temp"), filepath.Join(dir, "final")
			for folder, text := range map[string]string{temp: "new", path: "old"} {
				if err := os.Mkdir(folder, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(folder, "f"), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s := faulttest.New(k, n)
			err := atomicfile.On(s).RenameDir(temp, path)
			if s.Hit == nil {
				break
			}
			have := content(t, filepath.Join(path, "f"))
			if err == nil || !strings.Contains(err.Error(), s.Hit.Path) || have != "old" && (have != "new" || !k.Stays) {
				t.Errorf("%s, %v: %q, %v", k.Name, s.Hit, have, err)
			}
			if !slices.Equal(names(t, dir), []string{"final", "temp"}) {
				t.Errorf("%s, %v: there is %v", k.Name, s.Hit, names(t, dir))
			}
		}
	}
}

// TestOrder: a file is synced before it gets its name, and the folder after it; so a
// machine that fails at any moment leaves the old file or all of the new one.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	s := faulttest.New(faulttest.Kind{}, -1)
	if err := atomicfile.On(s).Write(filepath.Join(dir, "a"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, op := range s.Done {
		have = append(have, op.Kind)
	}
	want := []string{
		faulttest.Open, faulttest.Write, faulttest.SyncFile, faulttest.Close, faulttest.Rename,
		faulttest.Open, faulttest.SyncFolder, faulttest.Close,
	}
	if !slices.Equal(have, want) {
		t.Errorf("have %q", have)
	}
}

// TestTidyingUpBeside writes while others tidy up: no writer loses its file.
func TestTidyingUpBeside(t *testing.T) {
	dir := t.TempDir()
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if err := atomicfile.RemoveLeftovers(dir); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	for range 2000 {
		if err := atomicfile.WriteUnsynced(filepath.Join(dir, "a"), func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
