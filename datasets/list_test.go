package datasets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listSet is a data set of names that lists have trouble with.
func listSet(t *testing.T) Options {
	t.Helper()
	names := []string{"aachen_0.png", "frame#12.png", "frame.png", "a b.png", " lead.png", "y.jpg.png", "x.v1.png", "IMG_1.JPG", "sub/frame.png", "#c.png"}
	var files []string
	for _, n := range names {
		files = append(files, "images/train/"+n, "labels/train/"+strings.TrimSuffix(n, filepath.Ext(n))+".png")
	}
	o := Options{Root: writeTree(t, files...), Split: "train", RequireLabels: true}
	o.Map = writeFile(t, filepath.Join(o.Root, "map.yaml"), []byte("classes:\n  - {name: a, ids: [0]}\n"))
	return o
}

func TestLists(t *testing.T) {
	base := listSet(t)
	abs := filepath.ToSlash(base.Root)
	tests := map[string]struct {
		text string
		want []string
	}{
		"IDs, paths, names":     {"aachen_0\nsub/frame.png\nx.v1\nIMG_1\n", []string{"IMG_1", "aachen_0", "sub/frame", "x.v1"}},
		"CRLF":                  {"aachen_0.png\r\nx.v1.png\r\n", []string{"aachen_0", "x.v1"}},
		"CR":                    {"aachen_0.png\rx.v1.png\r", []string{"aachen_0", "x.v1"}},
		"byte order mark":       {"\ufeffaachen_0.png\n", []string{"aachen_0"}},
		"UTF-16":                {"\xff\xfex\x00.\x00v\x001\x00\r\x00\n\x00", []string{"x.v1"}},
		"UTF-16, big end first": {"\xfe\xff\x00x\x00.\x00v\x001\x00\n", []string{"x.v1"}},
		"upper case":            {"IMG_1.JPG\n", []string{"IMG_1"}},
		"the other case":        {"IMG_1.jpg\naachen_0.PNG\n", []string{"IMG_1", "aachen_0"}},
		"twice":                 {"x.v1 labels/train/x.v1.png\nx.v1\n", []string{"x.v1"}},
		"hash in a name":        {"frame#12.png\n", []string{"frame#12"}},
		"hash begins a name":    {"#c.png\n# a comment\n#another\n\n  \n", []string{"#c"}},
		"comment behind":        {"aachen_0.png # the first\n", []string{"aachen_0"}},
		"jpg in a name":         {"y.jpg.png\n", []string{"y.jpg"}},
		"blank inside":          {"a b.png\n", []string{"a b"}},
		"blank before":          {" lead.png\n", []string{" lead"}},
		"blanks around":         {"  aachen_0.png \t\n", []string{"aachen_0"}},
		"dot slash":             {"./aachen_0.png\n./sub/frame.png\n", []string{"aachen_0", "sub/frame"}},
		"below the root":        {"images/train/aachen_0.png\n./images/train/sub/frame.png\n", []string{"aachen_0", "sub/frame"}},
		"whole path":            {abs + "/images/train/frame.png\n", []string{"frame"}},
		"from elsewhere":        {"/old/place/images/train/aachen_0.png\nold/images/train/sub/frame.png\n", []string{"aachen_0", "sub/frame"}},
		"commented out":         {"x.v1\n# images/train/aachen_0.png\n# images/train/aachen_0.png labels/train/aachen_0.png\n", []string{"x.v1"}},
		"backslashes":           {`images\train\sub\frame.png` + "\n", []string{"sub/frame"}},
		"name in one folder":    {"frame\n", []string{"frame"}},
		"columns":               {"images/train/aachen_0.png labels/train/aachen_0.png\n", []string{"aachen_0"}},
		"columns, blanks":       {"images/train/a b.png labels/train/a b.png\n", []string{"a b"}},
		"columns, tab":          {" lead.png\tlabels/train/ lead.png\n", []string{" lead"}},
		"columns, comma":        {"aachen_0.png,aachen_0.png\n", []string{"aachen_0"}},
		"columns, elsewhere":    {"/old/images/train/aachen_0.png /old/labels/train/aachen_0.png\n", []string{"aachen_0"}},
		"columns and a comment": {"aachen_0.png aachen_0.png # the first\n", []string{"aachen_0"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := base
			o.List = writeFile(t, filepath.Join(t.TempDir(), "list.txt"), []byte(test.text))
			d := mustOpen(t, o)
			if diff := cmp.Diff(test.want, itemIDs(d)); diff != "" {
				t.Error(diff)
			}
			for i := range d.Len() {
				it := d.Item(i)
				if want := filepath.Join(o.Root, "labels/train", it.ID+".png"); it.Label != want {
					t.Errorf("%s has label %s", it.ID, it.Label)
				}
			}
		})
	}
}

func TestBadLists(t *testing.T) {
	base := listSet(t)
	writePicture(t, filepath.Join(base.Root, "images/train/sub/aachen_0.png"), photo(1, 8, 8))
	writePicture(t, filepath.Join(base.Root, "images/train/more/aachen_0.png"), photo(1, 8, 8))
	for text, want := range map[string]string{
		"frame#13.png\n":               `line 1: no image is named "frame#13.png" (there are 12, such as " lead.png")`,
		"frame.PNG.png\n":              `line 1: no image is named "frame.PNG.png"`,
		"x.v1\nsub/x.v1":               `line 2: no image is named "sub/x.v1"`,
		"night/frame":                  `no image is named "night/frame"`,
		"x.v1 gone.png":                `there is no label "gone.png"`,
		"x.v1 frame.png\nx.v1 a b.png": "two labels",
	} {
		o := base
		o.List = writeFile(t, filepath.Join(t.TempDir(), "list.txt"), []byte(text))
		_, err := Open(o)
		wantError(t, err, "list "+o.List, want)
	}
	o := base
	o.List = writeFile(t, filepath.Join(t.TempDir(), "list.txt"), []byte("# nothing\n"))
	_, err := Open(o)
	wantError(t, err, "none of the 12 images is left by list", `(they are such as " lead.png")`)

	o = Options{Root: writeTree(t, "images/a/x.png", "images/b/x.png")}
	o.List = writeFile(t, filepath.Join(o.Root, "list.txt"), []byte("x.png\n"))
	_, err = Open(o)
	wantError(t, err, `more than one image is named "x.png"`)
}

// A list may name more than what is used: what exclude names is left out of it.
func TestListWithExclude(t *testing.T) {
	o := listSet(t)
	o.List = writeFile(t, filepath.Join(t.TempDir(), "list.txt"), []byte("aachen_0\nframe#12.png\nsub/frame.png\n"))
	o.Exclude = []string{"frame*"}
	if diff := cmp.Diff([]string{"aachen_0"}, itemIDs(mustOpen(t, o))); diff != "" {
		t.Error(diff)
	}
}

// The label of a second column takes the place of the one of the image's name,
// and what Check writes says so too.
func TestListedLabels(t *testing.T) {
	o := Options{Layout: "cityscapes", Split: "val", RequireLabels: true, Root: writeTree(t,
		"leftImg8bit/val/a/a_0_leftImg8bit.png", "gtFine/val/a/a_0_gtFine_labelIds.png", "gtFine/val/a/a_0_gtFine_labelTrainIds.png",
		"leftImg8bit/val/a/a_1_leftImg8bit.png", "gtFine/val/a/a_1_gtFine_labelIds.png", "other/label.png")}
	open := func(list string) (*Dataset, error) {
		o.List = writeFile(t, filepath.Join(o.Root, "list.txt"), []byte(list))
		return Open(o)
	}
	d, err := open("leftImg8bit/val/a/a_0_leftImg8bit.png gtFine/val/a/a_0_gtFine_labelTrainIds.png\n")
	if err != nil || d.Map().Name() != "cityscapes-trainids" || filepath.Base(d.Item(0).Label) != "a_0_gtFine_labelTrainIds.png" {
		t.Errorf("%+v: %v", d, err)
	}
	_, err = open("leftImg8bit/val/a/a_0_leftImg8bit.png gtFine/val/a/a_0_gtFine_labelTrainIds.png\na/a_1\n")
	wantError(t, err, "labels of several kinds", "cityscapes, cityscapes-trainids")

	d, err = open("a/a_0 other/label.png\na/a_1\n")
	if err != nil || d.Item(0).Label != filepath.Join(o.Root, "other/label.png") || d.Map().Name() != "cityscapes" {
		t.Errorf("%+v: %v", d, err)
	}
	o.Map = "idd"
	r, err := Check(t.Context(), o, CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.Severity == Error && f.Kind != "small-image" {
			t.Errorf("%+v", f)
		}
	}
}

// What Check calls good, a list reads back: all of it, and the same.
func TestGoodList(t *testing.T) {
	o := Options{Map: "idd", RequireLabels: true}
	names := []string{"frame#12", "frame", "a b", " lead", "y.jpg", "y", "x.v1", "sub/frame"}
	o.Root = t.TempDir()
	for _, n := range names {
		writePicture(t, filepath.Join(o.Root, "images", n+".png"), photo(1, 32, 32))
		writePicture(t, filepath.Join(o.Root, "labels", n+".png"), grayIDs(32, 32, constant(0)))
	}
	writePicture(t, filepath.Join(o.Root, "spare.png"), grayIDs(32, 32, constant(1)))
	check := func() []string {
		t.Helper()
		r, err := Check(t.Context(), o, CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		o.List = filepath.Join(o.Root, "list.txt")
		if err := os.WriteFile(o.List, []byte(strings.Join(append(r.Good, ""), "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		return r.Good
	}
	first := check()
	if len(first) != len(names) {
		t.Errorf("good: %q", first)
	}
	if diff := cmp.Diff(first, check()); diff != "" {
		t.Error(diff)
	}
	if have := mustOpen(t, o).Len(); have != len(names) {
		t.Errorf("the list has %d images", have)
	}
	writeFile(t, o.List, []byte(" lead.png\tspare.png\n"))
	if diff := cmp.Diff([]string{" lead\tspare.png"}, check()); diff != "" {
		t.Error(diff)
	}
	if have := mustOpen(t, o).Item(0).Label; have != filepath.Join(o.Root, "spare.png") {
		t.Errorf("label %s", have)
	}

	t.Chdir(o.Root)
	spare := filepath.Join(t.TempDir(), "spare.png")
	writePicture(t, spare, grayIDs(32, 32, constant(1)))
	away, err := filepath.Rel(o.Root, spare)
	if err != nil {
		t.Fatal(err)
	}
	o.Root = "."
	writeFile(t, o.List, []byte("y.png\t"+away+"\n"))
	if diff := cmp.Diff([]string{"y\t" + spare}, check()); diff != "" {
		t.Error(diff)
	}
}
