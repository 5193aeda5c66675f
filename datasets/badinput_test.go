package datasets

import (
	"image"
	"os"
	"path/filepath"
	"testing"
)

// Each row breaks a good data set of two 12×10 pairs ("aa", "ab"), then opens
// it and reads it; one clear error must name what is wrong. TestBadFiles has the
// files that cannot be read.
func TestBadInput(t *testing.T) {
	const img, lab = "images/train/ab.png", "labels/train/ab.png"
	tests := map[string]struct {
		spoil func(t *testing.T, root string, o *Options)
		want  []string
	}{
		"no root":       {func(_ *testing.T, _ string, o *Options) { o.Root = "" }, []string{"root is empty"}},
		"missing root":  {func(_ *testing.T, _ string, o *Options) { o.Root = "/nowhere/at/all" }, []string{"root", "/nowhere/at/all", "no such file"}},
		"root is file":  {func(_ *testing.T, root string, o *Options) { o.Root = root + "/map.yaml" }, []string{"map.yaml is not a folder"}},
		"layout":        {func(_ *testing.T, _ string, o *Options) { o.Layout = "city" }, []string{`unknown layout "city" (one of: generic, cityscapes, gta5, `}},
		"missing split": {func(_ *testing.T, _ string, o *Options) { o.Split = "trian" }, []string{"layout generic: no image folder", "images/trian"}},
		"split of none": {func(_ *testing.T, _ string, o *Options) { o.Layout = "synthia" }, []string{"layout synthia has no splits", `split "train"`}},
		"no images": {func(t *testing.T, root string, _ *Options) {
			removeAll(t, root+"/images/train")
			writeFile(t, root+"/images/train/notes.txt", nil)
		}, []string{"no images in", "images/train", ".png, .jpg, .jpeg, .tif"}},
		"no labels":    {func(t *testing.T, root string, _ *Options) { removeAll(t, root+"/labels") }, []string{"labels are required, but there is no label folder", "labels/train"}},
		"no map":       {func(_ *testing.T, _ string, o *Options) { o.Map = "" }, []string{"labels are required, but no label map is given", "camvid"}},
		"unknown map":  {func(_ *testing.T, _ string, o *Options) { o.Map = "citiscapes" }, []string{`unknown label map "citiscapes"`}},
		"size":         {func(_ *testing.T, _ string, o *Options) { o.Width = 5 }, []string{"size 5×0", "both width and height"}},
		"channel":      {func(_ *testing.T, _ string, o *Options) { o.Channel = "cyan" }, []string{`channel "cyan" is none of red, green, blue`}},
		"pattern":      {func(_ *testing.T, _ string, o *Options) { o.Include = []string{"[a"} }, []string{`pattern "[a"`, "syntax error"}},
		"nothing left": {func(_ *testing.T, _ string, o *Options) { o.Include = []string{"dusk*"} }, []string{"none of the 2 images is left", `include ["dusk*"]`}},
		"missing list": {func(_ *testing.T, _ string, o *Options) { o.List = "/nowhere.txt" }, []string{"list", "/nowhere.txt"}},
		"list entry": {func(t *testing.T, root string, o *Options) {
			o.List = writeFile(t, root+"/list.txt", []byte("aa\nzz.png\n"))
		}, []string{"list.txt, line 2", `named "zz.png"`}},
		"image without label": {func(t *testing.T, root string, _ *Options) { removeAll(t, filepath.Join(root, lab)) }, []string{img, "has no label", "labels/train"}},
		"label without image": {func(t *testing.T, root string, _ *Options) { removeAll(t, filepath.Join(root, img)) }, []string{lab, "has no image of the same name"}},
		"two images of one name": {func(t *testing.T, root string, _ *Options) {
			writePicture(t, filepath.Join(root, "images/train/ab.jpg"), photo(1, 12, 10))
		}, []string{"ab.jpg", "ab.png", "have the same name"}},
		"sizes differ": {func(t *testing.T, root string, _ *Options) {
			writePicture(t, filepath.Join(root, lab), grayIDs(12, 9, constant(1)))
		}, []string{img, "12×10", lab, "12×9"}},
		"id outside of the map": {func(t *testing.T, root string, _ *Options) {
			writePicture(t, filepath.Join(root, lab), grayIDs(12, 10, func(x, y int) uint8 {
				if x == 7 && y == 3 {
					return 77
				}
				return 1
			}))
		}, []string{lab, "id 77 at column 7, row 3 is not in label map", "map.yaml"}},
		"16-bit id": {func(t *testing.T, root string, _ *Options) {
			deep := image.NewGray16(image.Rect(0, 0, 12, 10))
			for i := range deep.Pix {
				deep.Pix[i] = 1 // 257: its low byte would be a class
			}
			writePicture(t, filepath.Join(root, lab), deep)
		}, []string{lab, "id 257 at column 0, row 0"}},
		"colours for ids": {func(t *testing.T, root string, _ *Options) {
			writePicture(t, filepath.Join(root, lab), photo(5, 12, 10))
		}, []string{lab, "colour (", "at column 0, row 0 is not in label map", "channel: red"}},
		"truncated JPEG": {func(t *testing.T, root string, _ *Options) {
			removeAll(t, filepath.Join(root, img))
			truncate(t, writePicture(t, filepath.Join(root, "images/train/ab.jpg"), photo(1, 12, 10)), 400)
		}, []string{"ab.jpg", "truncated or damaged?"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := genericSet(t, 2, 12, 10)
			test.spoil(t, o.Root, &o)
			wantError(t, readAll(t, o), test.want...)
		})
	}
}

// readAll opens a data set and loads everything, as a run would.
func readAll(t *testing.T, o Options) error {
	d, err := Open(o)
	for i := 0; err == nil && i < d.Len(); i++ {
		_, err = d.Load(t.Context(), i)
	}
	return err
}

// Files that vanish after Open are named, too.
func TestVanishedFiles(t *testing.T) {
	o := genericSet(t, 2, 12, 10)
	d := mustOpen(t, o)
	removeAll(t, d.Item(0).Image)
	_, err := d.Load(t.Context(), 0)
	wantError(t, err, d.Item(0).Image, "no such file")
	removeAll(t, d.Item(1).Label)
	_, err = d.Load(t.Context(), 1)
	wantError(t, err, d.Item(1).Label, "no such file")
	_, err = d.Stats(t.Context(), 1, t.TempDir())
	wantError(t, err, d.Item(1).Label, "no such file")
}

func removeAll(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, name string, size int64) {
	t.Helper()
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
}
