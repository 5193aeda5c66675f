package datasets

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
	"t2sda/internal/translator"
)

// harmed is [adaptation] in which a source image is cut off, a source label has
// gone, and a target image is text; the loader and batches are of before.
func harmed(t *testing.T, n int) (o LoaderOptions, whole *Loader, before []*Batch, lost []string) {
	t.Helper()
	o = adaptation(t, 0)
	whole = mustLoader(t, o)
	for i := range n {
		before = append(before, mustBatch(t, whole, i))
	}
	truncate(t, o.Source.Item(1).Image, 60)
	removeAll(t, o.Source.Item(3).Label)
	writeFile(t, o.Target.Item(2).Image, []byte("no picture"))
	return o, whole, before, []string{o.Source.Item(1).Image, o.Source.Item(3).Image, o.Target.Item(2).Image}
}

// TestSkipBadFiles: files that cannot be used are drawn around, the same way
// whoever makes the batch, and batches that drew none of them are as before.
func TestSkipBadFiles(t *testing.T) {
	const n = 16
	o, whole, before, lost := harmed(t, n)
	_, err := whole.Stream(t.Context(), 0).all(n)
	if err == nil || !slices.ContainsFunc(append(lost, o.Source.Item(3).Label), func(file string) bool { return strings.Contains(err.Error(), file) }) {
		t.Errorf("without skipping: %v, want the file", err)
	}
	o.SkipBadFiles = true
	l := mustLoader(t, o)
	met := map[string]int{}
	var batches []*Batch
	for i := range n {
		b := mustBatch(t, l, i)
		batches = append(batches, b)
		for _, f := range b.Skipped {
			met[f.File]++
			if !slices.Contains(lost, f.File) || !strings.Contains(f.Error, "images/") && !strings.Contains(f.Error, "labels/") {
				t.Errorf("batch %d skipped %+v", i, f)
			}
		}
		if len(b.Skipped) == 0 && !cmp.Equal(b, before[i]) {
			t.Errorf("batch %d has changed without need", i)
		}
		for _, id := range b.SourceIDs {
			if id == o.Source.Item(1).ID || id == o.Source.Item(3).ID {
				t.Errorf("batch %d holds source %s", i, id)
			}
		}
		if slices.Contains(b.TargetIDs, o.Target.Item(2).ID) || len(b.Source) != o.Batch || len(b.Target) != o.Batch || len(b.Pseudo) != o.Batch {
			t.Errorf("batch %d: %v, %v", i, b.SourceIDs, b.TargetIDs)
		}
	}
	if len(met) != len(lost) {
		t.Errorf("met %v of %v: the test shows too little", met, lost)
	}
	for _, workers := range []int{1, 4} {
		o.Workers = workers
		have, err := mustLoader(t, o).Stream(t.Context(), 5).all(n - 5)
		if err != nil || !cmp.Equal(have, batches[5:]) {
			t.Errorf("%d workers from batch 5 on: other batches (%v)", workers, err)
		}
	}
}

// all returns the next n batches and closes the stream.
func (s *Stream) all(n int) (batches []*Batch, err error) {
	defer s.Close()
	for range n {
		b, err := s.Next(s.ctx)
		if err != nil {
			return nil, err
		}
		batches = append(batches, b)
	}
	return batches, nil
}

// TestSkipNothingLeft: a disk that is gone stops the run all the same.
func TestSkipNothingLeft(t *testing.T) {
	o := adaptation(t, 0)
	o.SkipBadFiles = true
	l := mustLoader(t, o)
	removeAll(t, filepath.Join(o.Target.Root(), "images"))
	_, err := l.Batch(t.Context(), 0)
	wantError(t, err, "50 files in a row cannot be used", o.Target.Root(), "no such file")
}

// partial lacks the translation of one image.
type partial struct {
	shift
	lost string
}

func (p partial) TranslateNamed(r *rand.Rand, id string, source, target *raster.Image) (*raster.Image, error) {
	if id == p.lost {
		return nil, &translator.FileError{ID: id, Err: errors.New("its translation is gone")}
	}
	return p.Translate(r, source, target)
}

// TestSkipLostTranslations: an image whose translation lies in a file that cannot
// be read is done without.
func TestSkipLostTranslations(t *testing.T) {
	o := adaptation(t, 0)
	lost := o.Source.Item(4)
	o.Translate, o.SkipBadFiles = partial{lost: lost.Rel}, true
	l, met := mustLoader(t, o), 0
	for i := range 12 {
		b := mustBatch(t, l, i)
		if slices.Contains(b.SourceIDs, lost.ID) || len(b.Pseudo) != o.Batch {
			t.Errorf("batch %d: %v", i, b.SourceIDs)
		}
		for _, f := range b.Skipped {
			met++
			if f.File != lost.Image || !strings.Contains(f.Error, "its translation is gone") {
				t.Errorf("batch %d: %+v", i, f)
			}
		}
		if again := mustBatch(t, l, i); !cmp.Equal(again, b) {
			t.Errorf("batch %d is another one the second time", i)
		}
	}
	if met == 0 {
		t.Error("the image was never drawn: the test shows nothing")
	}
	o.SkipBadFiles = false
	_, err := mustLoader(t, o).Stream(t.Context(), 0).all(12)
	wantError(t, err, lost.Image, "its translation is gone")
}

// TestStatsOfBadFiles: with KeepGoing they count as nothing, are listed, and
// such counts are not kept.
func TestStatsOfBadFiles(t *testing.T) {
	o := genericSet(t, 3, 12, 10)
	d := mustOpen(t, o)
	truncate(t, d.Item(1).Label, 50)
	o.KeepGoing = true
	d, kept := mustOpen(t, o), t.TempDir()
	s, err := d.Stats(t.Context(), 2, kept)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Faults) != 1 || s.Faults[0].File != d.Item(1).Image || !strings.Contains(s.Faults[0].Error, d.Item(1).Label) || s.Unkept != nil {
		t.Errorf("faults %+v, %v", s.Faults, s.Unkept)
	}
	if s.Files[1].ID != d.Item(1).ID || !cmp.Equal(s.Files[1].Pixels, []int64{0, 0, 0}) || s.Pixels[0] == 0 {
		t.Errorf("counted %+v", s.Files)
	}
	removeAll(t, d.Item(2).Label)
	if s, err = d.Stats(t.Context(), 2, kept); err != nil || len(s.Faults) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if entries, err := os.ReadDir(kept); err != nil || len(entries) > 0 {
		t.Errorf("kept %v, %v", entries, err)
	}
	truncate(t, d.Item(0).Label, 50)
	_, err = d.Stats(t.Context(), 2, "")
	wantError(t, err, "none of the 3 labels can be read", d.Item(0).Label)
}

// TestStatsWithoutCache: a folder that takes nothing costs the counts being made
// again, and one warning.
func TestStatsWithoutCache(t *testing.T) {
	d := mustOpen(t, genericSet(t, 2, 12, 10))
	blocked := writeFile(t, filepath.Join(t.TempDir(), "file"), nil)
	for range 2 {
		s, err := d.Stats(t.Context(), 1, filepath.Join(blocked, "stats"))
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, s.Unkept, "not kept", blocked)
	}
}

// TestWith: a data set of a known list holds it whatever lies on disk.
func TestWith(t *testing.T) {
	o := genericSet(t, 3, 12, 10)
	whole := mustOpen(t, o)
	items := whole.Items()
	removeAll(t, items[1].Image)
	o.RequireLabels = false
	d := mustOpen(t, o).With(items)
	if !cmp.Equal(d.Items(), items) || d.Len() != 3 || d.firstUnlabelled() >= 0 {
		t.Errorf("have %v", d.Items())
	}
	if _, err := d.Load(t.Context(), 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("have %v", err)
	}
	if s, err := d.Load(t.Context(), 2); err != nil || s.ID != items[2].ID || s.Labels == nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestPassOver: target images that are passed over are drawn around as files that cannot be used
// are, until others are.
func TestPassOver(t *testing.T) {
	const n = 16
	o := adaptation(t, 0)
	o.SkipBadFiles = true
	l := mustLoader(t, o)
	var before []*Batch
	for i := range n {
		before = append(before, mustBatch(t, l, i))
	}
	lost, met := o.Target.Item(2), 0
	l.PassOver([]Fault{{File: lost.Image, Error: "no labels"}})
	for i := range n {
		b := mustBatch(t, l, i)
		met += len(b.Skipped)
		if had := slices.Contains(before[i].TargetIDs, lost.ID); slices.Contains(b.TargetIDs, lost.ID) || had != (len(b.Skipped) > 0) || !had && !cmp.Equal(b, before[i]) {
			t.Errorf("batch %d: %v, before %v", i, b.TargetIDs, before[i].TargetIDs)
		}
	}
	if met == 0 {
		t.Error("none was drawn: the test shows nothing")
	}
	l.PassOver(nil)
	if b := mustBatch(t, l, 0); !cmp.Equal(b, before[0]) {
		t.Error("batches are not as before")
	}
}
