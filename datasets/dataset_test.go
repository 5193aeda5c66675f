package datasets

import (
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGenericLayout(t *testing.T) {
	o := genericSet(t, 5, 12, 10)
	writePicture(t, filepath.Join(o.Root, "images/train/sub/zz.jpg"), photo(9, 12, 10))
	writePicture(t, filepath.Join(o.Root, "labels/train/sub/zz.png"), grayIDs(12, 10, constant(1)))
	writeFile(t, filepath.Join(o.Root, "images/train/readme.txt"), []byte("no image"))
	writeFile(t, filepath.Join(o.Root, "images/train/.hidden.png"), nil)
	d := mustOpen(t, o)
	if diff := cmp.Diff([]string{"aa", "ab", "ac", "ad", "ae", "sub/zz"}, itemIDs(d)); diff != "" {
		t.Error(diff)
	}
	if d.firstUnlabelled() >= 0 || d.Item(5).Rel != "sub/zz.jpg" {
		t.Errorf("image %d has no label, item %+v", d.firstUnlabelled(), d.Item(5))
	}
}

func TestSelection(t *testing.T) {
	base := genericSet(t, 5, 12, 10)
	list := writeFile(t, filepath.Join(t.TempDir(), "list.txt"), []byte("# chosen\nad.png\n\naa # the first\n"))
	tests := map[string]struct {
		set  func(*Options)
		want []string
	}{
		"include stem":      {func(o *Options) { o.Include = []string{"a[ab]*"} }, []string{"aa", "ab"}},
		"include extension": {func(o *Options) { o.Include = []string{"*d.png", "ac"} }, []string{"ac", "ad"}},
		"exclude":           {func(o *Options) { o.Exclude = []string{"a[a-c]*"} }, []string{"ad", "ae"}},
		"both":              {func(o *Options) { o.Include, o.Exclude = []string{"a[ab]*"}, []string{"aa.*"} }, []string{"ab"}},
		"list":              {func(o *Options) { o.List = list }, []string{"aa", "ad"}},
		"all splits":        {func(o *Options) { o.Split = "" }, []string{"train/aa", "train/ab", "train/ac", "train/ad", "train/ae"}},
		"folders":           {func(o *Options) { o.Images, o.Labels, o.Split = "images/train", "labels/train", "" }, []string{"aa", "ab", "ac", "ad", "ae"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := base
			test.set(&o)
			d := mustOpen(t, o)
			if diff := cmp.Diff(test.want, itemIDs(d)); diff != "" {
				t.Error(diff)
			}
			if d.firstUnlabelled() >= 0 {
				t.Error("labels are not found")
			}
		})
	}
}

// One side's folder may lie in the other's, and a folder is the same however it is
// named.
func TestFoldersInFolders(t *testing.T) {
	for name, test := range map[string]struct {
		files []string
		o     Options
	}{
		"labels among images": {[]string{"a.jpg", "sub/b.jpg", "masks/a.png", "masks/sub/b.png", "masks/notes.txt"}, Options{Images: ".", Labels: "masks"}},
		"the layout's labels": {[]string{"a.jpg", "sub/b.jpg", "labels/a.png", "labels/sub/b.png"}, Options{Images: "."}},
		"images among labels": {[]string{"photos/a.png", "photos/sub/b.png", "a.png", "sub/b.png"}, Options{Images: "photos", Labels: "."}},
		"one by whole path":   {[]string{"all/a.jpg", "all/a_m.png", "all/sub/b.jpg", "all/sub/b_m.png"}, Options{Images: "all", Labels: "ROOT/all", LabelSuffix: "_m"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.o
			o.Root, o.Map, o.RequireLabels = writeTree(t, test.files...), "idd", true
			o.Labels = strings.ReplaceAll(o.Labels, "ROOT", o.Root)
			t.Chdir(o.Root)
			for _, o.Root = range []string{o.Root, "."} {
				if d := mustOpen(t, o); !cmp.Equal(itemIDs(d), []string{"a", "sub/b"}) || d.firstUnlabelled() >= 0 {
					t.Errorf("%+v", d.Items())
				}
			}
		})
	}
}

func TestUnlabelledTarget(t *testing.T) {
	root := t.TempDir()
	writePicture(t, filepath.Join(root, "images/train/a.jpg"), photo(1, 8, 8))
	d := mustOpen(t, Options{Root: root, Split: "train"})
	if d.firstUnlabelled() < 0 || d.Len() != 1 || len(d.Space().Classes) != 0 || d.Map() != nil {
		t.Errorf("an unlabelled set: %+v", d)
	}
	s, err := d.Load(t.Context(), 0)
	if err != nil || s.Labels != nil || s.Image.W != 8 {
		t.Errorf("Load: %+v, %v", s, err)
	}
	_, err = d.LoadLabels(t.Context(), 0)
	wantError(t, err, d.Item(0).Image, "has no label")
	_, err = d.Stats(t.Context(), 1, "")
	wantError(t, err, "class statistics need labels", d.Item(0).Image)

	root = t.TempDir()
	writePicture(t, filepath.Join(root, "leftImg8bit/test/rome/rome_1_leftImg8bit.png"), photo(1, 8, 8))
	d = mustOpen(t, Options{Layout: "cityscapes", Root: root, Split: "test"})
	if d.firstUnlabelled() < 0 || d.Item(0).ID != "rome/rome_1" || len(d.Space().Classes) != 19 {
		t.Errorf("an unlabelled Cityscapes split: %+v", d.Item(0))
	}
}

func TestCityscapesLabelKinds(t *testing.T) {
	root := t.TempDir()
	pair := func(city string, suffix string, id uint8) {
		writePicture(t, filepath.Join(root, "leftImg8bit/val", city, city+"_0_leftImg8bit.png"), photo(1, 8, 8))
		writePicture(t, filepath.Join(root, "gtFine/val", city, city+"_0_gtFine_"+suffix+".png"), grayIDs(8, 8, constant(id)))
	}
	first := func(o Options) (*Dataset, uint8) {
		o.Layout, o.Root, o.Split, o.RequireLabels = "cityscapes", root, "val", true
		d := mustOpen(t, o)
		l, err := d.LoadLabels(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return d, l.Pix[0]
	}
	pair("bonn", "labelTrainIds", 13)
	if d, id := first(Options{}); id != 13 || d.Map().Name() != "cityscapes-trainids" {
		t.Errorf("train ids alone: id %d by map %s", id, d.Map().Name())
	}
	pair("bonn", "labelIds", 24)
	if d, id := first(Options{}); id != 11 || d.Map().Name() != "cityscapes" {
		t.Errorf("both: id %d by map %s", id, d.Map().Name())
	}
	if _, id := first(Options{Map: "cityscapes-trainids"}); id != 13 {
		t.Errorf("train ids asked for: id %d", id)
	}
}

// The trees of GTA5 (ten folders), SYNTHIA, CARLA and SegNet's CamVid.
func TestOtherLayouts(t *testing.T) {
	red16 := func(id uint16) image.Image {
		img := image.NewNRGBA64(image.Rect(0, 0, 4, 4))
		for i := 0; i < len(img.Pix); i += 8 {
			img.Pix[i], img.Pix[i+1] = byte(id>>8), byte(id)
			img.Pix[i+3], img.Pix[i+6], img.Pix[i+7] = 77, 255, 255
		}
		return img
	}
	red8 := func(id uint8) image.Image {
		img := photo(3, 4, 4)
		for i := 0; i < len(img.Pix); i += 4 {
			img.Pix[i] = id
		}
		return img
	}
	tests := []struct {
		layout, split string
		images        []string
		labels        map[string]image.Image
		ids           []string
		train         uint8
	}{
		{"gta5", "", []string{"01_images/images/00001.png", "02_images/images/02501.png"}, map[string]image.Image{
			"01_labels/labels/00001.png": paletted(4, 4, 26), "02_labels/labels/02501.png": paletted(4, 4, 26),
		}, []string{"00001", "02501"}, 13},
		{"gta5", "", []string{"images/00001.png"}, map[string]image.Image{"labels/00001.png": paletted(4, 4, 26)}, []string{"00001"}, 13},
		{"synthia", "", []string{"RGB/0000000.png"}, map[string]image.Image{"GT/LABELS/0000000.png": red16(21)}, []string{"0000000"}, 3},
		{"synthia-seqs", "", []string{"RGB/0.png"}, map[string]image.Image{"GT/LABELS/0.png": red16(12)}, []string{"0"}, 0},
		{"carla", "", []string{"CameraRGB/7.png"}, map[string]image.Image{"CameraSeg/7.png": red8(10)}, []string{"7"}, 13},
		{"camvid", "val", []string{"val/f.png"}, map[string]image.Image{"valannot/f.png": grayIDs(4, 4, constant(8))}, []string{"f"}, 8},
	}
	for _, test := range tests {
		t.Run(test.layout, func(t *testing.T) {
			root := t.TempDir()
			for _, name := range test.images {
				writePicture(t, filepath.Join(root, name), photo(1, 4, 4))
			}
			for name, img := range test.labels {
				writePicture(t, filepath.Join(root, name), img)
			}
			d := mustOpen(t, Options{Layout: test.layout, Root: root, Split: test.split, RequireLabels: true})
			if diff := cmp.Diff(test.ids, itemIDs(d)); diff != "" {
				t.Error(diff)
			}
			for i := range d.Len() {
				l, err := d.LoadLabels(t.Context(), i)
				if err != nil {
					t.Fatal(err)
				}
				if l.Pix[5] != test.train {
					t.Errorf("%s: train id %d, want %d", d.Item(i).ID, l.Pix[5], test.train)
				}
			}
		})
	}
}

func TestSymbolicLinks(t *testing.T) {
	o := genericSet(t, 2, 8, 8)
	link := func(to, from string) {
		if err := os.Symlink(to, filepath.Join(o.Root, from)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	elsewhere := t.TempDir()
	writePicture(t, filepath.Join(elsewhere, "x.png"), photo(4, 8, 8))
	writePicture(t, filepath.Join(elsewhere, "l.png"), grayIDs(8, 8, constant(1)))
	link(filepath.Join(elsewhere, "x.png"), "images/train/ba.png")
	link(filepath.Join(elsewhere, "l.png"), "labels/train/ba.png")
	link(filepath.Join(elsewhere, "gone.txt"), "images/train/note.txt")
	if d := mustOpen(t, o); d.Len() != 3 || d.firstUnlabelled() >= 0 {
		t.Errorf("links to files are not followed: %v", itemIDs(d))
	}
}

// Links that cannot be followed are named, wherever they stand.
func TestDeadLinks(t *testing.T) {
	tests := map[string]struct {
		at, to string // relative to the root; what is there already is moved into linked/
		want   []string
	}{
		"to nothing":        {"images/train/bb.png", "gone.png", []string{"images/train/bb.png (to gone.png) cannot be followed", "no such file"}},
		"to itself":         {"images/train/bb", "bb", []string{"images/train/bb (to bb) cannot be followed", "too many levels"}},
		"to its folder":     {"images/train/round", ".", []string{"images/train/round leads back to", "a loop"}},
		"to a parent":       {"images/train/round", "..", []string{"images/train/round leads back to", "a loop"}},
		"to the root":       {"images/train/round", "../..", []string{"images/train/round leads back to", "a loop"}},
		"among the labels":  {"labels/train/sub", "..", []string{"labels/train/sub leads back to", "a loop"}},
		"image folder":      {"images", "images", []string{"images (to images) cannot be followed", "too many levels"}},
		"split":             {"images/train", "/not/mounted", []string{"images/train (to /not/mounted) cannot be followed", "no such file"}},
		"label folder":      {"labels", "../nothing", []string{"labels (to ../nothing) cannot be followed", "no such file"}},
		"two in a circle":   {"images/train", "../images/train", []string{"images/train (to ../images/train) cannot be followed", "too many levels"}},
		"below a good link": {"images/train/sub", "elsewhere", []string{"images/train/sub (to elsewhere) cannot be followed"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := genericSet(t, 2, 8, 8)
			at := filepath.Join(o.Root, filepath.FromSlash(test.at))
			removeAll(t, at)
			if err := os.Symlink(test.to, at); err != nil {
				t.Skipf("no symbolic links here: %v", err)
			}
			_, err := Open(o)
			wantError(t, err, append([]string{"datasets: symbolic link " + o.Root}, test.want...)...)
		})
	}
	root := filepath.Join(t.TempDir(), "self")
	if err := os.Symlink("self", root); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	_, err := Open(Options{Root: root})
	wantError(t, err, "root", root, "too many levels")
}

// A data set may be linked together: the root, its folders, their parts.
func TestLinkedFolders(t *testing.T) {
	o := genericSet(t, 3, 8, 8)
	link := func(to, from string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(from), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, from); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	root := t.TempDir()
	link(filepath.Join(o.Root, "images"), filepath.Join(root, "a", "images"))
	link(filepath.Join(o.Root, "labels", "train"), filepath.Join(root, "a", "labels", "train"))
	link(filepath.Join(root, "a"), filepath.Join(root, "b"))
	link(filepath.Join(o.Root, "images", "train"), filepath.Join(root, "c", "images", "train", "part"))
	link(filepath.Join(o.Root, "labels", "train"), filepath.Join(root, "c", "labels", "train", "part"))
	for folder, first := range map[string]string{"b": "aa", "c": "part/aa"} {
		o.Root = filepath.Join(root, folder)
		if d := mustOpen(t, o); d.Len() != 3 || d.firstUnlabelled() >= 0 || d.Item(0).ID != first {
			t.Errorf("%s: %v", folder, itemIDs(d))
		}
		if err := readAll(t, o); err != nil {
			t.Error(err)
		}
	}
}

// Recordings side by side may use the same names.
func TestSeveralRecordings(t *testing.T) {
	root := t.TempDir()
	for _, rec := range []string{"SYNTHIA-SEQS-01-SUMMER", "SYNTHIA-SEQS-02-DAWN"} {
		writePicture(t, filepath.Join(root, rec, "RGB/Stereo_Left/Omni_F/000000.png"), photo(1, 4, 4))
		writePicture(t, filepath.Join(root, rec, "GT/LABELS/Stereo_Left/Omni_F/000000.png"), photo(1, 4, 4))
	}
	d := mustOpen(t, Options{Layout: "synthia-seqs", Root: root, RequireLabels: true})
	want := []string{"SYNTHIA-SEQS-01-SUMMER/Stereo_Left/Omni_F/000000", "SYNTHIA-SEQS-02-DAWN/Stereo_Left/Omni_F/000000"}
	if diff := cmp.Diff(want, itemIDs(d)); diff != "" {
		t.Error(diff)
	}
	if it := d.Item(1); it.Rel != want[1]+".png" {
		t.Errorf("%+v", it)
	}
}

// The message for a wrong layout names the right one.
func TestOtherLayoutsNamed(t *testing.T) {
	root := t.TempDir()
	writePicture(t, filepath.Join(root, "CameraRGB/1.png"), photo(1, 4, 4))
	writePicture(t, filepath.Join(root, "CameraSeg/1.png"), photo(1, 4, 4))
	_, err := Open(Options{Layout: "cityscapes", Root: root})
	wantError(t, err, "layout cityscapes: no image folder", "there are folders of layout carla")
}

func TestSplits(t *testing.T) {
	tree := func(names ...string) string {
		root := t.TempDir()
		for _, name := range names {
			writeFile(t, filepath.Join(root, name), nil)
		}
		return root
	}
	tests := map[string]struct {
		o             Options
		want, without []string
	}{
		"cityscapes": {Options{Layout: "cityscapes", Root: tree("leftImg8bit/val/a/x.png", "leftImg8bit/train/a/x.png", "leftImg8bit/.cache/x", "leftImg8bit/README")}, []string{"train", "val"}, nil},
		"nested":     {Options{Layout: "cityscapes", Root: tree("leftImg8bit_trainvaltest/leftImg8bit/test/a/x.png")}, []string{"test"}, nil},
		"no splits":  {Options{Layout: "gta5", Root: tree("images/1.png")}, nil, nil},
		"flat":       {Options{Root: tree("images/1.png", "images/sub/1.png")}, nil, nil},
		"folders":    {Options{Root: tree("photos/b/1.png", "photos/a/1.png"), Images: "photos/{split}"}, []string{"a", "b"}, nil},
		"one folder": {Options{Root: tree("photos/b/1.png"), Images: "photos"}, nil, nil},
		"camvid":     {Options{Layout: "camvid", Root: tree("train/1.png", "trainannot/1.png", "test/1.png", "testannot/1.png", "docs/x.txt")}, []string{"test", "train"}, nil},
		"references": {Options{Layout: "acdc", Root: tree("rgb_anon/fog/val/s/a_rgb_anon.png", "rgb_anon/night/test/s/b_rgb_anon.png", "rgb_anon/fog/val_ref/s/a_rgb_ref_anon.png")}, []string{"test", "val"}, []string{"val_ref"}},
		"included":   {Options{Layout: "acdc", Include: []string{"night/*"}, Root: tree("rgb_anon/fog/val/s/a_rgb_anon.png", "rgb_anon/night/test/s/b_rgb_anon.png")}, []string{"test"}, []string{"val"}},
		"excluded":   {Options{Layout: "dark-zurich", Exclude: []string{"*_ref"}, Root: tree("rgb_anon/val/night/s/a_rgb_anon.png", "rgb_anon/val_ref/day/s/a_ref_rgb_anon.png")}, []string{"val"}, []string{"val_ref"}},
		"all left":   {Options{Include: []string{"y*"}, Root: tree("images/a/x.png", "images/b/x.png")}, []string{"a", "b"}, nil},
		"inside":     {Options{Root: tree("valid/images/1.png", "train/images/1.png", "README.txt", "docs/x.txt")}, []string{"train", "valid"}, nil},
		"suffixed":   {Options{Root: tree("a_test_x/1.png", "a_val_x/1.png"), Images: "a_{split}_x"}, []string{"test", "val"}, nil},
		"nothing":    {Options{Layout: "cityscapes", Root: tree("x")}, nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have, without, err := Splits(t.Context(), test.o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, have); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.without, without); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, _, err := Splits(t.Context(), Options{Layout: "moon"})
	wantError(t, err, `unknown layout "moon"`)
}

// AtSize is what Open with that size gives, and leaves the original alone.
func TestAtSize(t *testing.T) {
	o := genericSet(t, 2, 20, 12)
	d := mustOpen(t, o)
	sized := d.AtSize(10, 6)
	o.Width, o.Height = 10, 6
	opened := mustOpen(t, o)
	for i := range opened.Len() {
		want, err := opened.Load(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sized.Load(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("image %d: %s", i, diff)
		}
	}
	if s, err := d.Load(t.Context(), 0); err != nil || s.Image.W != 20 {
		t.Errorf("the original reads %d columns, %v", s.Image.W, err)
	}
}
