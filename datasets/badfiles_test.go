package datasets

import (
	"bytes"
	"image/jpeg"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// badFiles are files that cannot be read, made of the good one. Wherever they
// are met, the message names the file and says why.
var badFiles = map[string]struct {
	label bool // instead of the image
	make  func(t *testing.T, good []byte) []byte
	want  string
}{
	"cut in the pixels":       {false, func(_ *testing.T, b []byte) []byte { return b[:len(b)/2] }, "truncated or damaged?"},
	"cut before the end":      {false, func(_ *testing.T, b []byte) []byte { return b[:len(b)-12] }, "truncated or damaged?"},
	"cut in the end":          {false, func(_ *testing.T, b []byte) []byte { return b[:len(b)-3] }, "truncated or damaged?"},
	"cut in the header":       {false, func(_ *testing.T, b []byte) []byte { return b[:20] }, "truncated or damaged?"},
	"checksum of a chunk":     {false, func(_ *testing.T, b []byte) []byte { b[100] ^= 4; return b }, "truncated or damaged?"},
	"checksum of the end":     {false, func(_ *testing.T, b []byte) []byte { b[len(b)-1] ^= 4; return b }, "truncated or damaged?"},
	"empty":                   {false, func(*testing.T, []byte) []byte { return nil }, "is an empty file"},
	"text":                    {false, func(*testing.T, []byte) []byte { return []byte("not a picture\n") }, "it is no picture of a format that is read (PNG, JPEG, TIFF, BMP, GIF, WebP)"},
	"impossible header":       {false, func(*testing.T, []byte) []byte { return pngHead(100_000, 100_000, 8, 2) }, "its header claims 100000×100000 pixels"},
	"unlikely header":         {false, func(*testing.T, []byte) []byte { return pngHead(16_000, 16_000, 8, 2) }, "its header claims 16000×16000 pixels, more than 33 bytes hold"},
	"label cut in the pixels": {true, func(_ *testing.T, b []byte) []byte { return b[:50] }, "truncated or damaged?"},
	"label cut in the end":    {true, func(_ *testing.T, b []byte) []byte { return b[:len(b)-12] }, "truncated or damaged?"},
	"label cut in the header": {true, func(_ *testing.T, b []byte) []byte { return b[:20] }, "truncated or damaged?"},
	"label's checksum":        {true, func(_ *testing.T, b []byte) []byte { b[len(b)-20] ^= 4; return b }, "truncated or damaged?"},
	"label empty":             {true, func(*testing.T, []byte) []byte { return nil }, "is an empty file"},
	"label of text":           {true, func(*testing.T, []byte) []byte { return []byte("not a picture\n") }, "it is no picture of a format that is read (PNG, JPEG, TIFF, BMP, GIF, WebP)"},
	"label as JPEG":           {true, func(t *testing.T, _ []byte) []byte { return jpegOf(t) }, "coding with loss changes ids"},
	"label's header":          {true, func(*testing.T, []byte) []byte { return pngHead(100_000, 100_000, 8, 0) }, "its header claims 100000×100000 pixels"},
}

func jpegOf(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, photo(1, 40, 36), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBadFiles(t *testing.T) {
	for name, test := range badFiles {
		t.Run(name, func(t *testing.T) {
			o := checkSet(t, 3)
			folder, kind := "images", "unreadable-image"
			if test.label {
				folder, kind = "labels", "unreadable-label"
			}
			file := filepath.Join(o.Root, folder, "train", "ab.png")
			good, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, file, test.make(t, good))

			wantError(t, readAll(t, o), file, test.want)
			wantError(t, drawUntilError(t, o), file, test.want)
			checkNames(t, o, kind, file, test.want)
			d := mustOpen(t, o)
			_, statsErr := d.Stats(t.Context(), 1, "")
			_, convertErr := d.Convert(t.Context(), ConvertOptions{Out: t.TempDir()})
			if !test.label { // of images, counting reads the size and converting nothing
				if _, _, err := imageSize(fromDisk, file); err != nil {
					wantError(t, statsErr, file, test.want)
					statsErr = nil
				}
				if statsErr != nil || convertErr != nil {
					t.Errorf("stats: %v, convert: %v", statsErr, convertErr)
				}
				return
			}
			wantError(t, statsErr, file, test.want)
			wantError(t, convertErr, file, test.want)
			c, err := d.Convert(t.Context(), ConvertOptions{Out: t.TempDir(), KeepGoing: true})
			if err != nil || c.Written != 2 || len(c.Skipped) != 1 || !strings.Contains(c.Skipped[0], file) {
				t.Errorf("keep going: %+v, %v", c, err)
			}
		})
	}
}

// drawUntilError makes batches as a run does, until one fails.
func drawUntilError(t *testing.T, o Options) error {
	t.Helper()
	o.Width, o.Height = 40, 36 // so that no header is read first
	d := mustOpen(t, o)
	l := mustLoader(t, LoaderOptions{Batch: 1, Source: d, CropW: 8, CropH: 8, Workers: 1})
	for i := range 100 {
		if _, err := l.Batch(t.Context(), i); err != nil {
			return err
		}
	}
	return nil
}

// checkNames makes sure that a check reports one fault and leaves its pair out.
func checkNames(t *testing.T, o Options, kind, file, want string) {
	t.Helper()
	r := mustCheck(t, o, CheckOptions{Previews: 3})
	f := find(t, r, kind)
	if len(r.Findings) != 1 || len(f.Files) != 1 || !strings.Contains(f.Files[0], file) || !strings.Contains(f.Files[0], want) {
		t.Errorf("%+v, want %q of %s", r.Findings, want, file)
	}
	if diff := cmp.Diff([]string{"aa", "ac"}, r.Good); diff != "" || !r.Stops() {
		t.Errorf("good: %s", diff)
	}
}

// An image that is next to nothing is not blown up to the size of the others.
func TestTinyImages(t *testing.T) {
	o := checkSet(t, 1)
	o.Width, o.Height = 40, 36
	tiny := filepath.Join(o.Root, "images/train/aa.png")
	writePicture(t, tiny, photo(1, 1, 1))
	writePicture(t, filepath.Join(o.Root, "labels/train/aa.png"), grayIDs(1, 1, constant(1)))
	bad := mustOpen(t, o)
	good := mustOpen(t, checkSet(t, 1))
	for _, l := range []LoaderOptions{{Source: bad}, {Source: good, Target: bad}} {
		l.Batch, l.CropW, l.CropH = 1, 8, 8
		_, err := mustLoader(t, l).Batch(t.Context(), 0)
		wantError(t, err, tiny, "has 1×1 pixels: smaller than 32×32")
	}
	o.Width, o.Height = 0, 0
	_, err := NewLoader(LoaderOptions{Source: mustOpen(t, o), Batch: 1, CropW: 8, CropH: 8})
	wantError(t, err, tiny, "crop of 8×8", "1×1")
}

// Kinds of files that are unusual, but hold what is needed, are read.
func TestUnusualFiles(t *testing.T) {
	kinds := pngKinds(40, 36)
	o := checkSet(t, len(kinds)+2)
	want := map[string]string{}
	for i, kind := range slices.Sorted(maps.Keys(kinds)) {
		name := filepath.Join(o.Root, "images/train", "a"+string(rune('a'+i))+".png")
		writePicture(t, name, kinds[kind])
		want[name] = kind
	}
	writeFile(t, filepath.Join(o.Root, "images/train/a"+string(rune('a'+len(kinds)))+".png"), jpegOf(t))
	if err := readAll(t, o); err != nil {
		t.Fatal(err)
	}
	r := mustCheck(t, o, CheckOptions{})
	if len(r.Good) != len(kinds)+2 || r.Stops() {
		t.Errorf("%v, %+v", r.Good, r.Findings)
	}
	for finding, word := range map[string]string{"16-bit-image": "16-bit", "gray-image": "gray", "alpha": "alpha"} {
		var files []string
		for name, kind := range want {
			if strings.Contains(kind, word) {
				files = append(files, name)
			}
		}
		slices.Sort(files)
		if diff := cmp.Diff(files, find(t, r, finding).Files); diff != "" || len(files) == 0 {
			t.Errorf("%s: %s", finding, diff)
		}
	}
	if !slices.ContainsFunc(r.Formats, func(f FormatCount) bool { return f.Kind == "colour JPEG" }) {
		t.Errorf("the JPEG named .png is not among %v", r.Formats)
	}
}

// What the search for files cannot use stops a run; with KeepGoing it is left
// out, and converting lists it.
func TestKeepGoing(t *testing.T) {
	o := checkSet(t, 4)
	at := func(name string) string { return filepath.Join(o.Root, filepath.FromSlash(name)) }
	removeAll(t, at("images/train/ab.png"))
	writePicture(t, at("images/train/ac.jpg"), photo(1, 40, 36))
	for name, to := range map[string]string{"images/train/ad.png": "gone.png", "labels/train/round": ".."} {
		removeAll(t, at(name))
		if err := os.Symlink(to, at(name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	o.RequireLabels = false
	_, err := Open(o)
	wantError(t, err, at("images/train/ad.png"), "cannot be followed")
	o.KeepGoing = true
	c, err := mustOpen(t, o).Convert(t.Context(), ConvertOptions{Out: t.TempDir(), KeepGoing: true})
	if err != nil || c.Written != 2 {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, want := range []string{
		"ac.jpg and " + at("images/train/ac.png") + " have the same name", "symbolic link " + at("images/train/ad.png") + " (to gone.png)", at("labels/train/round") + " leads back to",
		"label " + at("labels/train/ab.png") + " has no image", "label " + at("labels/train/ad.png") + " has no image",
	} {
		if !slices.ContainsFunc(c.Skipped, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("%q is not among %q", want, c.Skipped)
		}
	}
	if len(c.Skipped) != 5 {
		t.Errorf("%d lines: %q", len(c.Skipped), c.Skipped)
	}
	r := mustCheck(t, o, CheckOptions{})
	if f := find(t, r, "same-name"); len(f.Files) != 1 || f.Severity != Error || f.Text != "1 pair of files has one name" {
		t.Errorf("%+v", f)
	}
	if f := find(t, r, "dead-link"); len(f.Files) != 2 || f.Text != "2 links, folders or files cannot be used" {
		t.Errorf("%+v", f)
	}
}
