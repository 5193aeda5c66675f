package datasets

import (
	"context"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filesBelow lists files, slash-separated.
func filesBelow(t *testing.T, root string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(root, name)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Converted labels hold what reading the originals gives, and the map beside
// them reads them as the same classes.
func TestConvert(t *testing.T) {
	gta := t.TempDir()
	writePicture(t, filepath.Join(gta, "03_images/images/00001.png"), photo(1, 9, 7))
	writePicture(t, filepath.Join(gta, "03_labels/labels/00001.png"), paletted(9, 7, 26))
	city := t.TempDir()
	writePicture(t, filepath.Join(city, "leftImg8bit/val/a/a_0_leftImg8bit.png"), photo(1, 9, 7))
	writePicture(t, filepath.Join(city, "gtFine/val/a/a_0_gtFine_labelIds.png"), grayIDs(9, 7, func(x, _ int) uint8 { return uint8(20 + x) }))
	own := genericSet(t, 3, 12, 10)
	elsewhere := own
	elsewhere.Root = t.TempDir()
	elsewhere.Images, elsewhere.Labels = filepath.Join(own.Root, "images/{split}"), filepath.Join(own.Root, "labels/{split}")
	tests := map[string]struct {
		o    Options
		want []string
	}{
		"gta5":       {Options{Layout: "gta5", Root: gta}, []string{"03_labels/labels/00001.png", "trainids.yaml"}},
		"cityscapes": {Options{Layout: "cityscapes", Root: city, Split: "val"}, []string{"gtFine/val/a/a_0_gtFine_labelTrainIds.png", "trainids.yaml"}},
		"generic":    {own, []string{"labels/train/aa.png", "labels/train/ab.png", "labels/train/ac.png", "trainids.yaml"}},
		"elsewhere":  {elsewhere, []string{"labels/train/aa.png", "labels/train/ab.png", "labels/train/ac.png", "trainids.yaml"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.o.RequireLabels = true
			d := mustOpen(t, test.o)
			out := filepath.Join(t.TempDir(), "new", "out")
			last := 0
			var c Conversion
			for range 2 { // the second replaces the first
				var err error
				if c, err = d.Convert(t.Context(), ConvertOptions{Out: out, Workers: 2, Progress: func(done, _ int) { last = done }}); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, filesBelow(t, out)); diff != "" {
				t.Fatal(diff)
			}
			if c.Written != d.Len() || last != d.Len() || c.Skipped != nil || c.Map != filepath.Join(out, "trainids.yaml") {
				t.Errorf("%+v, progress %d", c, last)
			}
			m, err := LoadLabelMap(c.Map)
			if err != nil || !m.Space().Equal(d.Space()) || m.Space().Classes[0] != d.Space().Classes[0] {
				t.Fatalf("the map: %v", err)
			}
			for i := range d.Len() {
				want, err := d.LoadLabels(t.Context(), i)
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(out, test.want[i])
				have, err := decodeLabels(fromDisk, file, m, noChannel)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, have); diff != "" {
					t.Error(diff)
				}
				if gray := openPNG(t, file); !cmp.Equal(gray.Pix, want.Pix) { // the bytes are the train ids
					t.Errorf("%s holds %v", file, gray.Pix)
				}
			}
		})
	}
}

func openPNG(t *testing.T, name string) *image.Gray {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	gray, ok := img.(*image.Gray)
	if !ok {
		t.Fatalf("%s is a %T", name, img)
	}
	return gray
}

// Nothing is written into the data set's own folders, by whatever name.
func TestConvertRefusesTheInput(t *testing.T) {
	o := genericSet(t, 2, 12, 10)
	links := t.TempDir()
	for name, to := range map[string]string{"root": o.Root, "deep/labels": filepath.Join(o.Root, "labels")} {
		link := filepath.Join(links, name)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, link); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	before := filesBelow(t, o.Root)
	d := mustOpen(t, o)
	for _, out := range []string{
		o.Root, o.Root + "/.", filepath.Join(o.Root, "labels/train"), filepath.Join(o.Root, "labels/train/new"), filepath.Join(o.Root, "images/train"),
		filepath.Join(links, "root"), filepath.Join(links, "deep"),
	} {
		_, err := d.Convert(t.Context(), ConvertOptions{Out: out})
		wantError(t, err, "would be written into the data set's own folder", "choose another folder")
	}
	if diff := cmp.Diff(before, filesBelow(t, o.Root)); diff != "" {
		t.Errorf("something was written: %s", diff)
	}
	// A folder of its own below the root is fine.
	if _, err := d.Convert(t.Context(), ConvertOptions{Out: filepath.Join(o.Root, "converted")}); err != nil {
		t.Error(err)
	}
}

// TestConvertSparesWhatLinksLeadTo: trees of links to a data set's files are how train ids and images
// get into one tree.
func TestConvertSparesWhatLinksLeadTo(t *testing.T) {
	o := genericSet(t, 2, 12, 10)
	contents := func() map[string]string {
		all := map[string]string{}
		for _, name := range filesBelow(t, o.Root) {
			content, err := os.ReadFile(filepath.Join(o.Root, name))
			if err != nil {
				t.Fatal(err)
			}
			all[name] = string(content)
		}
		return all
	}
	before := contents()
	farm := func(from string) (tree string) {
		tree = t.TempDir()
		for _, name := range filesBelow(t, from) {
			link := filepath.Join(tree, name)
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(from, name), link); err != nil {
				t.Skipf("no symbolic links here: %v", err)
			}
		}
		return tree
	}
	_, err := mustOpen(t, o).Convert(t.Context(), ConvertOptions{Out: farm(o.Root)})
	wantError(t, err, "would be written into the data set's own folder", "choose another folder")

	// A data set of links: what they lead to is in none of its folders.
	linked := o
	linked.Root = farm(o.Root)
	_, err = mustOpen(t, linked).Convert(t.Context(), ConvertOptions{Out: farm(o.Root)})
	wantError(t, err, "is the data set's own file "+linked.Root, "choose another folder")

	// The data set's own map.
	own := filepath.Join(o.Root, "own.yaml")
	mapped := o
	mapped.Map = own
	beside := t.TempDir()
	if text, err := os.ReadFile(o.Map); err != nil {
		t.Fatal(err)
	} else if err := errors.Join(os.WriteFile(own, text, 0o600), os.Symlink(own, filepath.Join(beside, convertedMap))); err != nil {
		t.Fatal(err)
	}
	_, err = mustOpen(t, mapped).Convert(t.Context(), ConvertOptions{Out: beside})
	wantError(t, err, "is the data set's own file "+own, "choose another folder")
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}

	// A link to a file that is not there yet would make it among the data set's own.
	tree := t.TempDir()
	c, err := mustOpen(t, o).Convert(t.Context(), ConvertOptions{Out: tree})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range filesBelow(t, tree) {
		if path := filepath.Join(tree, name); path != c.Map {
			if err := errors.Join(os.Remove(path), os.Symlink(filepath.Join(o.Root, "labels", "train", "new.png"), path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err = mustOpen(t, o).Convert(t.Context(), ConvertOptions{Out: tree})
	wantError(t, err, "would be written into the data set's own folder", "choose another folder")
	if diff := cmp.Diff(before, contents()); diff != "" {
		t.Errorf("the data set was changed: %s", diff)
	}
}

func TestConvertKeepsGoing(t *testing.T) {
	o := genericSet(t, 4, 12, 10)
	bad := filepath.Join(o.Root, "labels/train/ab.png")
	truncate(t, bad, 60)
	removeAll(t, filepath.Join(o.Root, "labels/train/ac.png"))
	o.RequireLabels = false
	d := mustOpen(t, o)
	out := t.TempDir()
	c, err := d.Convert(t.Context(), ConvertOptions{Out: out, KeepGoing: true})
	if err != nil {
		t.Fatal(err)
	}
	if c.Written != 2 || len(c.Skipped) != 2 || !strings.Contains(c.Skipped[0], bad) || !strings.Contains(c.Skipped[1], "images/train/ac.png has no label") {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff([]string{"labels/train/aa.png", "labels/train/ad.png", "trainids.yaml"}, filesBelow(t, out)); diff != "" {
		t.Error(diff)
	}
	_, err = d.Convert(t.Context(), ConvertOptions{Out: t.TempDir(), Workers: 1})
	wantError(t, err, bad, "truncated or damaged?")
}

func TestConvertErrors(t *testing.T) {
	o := genericSet(t, 2, 12, 10)
	d := mustOpen(t, o)
	_, err := d.Convert(t.Context(), ConvertOptions{})
	wantError(t, err, "no folder to write to")
	file := writeFile(t, filepath.Join(t.TempDir(), "file"), nil)
	_, err = d.Convert(t.Context(), ConvertOptions{Out: file})
	wantError(t, err, "convert", file)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Convert(ctx, ConvertOptions{Out: t.TempDir(), KeepGoing: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	o.Map, o.RequireLabels = "", false
	_, err = mustOpen(t, o).Convert(t.Context(), ConvertOptions{Out: t.TempDir()})
	wantError(t, err, o.Root, "has no label map")
}
