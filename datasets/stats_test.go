package datasets

import (
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

func TestStatsCount(t *testing.T) {
	o := genericSet(t, 7, 12, 10)
	d := mustOpen(t, o)
	var reported []int
	s, err := d.Stats(t.Context(), 3, "", func(done, total int) {
		if total != 7 {
			t.Errorf("total is %d", total)
		}
		reported = append(reported, done)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5, 6, 7}, reported); diff != "" {
		t.Errorf("progress: %s", diff)
	}
	want := make([]int64, 3)
	var void int64
	for i := range d.Len() {
		l, err := d.LoadLabels(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		file := make([]int64, 3)
		for _, id := range l.Pix {
			if id == raster.Void {
				void++
				continue
			}
			want[id]++
			file[id]++
		}
		if f := s.Files[i]; f.ID != d.Item(i).ID || f.W != 12 || f.H != 10 || !cmp.Equal(file, f.Pixels) {
			t.Errorf("file %d: %+v, want %v", i, f, file)
		}
	}
	if !cmp.Equal(want, s.Pixels) || s.Void != void || void != 7*(2*12+2*8) {
		t.Errorf("counts %v and %d void, want %v and %d", s.Pixels, s.Void, want, void)
	}
}

func TestStatsCache(t *testing.T) {
	o := genericSet(t, 4, 12, 10)
	dir := filepath.Join(t.TempDir(), "deep", "cache")
	counted := 0
	count := func() *Stats {
		t.Helper()
		counted = 0
		s, err := mustOpen(t, o).Stats(t.Context(), 2, dir, func(int, int) { counted++ })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := count()
	if counted != 4 {
		t.Fatalf("%d files counted", counted)
	}
	second := count()
	if diff := cmp.Diff(first, second); counted != 0 || diff != "" {
		t.Errorf("not from the cache (%d counted), or different: %s", counted, diff)
	}

	label := mustOpen(t, o).Item(2).Label
	writePicture(t, label, grayIDs(12, 10, constant(3)))
	if s := count(); counted != 4 || s.Files[2].Pixels[2] != 120 {
		t.Errorf("a changed label goes unnoticed: %d counted, %+v", counted, s.Files[2])
	}

	before, err := os.ReadFile(label)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	writeFile(t, label, before)
	if err := os.Chtimes(label, later, later); err != nil {
		t.Fatal(err)
	}
	if count(); counted != 4 {
		t.Error("another modification time goes unnoticed")
	}

	writeFile(t, o.Map, []byte("classes:\n - {name: a, ids: [1, 2]}\n - {name: b, ids: [3]}\nignore: [0]\n"))
	if s := count(); counted != 4 || len(s.Pixels) != 2 {
		t.Errorf("another map goes unnoticed: %d counted", counted)
	}

	o.Exclude = []string{"aa*"}
	if s := count(); counted != 3 || len(s.Files) != 3 {
		t.Errorf("another selection goes unnoticed: %d counted", counted)
	}

	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 5 {
		t.Fatalf("cache files: %v, %v", files, err)
	}
	for _, damage := range []string{"", "{}", `{"files": [{"id": "zz"}, {}, {}], "pixels": [1, 2]}`} {
		for _, f := range files {
			writeFile(t, f, []byte(damage))
		}
		if count(); counted != 3 {
			t.Errorf("damaged cache %q: %d counted", damage, counted)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".class-stats-*")); len(left) > 0 {
		t.Errorf("temporary files stay: %v", left)
	}
}

// Counts of a file that changes while files are counted are not kept.
func TestStatsOfChangingFiles(t *testing.T) {
	d := mustOpen(t, genericSet(t, 3, 12, 10))
	dir := t.TempDir()
	later := time.Now().Add(time.Hour)
	_, err := d.Stats(t.Context(), 1, dir, func(int, int) {
		if err := os.Chtimes(d.Item(0).Label, later, later); err != nil {
			t.Error(err)
		}
	})
	if left, globErr := filepath.Glob(filepath.Join(dir, "*")); err != nil || globErr != nil || len(left) > 0 {
		t.Errorf("%v, kept %v, %v", err, left, globErr)
	}
}

func TestStatsErrors(t *testing.T) {
	o := genericSet(t, 4, 12, 10)
	d := mustOpen(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Stats(ctx, 2, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	writePicture(t, d.Item(2).Label, grayIDs(12, 9, constant(1)))
	_, err := d.Stats(t.Context(), 2, "")
	wantError(t, err, d.Item(2).Image+" has 12×10 pixels, but its label "+d.Item(2).Label+" has 12×9")
	writePicture(t, d.Item(2).Label, grayIDs(12, 10, constant(1)))
	writePicture(t, d.Item(3).Label, grayIDs(12, 10, constant(99)))
	_, err = d.Stats(t.Context(), 2, "")
	wantError(t, err, d.Item(3).Label, "id 99 at column 0, row 0")
}

func TestEmptyClass(t *testing.T) {
	o := genericSet(t, 2, 12, 10)
	writeFile(t, o.Map, []byte("classes:\n - {name: a, ids: [1, 2, 3]}\n - {name: unicorn, ids: [4]}\n - {name: yeti, ids: [5]}\nignore: [0]\n"))
	s, err := mustOpen(t, o).Stats(t.Context(), 1, "")
	if err != nil {
		t.Fatal(err)
	}
	err = s.CheckClasses()
	wantError(t, err, o.Root, `no pixel of classes "unicorn", "yeti" in any of the 2 label files`)
	var empty *EmptyClassError
	if !errors.As(err, &empty) || !cmp.Equal(empty.Classes, s.missing()) {
		t.Errorf("%#v", err)
	}
	if s, _ := mustOpen(t, genericSet(t, 2, 12, 10)).Stats(t.Context(), 1, ""); s.CheckClasses() != nil {
		t.Error("no class is empty here")
	}
}

func TestHistogram(t *testing.T) {
	l := &raster.Labels{W: 4, H: 3, Pix: []uint8{
		0, 1, 1, 2,
		0, 1, 255, 2,
		3, 3, 1, 2,
	}}
	h := histogram(l, image.Rect(1, 0, 3, 2))
	if h[1] != 3 || h[255] != 1 || h[0]+h[2]+h[3] != 0 {
		t.Errorf("%v", h[:4])
	}
}

func TestImagesKey(t *testing.T) {
	o := genericSet(t, 2, 12, 10)
	key := func(d *Dataset) string {
		t.Helper()
		k, err := d.ImagesKey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	d := mustOpen(t, o)
	first := key(d)
	if key(mustOpen(t, o)) != first {
		t.Error("equal images have different keys")
	}
	if key(d.AtSize(6, 5)) == first {
		t.Error("another size has the same key")
	}
	writePicture(t, d.Item(1).Image, photo(9, 12, 11))
	if key(d) == first {
		t.Error("a changed image has the same key")
	}
	if err := os.Remove(d.Item(0).Image); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ImagesKey(); err == nil || !strings.Contains(err.Error(), d.Item(0).Image) {
		t.Errorf("error %v does not name the missing image", err)
	}
}

// TestStatsBesideAnother counts one data set several times at once into one cache: all
// get the same counts, and the cache's are whole.
func TestStatsBesideAnother(t *testing.T) {
	o := genericSet(t, 4, 12, 10)
	dir := filepath.Join(t.TempDir(), "cache")
	count := func() (*Stats, error) {
		d, err := Open(o)
		if err != nil {
			return nil, err
		}
		return d.Stats(t.Context(), 2, dir)
	}
	type result struct {
		stats *Stats
		err   error
	}
	all := make(chan result)
	for range 4 {
		go func() {
			s, err := count()
			all <- result{s, err}
		}()
	}
	for range 4 {
		r := <-all
		if r.err != nil {
			t.Fatal(r.err)
		}
		if want, err := count(); err != nil || !cmp.Equal(want, r.stats) {
			t.Errorf("%v, %v, want %v", err, r.stats, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the cache holds %v, %v", entries, err)
	}
}
