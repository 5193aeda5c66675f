package datasets

import (
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

// checkSet is a good set of 40×36 pairs, "aa" … .
func checkSet(t testing.TB, n int) Options { return genericSet(t, n, 40, 36) }

func mustCheck(t testing.TB, o Options, c CheckOptions) *Report {
	t.Helper()
	r, err := Check(t.Context(), o, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheckGood(t *testing.T) {
	o := checkSet(t, 5)
	var reported []int
	r := mustCheck(t, o, CheckOptions{Workers: 2, Progress: func(done, total int) {
		if total != 5 {
			t.Errorf("total %d", total)
		}
		reported = append(reported, done)
	}})
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5}, reported); diff != "" {
		t.Errorf("progress: %s", diff)
	}
	if len(r.Findings) > 0 || r.Stops() {
		t.Errorf("findings in a good set: %+v", r.Findings)
	}
	if r.Images != 5 || r.Labels != 5 || r.Pairs != 5 || len(r.Good) != 5 || r.Map != o.Map || r.Layout != "generic" {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]SizeCount{{40, 36, 5}}, r.Sizes); diff != "" {
		t.Error(diff)
	}
	// Photographs of opaque colours are stored without alpha; both ways to read
	// a PNG must be the fast ones.
	if diff := cmp.Diff([]FormatCount{{"8-bit colour PNG", 5}}, r.Formats); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]FormatCount{{"8-bit gray PNG", 5}}, r.LabelFormats); diff != "" {
		t.Error(diff)
	}
	s, err := mustOpen(t, o).Stats(t.Context(), 1, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range r.Classes {
		if c.Name != s.Classes[i] || c.Pixels != s.Pixels[i] || c.Images != 5 {
			t.Errorf("class %+v, statistics count %d of %s", c, s.Pixels[i], s.Classes[i])
		}
	}
	if r.Void.Pixels != s.Void || r.Void.Images != 5 {
		t.Errorf("void %+v, want %d", r.Void, s.Void)
	}
	if first := r.IDs[0]; first.ID != 0 || first.Class != "void" || first.Pixels != s.Void || len(r.IDs) != 4 {
		t.Errorf("ids %+v", r.IDs)
	}
}

// find returns the finding of a kind.
func find(t *testing.T, r *Report, kind string) Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Kind == kind {
			return f
		}
	}
	t.Errorf("no finding %q among %+v", kind, r.Findings)
	return Finding{}
}

// spoilers break one pair each, "aa" … in order; check and a run must both name
// the file.
var spoilers = []struct {
	kind     string
	severity Severity
	spoil    func(t *testing.T, img, label string)
	text     string   // of the finding
	file     []string // parts of the file's line
	run      []string // parts of the error that a run stops with; none: it does not
}{
	{
		"missing-label", Error, func(t *testing.T, _, label string) { removeAll(t, label) },
		"1 image has no label",
		[]string{"images/train/aa.png"},
		[]string{"images/train/aa.png has no label"},
	},
	{
		"missing-image", Error, func(t *testing.T, img, _ string) { removeAll(t, img) },
		"1 label has no image",
		[]string{"labels/train/ab.png"},
		[]string{"labels/train/ab.png has no image"},
	},
	{
		"unreadable-image", Error, func(t *testing.T, img, _ string) { truncate(t, img, 200) },
		"1 image cannot be read",
		[]string{"images/train/ac.png", "truncated or damaged?"},
		[]string{"images/train/ac.png", "truncated or damaged?"},
	},
	{
		"unreadable-label", Error, func(t *testing.T, _, label string) { truncate(t, label, 70) },
		"1 label cannot be read",
		[]string{"labels/train/ad.png", "truncated or damaged?"},
		[]string{"labels/train/ad.png", "truncated or damaged?"},
	},
	{
		"size-mismatch", Error, func(t *testing.T, _, label string) { writePicture(t, label, grayIDs(40, 35, constant(1))) },
		"1 image differs in size from its label",
		[]string{"images/train/ae.png: 40×36, its label ", "labels/train/ae.png: 40×35"},
		[]string{"images/train/ae.png has 40×36 pixels, but its label", "40×35"},
	},
	{
		"unknown-id", Error, func(t *testing.T, _, label string) {
			writePicture(t, label, grayIDs(40, 36, func(x, y int) uint8 { return [3]uint8{1, 77, 78}[(x+y)%3] }))
		},
		" lacks id 77 (in 1 label), 78 (in 1 label)",
		[]string{"labels/train/af.png: id 77 (", "pixels), id 78 ("},
		[]string{"labels/train/af.png", "id 77 at column 1, row 0 is not in label map"},
	},
	{
		"small-image", Error, func(t *testing.T, img, label string) {
			writePicture(t, img, photo(1, 1, 1))
			writePicture(t, label, grayIDs(1, 1, constant(1)))
		},
		"1 image is smaller than 32×32 pixels",
		[]string{"images/train/ag.png: 1×1"},
		nil,
	},
	{
		"16-bit-image", Note, func(t *testing.T, img, _ string) { writePicture(t, img, image.NewNRGBA64(image.Rect(0, 0, 40, 36))) },
		"1 image has 16 bits per sample",
		[]string{"images/train/ah.png"},
		nil,
	},
	{
		"gray-image", Note, func(t *testing.T, img, _ string) { writePicture(t, img, grayIDs(40, 36, constant(99))) },
		"1 image is gray",
		[]string{"images/train/ai.png"},
		nil,
	},
	{
		"only-void", Warning, func(t *testing.T, _, label string) { writePicture(t, label, grayIDs(40, 36, constant(255))) },
		"1 label holds nothing but void",
		[]string{"labels/train/aj.png"},
		nil,
	},
}

// Everything that is wrong is found at once, counted and named.
func TestCheckFindsAll(t *testing.T) {
	o := checkSet(t, len(spoilers)+2)
	for i, s := range spoilers {
		name := "a" + string(rune('a'+i)) + ".png"
		s.spoil(t, filepath.Join(o.Root, "images/train", name), filepath.Join(o.Root, "labels/train", name))
	}
	loop := filepath.Join(o.Root, "labels/train/loop")
	if err := os.Symlink("..", loop); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	r := mustCheck(t, o, CheckOptions{Previews: 100})
	for _, s := range spoilers {
		f := find(t, r, s.kind)
		if f.Severity != s.severity || !strings.Contains(f.Text, s.text) || len(f.Files) != 1 {
			t.Errorf("%s: %+v, want %s %q with one file", s.kind, f, s.severity, s.text)
			continue
		}
		for _, part := range s.file {
			if !strings.Contains(f.Files[0], part) {
				t.Errorf("%s: %q lacks %q", s.kind, f.Files[0], part)
			}
		}
	}
	if f := find(t, r, "dead-link"); len(f.Files) != 1 || !strings.Contains(f.Files[0], loop) {
		t.Errorf("loop: %+v", f)
	}
	if !r.Stops() {
		t.Error("nothing stops")
	}
	if diff := cmp.Diff([]string{"ah", "ai", "aj", "ak", "al"}, r.Good); diff != "" {
		t.Errorf("good: %s", diff)
	}
	if r.Images != 11 || r.Labels != 11 || r.Pairs != 10 || len(r.Formats) != 3 {
		t.Errorf("%d images, %d labels, %d pairs, %v", r.Images, r.Labels, r.Pairs, r.Formats)
	}
	// One preview of every image that can be read; labels where they can.
	if len(r.Previews) != 10 || r.Previews[0].Labels != nil || r.Previews[1].ID != "ad" || r.Previews[1].Labels != nil {
		t.Errorf("%d previews", len(r.Previews))
	}
	if l := r.Previews[3].Labels; l == nil || l.Pix[1] != raster.Void || l.Pix[0] != 0 {
		t.Error("an id outside of the map is not void in the preview")
	}
}

// The same faults stop a run with one error that names the file.
func TestRunStops(t *testing.T) {
	for i, s := range spoilers {
		t.Run(s.kind, func(t *testing.T) {
			o := checkSet(t, len(spoilers))
			name := "a" + string(rune('a'+i)) + ".png"
			s.spoil(t, filepath.Join(o.Root, "images/train", name), filepath.Join(o.Root, "labels/train", name))
			err := readAll(t, o)
			if s.run == nil {
				if err != nil {
					t.Errorf("it must be read: %v", err)
				}
				return
			}
			wantError(t, err, s.run...)
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
		})
	}
}

func TestCheckUnlabelled(t *testing.T) {
	o := checkSet(t, 3)
	removeAll(t, filepath.Join(o.Root, "labels"))
	r := mustCheck(t, o, CheckOptions{Previews: 2})
	if f := find(t, r, "unlabelled"); f.Severity != Warning || len(r.Findings) != 1 || len(r.Good) != 3 {
		t.Errorf("%+v", r)
	}
	if len(r.Previews) != 2 || r.Previews[1].Labels != nil {
		t.Errorf("%d previews", len(r.Previews))
	}
}

// Without a map the ids are counted all the same: one can be written from them.
func TestCheckWithoutMap(t *testing.T) {
	o := checkSet(t, 3)
	o.Map = ""
	r := mustCheck(t, o, CheckOptions{Previews: 1})
	if f := find(t, r, "no-map"); f.Severity != Warning || r.Stops() {
		t.Errorf("%+v", r.Findings)
	}
	if len(r.IDs) != 4 || r.IDs[1].Class != "" || r.IDs[3].ID != 3 || r.Pairs != 3 || len(r.Classes) != 0 || r.Previews[0].Labels != nil {
		t.Errorf("%+v", r)
	}
}

// The genuine test split of Cityscapes has label files that hold nothing but
// the void ids of car and border: usable as a target.
func TestCheckCityscapesTestSplit(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"berlin/berlin_000000_000019", "bonn/bonn_000000_000019"} {
		writePicture(t, filepath.Join(root, "leftImg8bit/test", name+"_leftImg8bit.png"), photo(1, 40, 36))
		writePicture(t, filepath.Join(root, "gtFine/test", name+"_gtFine_labelIds.png"), grayIDs(40, 36, func(x, _ int) uint8 { return uint8(1 + x%3) }))
		writePicture(t, filepath.Join(root, "gtFine/test", name+"_gtFine_color.png"), photo(1, 40, 36))
	}
	o := Options{Layout: "cityscapes", Root: root, Split: "test"}
	r := mustCheck(t, o, CheckOptions{})
	if f := find(t, r, "only-void"); len(f.Files) != 2 || r.Stops() || len(r.Findings) != 1 || r.Labels != 2 {
		t.Errorf("%+v", r)
	}
	if err := readAll(t, o); err != nil {
		t.Error(err)
	}
	// As a source it fails early, with a reason.
	o.RequireLabels = true
	s, err := mustOpen(t, o).Stats(t.Context(), 1, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewRCS(DefaultRCS(s))
	wantError(t, err, root, "every pixel of the 2 label files is void")
}

func TestCheckClasses(t *testing.T) {
	o := checkSet(t, 2)
	writeFile(t, o.Map, []byte("space: cityscapes\nclasses:\n - {name: road, ids: [1, 2, 3]}\n - {name: train, ids: [4]}\nignore: [0]\n"))
	r := mustCheck(t, o, CheckOptions{})
	if f := find(t, r, "empty-class"); f.Text != `no label has a pixel of class "train"` || f.Severity != Warning {
		t.Errorf("%+v", f)
	}
	if f := find(t, r, "class-without-id"); f.Severity != Note || !strings.Contains(f.Text, `"sidewalk", "building"`) {
		t.Errorf("%+v", f)
	}
}

// A wrong map has many unknown ids: the first ones are named.
func TestCheckWrongMap(t *testing.T) {
	o := checkSet(t, 2)
	for _, name := range []string{"aa.png", "ab.png"} {
		writePicture(t, filepath.Join(o.Root, "labels/train", name), grayIDs(40, 36, func(x, _ int) uint8 { return uint8(90 + x) }))
	}
	f := find(t, mustCheck(t, o, CheckOptions{}), "unknown-id")
	if !strings.Contains(f.Text, "lacks id 90 (in 2 labels), 91 (in 2 labels), ") || !strings.HasSuffix(f.Text, ", 101 (in 2 labels), 28 more") || len(f.Files) != 2 || !strings.HasSuffix(f.Files[0], "id 101 (36 pixels), 28 more") {
		t.Errorf("%+v", f)
	}
}

func TestCheckErrors(t *testing.T) {
	_, err := Check(t.Context(), Options{Root: "/nowhere/at/all"}, CheckOptions{})
	wantError(t, err, "root", "/nowhere/at/all")
	o := checkSet(t, 2)
	o.Map = "moon"
	_, err = Check(t.Context(), o, CheckOptions{})
	wantError(t, err, `unknown label map "moon"`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, checkSet(t, 2), CheckOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Previews are small, and spread from the first image to the last.
func TestPreviews(t *testing.T) {
	o := checkSet(t, 9)
	writePicture(t, filepath.Join(o.Root, "images/train/aa.png"), photo(1, 1200, 300))
	writePicture(t, filepath.Join(o.Root, "labels/train/aa.png"), grayIDs(1200, 300, constant(2)))
	r := mustCheck(t, o, CheckOptions{Previews: 3})
	var ids []string
	for _, s := range r.Previews {
		ids = append(ids, s.ID)
	}
	if diff := cmp.Diff([]string{"aa", "ad", "ag"}, ids); diff != "" {
		t.Error(diff)
	}
	s := r.Previews[0]
	if s.Image.W != 960 || s.Image.H != 240 || s.Labels.W != 960 || s.Labels.H != 240 || s.W0 != 1200 || s.Labels.Pix[7] != 1 {
		t.Errorf("preview of %d×%d, labels %d×%d", s.Image.W, s.Image.H, s.Labels.W, s.Labels.H)
	}
	if r := mustCheck(t, o, CheckOptions{}); r.Previews != nil {
		t.Error("previews that nobody asked for")
	}
}

// JPEG images are decoded whole.
func TestCheckJPEG(t *testing.T) {
	o := checkSet(t, 2)
	for i, img := range []image.Image{photo(1, 40, 36), grayIDs(40, 36, constant(7))} {
		name := filepath.Join(o.Root, "images/train/a"+string(rune('a'+i)))
		removeAll(t, name+".png")
		writePicture(t, name+".jpg", img)
	}
	r := mustCheck(t, o, CheckOptions{})
	if diff := cmp.Diff([]FormatCount{{"colour JPEG", 1}, {"gray JPEG", 1}}, r.Formats); diff != "" {
		t.Error(diff)
	}
	truncate(t, filepath.Join(o.Root, "images/train/aa.jpg"), 700)
	f := find(t, mustCheck(t, o, CheckOptions{}), "unreadable-image")
	if len(f.Files) != 1 || !strings.Contains(f.Files[0], "aa.jpg") {
		t.Errorf("%+v", f)
	}
}
