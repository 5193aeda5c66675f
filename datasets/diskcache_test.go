package datasets

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// openCache returns a cache that fails the test when it warns, and keeps entries however full
// the disk is.
func openCache(t testing.TB, dir string) *DiskCache {
	t.Helper()
	c, err := OpenDiskCache(dir, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	c.reserve = 0
	return c
}

// entries lists the files of a cache but for its tag.
func entries(t testing.TB, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && e.Name() != "CACHEDIR.TAG" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func mustLoad(t testing.TB, d *Dataset, i int) Sample {
	t.Helper()
	s, err := d.Load(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDiskCacheChangesNothing(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {30, 20}} {
		o := genericSet(t, 3, 40, 30)
		o.Width, o.Height = size[0], size[1]
		plain := mustOpen(t, o)
		dir := filepath.Join(t.TempDir(), "new/folder")
		for round := range 3 { // made, read, read by another process
			o.Disk = openCache(t, dir)
			d := mustOpen(t, o)
			for i := range 3 {
				if !cmp.Equal(mustLoad(t, plain, i), mustLoad(t, d, i)) {
					t.Errorf("round %d: image %d differs", round, i)
				}
			}
			if n := len(entries(t, dir)); n != 6 {
				t.Errorf("round %d: %d entries, want 6", round, n)
			}
		}
	}
}

// Every batch is the same with the cache empty, and full.
func TestDiskCacheUnderTheLoader(t *testing.T) {
	plain := mustLoader(t, adaptation(t, 0))
	o := adaptation(t, 0)
	dir := t.TempDir()
	o.Source.opts.Disk, o.Target.opts.Disk = openCache(t, dir), openCache(t, dir)
	cached := mustLoader(t, o)
	for range 2 {
		for it := range 8 {
			if !cmp.Equal(mustBatch(t, plain, it), mustBatch(t, cached, it)) {
				t.Fatalf("iteration %d differs", it)
			}
		}
	}
}

// What is read is the entry, not the file.
func TestDiskCacheIsRead(t *testing.T) {
	o := genericSet(t, 1, 12, 10)
	o.Disk = openCache(t, t.TempDir())
	d := mustOpen(t, o)
	info, err := os.Stat(d.Item(0).Image)
	if err != nil {
		t.Fatal(err)
	}
	other := entry{w: 12, h: 10, w0: 12, h0: 10, pix: make([]byte, 360)}
	other.pix[5] = 123
	o.Disk.write(o.Disk.file(d.Item(0).Image, info, entryKind{bytes: 3}), other)
	if s := mustLoad(t, d, 0); s.Image.Plane(2)[1] != 123 {
		t.Error("the image was decoded")
	}
}

// Whatever an entry depends on leads to another one.
func TestDiskCacheIsNeverStale(t *testing.T) {
	o := genericSet(t, 1, 12, 10)
	dir := t.TempDir()
	o.Disk = openCache(t, dir)
	mustLoad(t, mustOpen(t, o), 0)
	image, label := mustOpen(t, o).Item(0).Image, mustOpen(t, o).Item(0).Label
	steps := []struct {
		name   string
		change func()
		more   int // entries
	}{
		{"nothing", func() {}, 0},
		{"another image", func() { writePicture(t, image, photo(77, 12, 10)); later(t, image) }, 1},
		{"another label", func() { writePicture(t, label, grayIDs(12, 10, constant(3))); later(t, label) }, 1},
		{"size", func() { o.Width, o.Height = 6, 5 }, 2},
		{"map", func() {
			o.Map = writeFile(t, filepath.Join(t.TempDir(), "m.yaml"), []byte("classes: [{name: a, ids: [3]}]\nignore: [0]"))
		}, 1},
	}
	count := 2
	for _, step := range steps {
		step.change()
		plain := o
		plain.Disk = nil
		if !cmp.Equal(mustLoad(t, mustOpen(t, plain), 0), mustLoad(t, mustOpen(t, o), 0)) {
			t.Errorf("%s: stale", step.name)
		}
		count += step.more
		if n := len(entries(t, dir)); n != count {
			t.Errorf("%s: %d entries, want %d", step.name, n, count)
		}
	}
	if err := os.Remove(image); err != nil {
		t.Fatal(err)
	}
	_, err := (&Dataset{opts: o, items: []Item{{Image: image}}, cache: newCache(0)}).LoadImage(t.Context(), 0)
	wantError(t, err, image, "no such file")
}

// later gives a file another time, whatever the clock's resolution.
func later(t *testing.T, name string) {
	t.Helper()
	when := time.Now().Add(5 * time.Second)
	if err := os.Chtimes(name, when, when); err != nil {
		t.Fatal(err)
	}
}

// Files that change while they are decoded are not kept.
func TestDiskCacheLeavesChangingFilesOut(t *testing.T) {
	dir, name := t.TempDir(), writeFile(t, filepath.Join(t.TempDir(), "a.png"), []byte("x"))
	_, err := openCache(t, dir).through(onDisk{}, name, entryKind{bytes: 1}, func() (entry, error) {
		writeFile(t, name, []byte("xy"))
		return entry{w: 1, h: 1, pix: []byte{1}}, nil
	})
	if n := len(entries(t, dir)); err != nil || n != 0 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// Damaged entries are decoded and written anew.
func TestDiskCacheHeals(t *testing.T) {
	o := genericSet(t, 1, 40, 30)
	dir := t.TempDir()
	o.Disk = openCache(t, dir)
	d := mustOpen(t, o)
	want := mustLoad(t, d, 0)
	whole := map[string]string{}
	for _, name := range entries(t, dir) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		whole[name] = string(data)
	}
	for name, data := range whole {
		for _, damaged := range []string{"", data[:10], data[:len(data)-1], data + "x", "X" + data[1:], flipped(data, 9), flipped(data, entryHead), flipped(data, len(data)/2)} {
			writeFile(t, name, []byte(damaged))
			if !cmp.Equal(want, mustLoad(t, d, 0)) {
				t.Error("a damaged entry is taken")
			}
			if healed, err := os.ReadFile(name); err != nil || string(healed) != data {
				t.Errorf("the entry is not whole again: %v", err)
			}
		}
	}
}

func flipped(s string, at int) string {
	b := []byte(s)
	b[at] ^= 8
	return string(b)
}

// Whatever happens to the folder, images are right, and a warning comes once.
func TestDiskCacheFailures(t *testing.T) {
	o := genericSet(t, 3, 12, 10)
	plain := mustOpen(t, o)
	file := writeFile(t, filepath.Join(t.TempDir(), "file"), nil)
	_, err := OpenDiskCache(filepath.Join(file, "sub"), nil)
	wantError(t, err, "image cache", file)

	tests := map[string]struct {
		spoil func(c *DiskCache)
		want  string
	}{
		"full": {func(c *DiskCache) { c.reserve = math.MaxUint64 }, "GB left on its disk"},
		"replaced": {func(c *DiskCache) {
			if err := os.RemoveAll(c.dir); err != nil {
				t.Fatal(err)
			}
			writeFile(t, c.dir, nil)
		}, "not a directory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var warnings []string
			c, err := OpenDiskCache(filepath.Join(t.TempDir(), "c"), func(err error) { warnings = append(warnings, err.Error()) })
			if err != nil {
				t.Fatal(err)
			}
			test.spoil(c)
			o := o
			o.Disk = c
			d := mustOpen(t, o)
			for i := range 3 {
				if !cmp.Equal(mustLoad(t, plain, i), mustLoad(t, d, i)) {
					t.Errorf("image %d differs", i)
				}
			}
			if len(warnings) != 1 || !strings.Contains(warnings[0], test.want) {
				t.Errorf("warnings: %q", warnings)
			}
		})
	}
	t.Run("deleted", func(t *testing.T) { // on purpose, by its owner: it fills again
		o := o
		o.Disk = openCache(t, filepath.Join(t.TempDir(), "c"))
		d := mustOpen(t, o)
		mustLoad(t, d, 0)
		if err := os.RemoveAll(o.Disk.dir); err != nil {
			t.Fatal(err)
		}
		mustLoad(t, d, 0)
		if n := len(entries(t, o.Disk.dir)); n != 2 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestDiskCacheIsShared(t *testing.T) {
	o := genericSet(t, 4, 40, 30)
	o.Width, o.Height = 20, 14
	want := mustLoad(t, mustOpen(t, o), 2)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		o := o
		o.Disk = openCache(t, dir)
		d := mustOpen(t, o)
		wg.Go(func() {
			for i := range 20 {
				s, err := d.Load(t.Context(), i%4)
				if err != nil || i%4 == 2 && !cmp.Equal(want, s) {
					t.Errorf("image %d differs (%v)", i%4, err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(entries(t, dir)); n != 8 {
		t.Errorf("%d files", n)
	}
}
