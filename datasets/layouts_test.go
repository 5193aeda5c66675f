package datasets

import (
	"fmt"
	"image"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeTree writes pictures: photographs for what layout says are images, id 0
// for the rest.
func writeTree(t testing.TB, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for i, name := range files {
		var img image.Image = photo(uint64(i), 8, 8)
		if strings.Contains(name, "label") || strings.Contains(name, "gt") || strings.Contains(name, "LABELS") {
			img = grayIDs(8, 8, constant(0))
		}
		writePicture(t, filepath.Join(root, name), img)
	}
	return root
}

// Each layout reads the tree that it is described by, and describes all of it.
func TestLayoutsReadTheirExamples(t *testing.T) {
	for _, row := range loadLayouts() {
		t.Run(row.Name, func(t *testing.T) {
			images := 0
			for _, f := range row.Files {
				if _, ok := suffix(row.ImageSuffix).cut(f); ok && !strings.HasPrefix(f, "labels") && !strings.Contains(f, "gt") &&
					!strings.Contains(f, "GT") && !strings.Contains(f, "Seg") && !strings.Contains(f, "annot") && !strings.Contains(f, "_train_id") && !strings.Contains(f, ".seg.") {
					images++
				}
			}
			o := Options{Layout: row.Name, Root: writeTree(t, row.Files...), Map: "", RequireLabels: true}
			if len(row.Kinds) == 0 || row.Kinds[0].Map == "" {
				o.Map = "idd"
			}
			splits, without, err := Splits(t.Context(), o)
			if err != nil || without != nil || len(splits) > 1 {
				t.Fatalf("splits %v, %v: %v", splits, without, err)
			}
			if len(splits) == 1 {
				o.Split = splits[0]
			}
			d := mustOpen(t, o)
			if d.Len() != images || images == 0 || d.firstUnlabelled() >= 0 || d.PassedOver() != nil {
				t.Errorf("%d images of %d, passed over %v", d.Len(), images, d.PassedOver())
			}
			text, err := DescribeLayout(row.Name)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range append([]string{row.About, row.Images[0], row.Labels[0]}, row.Files...) {
				if !strings.Contains(text, path.Base(part)) {
					t.Errorf("the description lacks %q:\n%s", part, text)
				}
			}
		})
	}
	_, err := DescribeLayout("moon")
	wantError(t, err, `unknown layout "moon"`)
}

func TestDrawTree(t *testing.T) {
	have := strings.Join(drawTree([]string{"a/b/c/1.png", "a/b/c/2.png", "a/d/3.png", "e/f/4.png"}), "\n")
	want := `├── a/
│   ├── b/c/
│   │   ├── 1.png
│   │   └── 2.png
│   └── d/3.png
└── e/f/4.png`
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

// Trees as people have them: what lies beside images and labels, which splits are
// there, which kind of label is read by which map.
func TestTreesOfTheField(t *testing.T) {
	acdc := []string{
		"rgb_anon/fog/val/G1/G1_1_rgb_anon.png", "rgb_anon/night/val/G1/G1_1_rgb_anon.png", "rgb_anon/fog/val_ref/G1/G1_1_rgb_ref_anon.png",
		"gt/fog/val/G1/G1_1_gt_labelTrainIds.png", "gt/fog/val/G1/G1_1_gt_labelIds.png", "gt/fog/val/G1/G1_1_gt_labelColor.png", "gt/fog/val/G1/G1_1_gt_invGray.png",
		"gt/night/val/G1/G1_1_gt_labelTrainIds.png",
	}
	foggy := []string{"gtFine/train/a/a_0_gtFine_labelIds.png", "gtFine/train/b/b_0_gtFine_labelIds.png"} // b has no foggy image
	for _, beta := range []string{"0.005", "0.01", "0.02"} {
		foggy = append(foggy, "leftImg8bit_trainvaltest_foggy/leftImg8bit_foggy/train/a/a_0_leftImg8bit_foggy_beta_"+beta+".png")
	}
	gta := []string{
		"images/00001.png", "images/00002.png", "labels/00001.png", "labels/00002.png", "labels/00001_labelTrainIds.png", "labels/00002_labelTrainIds.png",
	}
	idd := []string{
		"leftImg8bit/val/1/7_leftImg8bit.png", "gtFine/val/1/7_gtFine_labelcsTrainIds.png", "gtFine/val/1/7_gtFine_labellevel3Ids.png", "gtFine/val/1/7_gtFine_instanceIds.png",
	}
	tests := map[string]struct {
		files  []string
		o      Options
		ids    []string
		mapped string
		label  string // of the last image
	}{
		"acdc": {acdc, Options{Layout: "acdc", Split: "val"}, []string{"fog/G1/G1_1", "night/G1/G1_1"}, "cityscapes-trainids", acdc[7]},
		"acdc, one condition": {
			acdc,
			Options{Layout: "acdc", Split: "val", Include: []string{"fog/*"}},
			[]string{"fog/G1/G1_1"},
			"cityscapes-trainids", acdc[3],
		},
		"acdc, label ids": {
			acdc,
			Options{Layout: "acdc", Split: "val", Map: "cityscapes", Exclude: []string{"night/*"}},
			[]string{"fog/G1/G1_1"},
			"cityscapes", acdc[4],
		},
		"acdc by suffixes": {
			acdc,
			Options{Images: "rgb_anon/*/{split}", Labels: "gt/*/{split}", Split: "val", ImageSuffix: "_rgb_anon.png", LabelSuffix: "_gt_labelTrainIds.png", Map: "cityscapes-trainids"},
			[]string{"fog/G1/G1_1", "night/G1/G1_1"},
			"cityscapes-trainids", acdc[7],
		},
		"foggy": {foggy, Options{Layout: "foggy-cityscapes", Split: "train"}, []string{
			"a/a_0_leftImg8bit_foggy_beta_0.005", "a/a_0_leftImg8bit_foggy_beta_0.01", "a/a_0_leftImg8bit_foggy_beta_0.02",
		}, "cityscapes", foggy[0]},
		"foggy, one fog": {
			foggy,
			Options{Layout: "foggy-cityscapes", Split: "train", Include: []string{"*_beta_0.02"}},
			[]string{"a/a_0_leftImg8bit_foggy_beta_0.02"},
			"cityscapes", foggy[0],
		},
		"gta5, prepared": {gta, Options{Layout: "gta5"}, []string{"00001", "00002"}, "gta5", gta[3]},
		"gta5, its train ids": {
			gta,
			Options{Layout: "gta5", Map: "cityscapes-trainids"},
			[]string{"00001", "00002"},
			"cityscapes-trainids", gta[5],
		},
		"cityscapes, part of a suffix": {
			[]string{"leftImg8bit/val/a_0_gtFine_label_leftImg8bit.png", "gtFine/val/a_0_gtFine_labelIds.png"},
			Options{Layout: "cityscapes", Split: "val", LabelSuffix: "Ids", ImageSuffix: "_leftImg8bit", Map: "cityscapes"},
			[]string{"a_0_gtFine_label"},
			"cityscapes", "gtFine/val/a_0_gtFine_labelIds.png",
		},
		"gta5, label suffix": {
			gta,
			Options{Layout: "gta5", LabelSuffix: "_labelTrainIds"},
			[]string{"00001", "00002"},
			"cityscapes-trainids", gta[5],
		},
		"synthia, prepared": {
			[]string{"RGB/0.png", "GT/LABELS/0.png", "GT/LABELS/0_labelTrainIds.png"},
			Options{Layout: "synthia"},
			[]string{"0"},
			"synthia", "GT/LABELS/0.png",
		},
		"bdd100k today": {
			[]string{"bdd100k/images/10k/val/a.jpg", "bdd100k/labels/sem_seg/masks/val/a.png"},
			Options{Layout: "bdd100k", Split: "val"},
			[]string{"a"},
			"cityscapes-trainids", "bdd100k/labels/sem_seg/masks/val/a.png",
		},
		"idd":         {idd, Options{Layout: "idd", Split: "val"}, []string{"1/7"}, "cityscapes-trainids", idd[1]},
		"idd, levels": {idd, Options{Layout: "idd", Split: "val", Map: "idd"}, []string{"1/7"}, "idd", idd[2]},
		"idd-lite": {
			[]string{"leftImg8bit/val/1/7_image.jpg", "gtFine/val/1/7_label.png", "gtFine/val/1/7_inst_label.png"},
			Options{Layout: "idd-lite", Split: "val"},
			[]string{"1/7"},
			"idd-lite", "gtFine/val/1/7_label.png",
		},
		"one folder": {
			[]string{"train/a.jpg", "train/a_mask.png", "train/b.jpg", "train/b_mask.png"},
			Options{Images: "{split}", Labels: "{split}", Split: "train", LabelSuffix: "_mask", Map: "idd"},
			[]string{"a", "b"},
			"idd", "train/b_mask.png",
		},
		"one folder, images marked": {
			[]string{"x/a.png", "x/a_rgb.png"},
			Options{Images: "x", Labels: "x", ImageSuffix: "_rgb", Map: "idd"},
			[]string{"a"},
			"idd", "x/a.png",
		},
		"exclude among labels": {
			[]string{"images/a.jpg", "labels/a.png", "labels/a_color.png"},
			Options{Exclude: []string{"*_color*"}, Map: "idd"},
			[]string{"a"},
			"idd", "labels/a.png",
		},
		"exclude one format": {
			[]string{"images/a.jpg", "images/a.png", "labels/a.png"},
			Options{Exclude: []string{"*.jpg"}, Map: "idd"},
			[]string{"a"},
			"idd", "labels/a.png",
		},
		"splits outside": {
			[]string{"valid/images/a.jpg", "valid/labels/a.png"},
			Options{Split: "valid", Map: "idd"},
			[]string{"a"},
			"idd", "valid/labels/a.png",
		},
		"decomposed": { // Zürich as a Mac writes it, and as others do
			[]string{"images/Zürich_1.png", "labels/Zu\u0308rich_1.png"},
			Options{Map: "idd"},
			[]string{"Zürich_1"},
			"idd", "labels/Zu\u0308rich_1.png",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := test.o
			o.Root, o.RequireLabels = writeTree(t, test.files...), true
			d := mustOpen(t, o)
			if diff := cmp.Diff(test.ids, itemIDs(d)); diff != "" {
				t.Error(diff)
			}
			if have := d.Map().Name(); have != test.mapped {
				t.Errorf("read by map %s, want %s", have, test.mapped)
			}
			if have, want := d.Item(d.Len()-1).Label, filepath.Join(o.Root, test.label); have != want {
				t.Errorf("label %s, want %s", have, want)
			}
			r, err := Check(t.Context(), o, CheckOptions{})
			if err != nil || r.Pairs != len(test.ids) {
				t.Errorf("Check: %+v, %v", r, err)
			}
		})
	}
}

// Images of three fogs share a label, which is converted once.
func TestConvertSharedLabels(t *testing.T) {
	l, err := findLayout("foggy-cityscapes")
	if err != nil {
		t.Fatal(err)
	}
	d := mustOpen(t, Options{Layout: l.Name, Root: writeTree(t, l.Files...), Split: "train", RequireLabels: true})
	out := t.TempDir()
	c, err := d.Convert(t.Context(), ConvertOptions{Out: out})
	if err != nil || c.Written != 1 || d.Len() != 3 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := os.Stat(filepath.Join(out, "gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png")); err != nil {
		t.Error(err)
	}
}

// The maps of the India Driving Dataset against AutoNUE's table.
func TestIDDMaps(t *testing.T) {
	for name, want := range map[string]map[int]string{
		"idd":      {0: "road", 8: "autorickshaw", 12: "vehicle fallback", 18: "traffic sign", 19: "traffic light", 24: "vegetation", 25: "sky"},
		"idd-lite": {0: "drivable", 3: "vehicles", 6: "sky"},
	} {
		m, err := LoadLabelMap(name)
		if err != nil {
			t.Fatal(err)
		}
		for id := range len(m.Space().Classes) {
			if train, ok := m.TrainID(id); !ok || int(train) != id {
				t.Errorf("%s: id %d is train id %d", name, id, train)
			}
		}
		for id, class := range want {
			if have := m.Space().Classes[id].Name; have != class {
				t.Errorf("%s: id %d is %s, want %s", name, id, have, class)
			}
		}
	}
}

func TestSuffix(t *testing.T) {
	tests := []struct {
		s         suffix
		rel, want string
		ok        bool
	}{
		{"", "a/b.png", "a/b", true},
		{"_x", "a/b_x.PNG", "a/b", true},
		{"_x", "a/b.png", "", false},
		{"_x.png", "a/b_x.PNG", "a/b", true},
		{"_x.png", "a/b_x.jpg", "", false},
		{"_beta_0.02", "b_beta_0.02.png", "b", true}, // .02 is no extension
		{"_beta_*", "c_beta_1/b_beta_0.02.png", "c_beta_1/b", true},
		{"_beta_*", "c_beta_1/b.png", "", false},
		{"_beta_*", "a_beta_b_beta_1.png", "a_beta_b", true}, // the shortest end
		{"_[ab]", "x_b.png", "x", true},
		{"_?.jpg", "x_b.png", "", false},
		{"_\u00fc", "a_u\u0308.png", "a", true}, // ü in one character and in two
		{"_u\u0308*", "a_\u00fcb.png", "a", true},
	}
	for _, test := range tests {
		have, ok := test.s.cut(test.rel)
		if ok != test.ok || ok && have != test.want {
			t.Errorf("%q of %s: %q, %v; want %q", test.s, test.rel, have, ok, test.want)
		}
	}
	root := writeTree(t, "images/a.png")
	for s, want := range map[string]string{"a/b": "without folders", "_[": "syntax error"} {
		_, err := Open(Options{Root: root, ImageSuffix: s})
		wantError(t, err, "image suffix", want)
		_, err = Open(Options{Root: root, LabelSuffix: s})
		wantError(t, err, "label suffix", want)
	}
}

// What is wrong with a tree is said with what is there instead.
func TestTreeErrors(t *testing.T) {
	camvid := []string{"test/a.png", "testannot/a.png"}
	acdc := []string{"rgb_anon/fog/val/a_rgb_anon.png", "gt/fog/val/a_gt_labelTrainIds.png"}
	tests := map[string]struct {
		files []string
		o     Options
		want  []string
	}{
		"no split named":  {camvid, Options{Layout: "camvid"}, []string{"no image folder", "/images", "splits there: test"}},
		"split not there": {camvid, Options{Layout: "camvid", Split: "val"}, []string{"/images/val", "/val", "splits there: test"}},
		"other layout":    {acdc, Options{Layout: "cityscapes", Split: "val"}, []string{"/leftImg8bit/val", "; there are folders of layout acdc"}},
		"no such split":   {acdc, Options{Layout: "acdc", Split: "dev"}, []string{"/rgb_anon/*/dev", "; splits there: val"}},
		"nothing known":   {[]string{"x/a.png", "y/a.png"}, Options{Split: "val"}, []string{"/images/val", "holds x, y"}},
		"image suffix": {
			[]string{"leftImg8bit/val/a_rgb.png", "gtFine/val/a_gtFine_labelIds.png"},
			Options{Layout: "cityscapes", Split: "val"},
			[]string{"looked for *_leftImg8bit with .png", "seen there: a_rgb.png"},
		},
		"label suffix": {
			[]string{"images/val/g_1_rgb_anon.png", "labels/val/g_1_gt_labelColor.png", "labels/val/g_1_gt_labelTrainIds.png"},
			Options{Split: "val", Map: "idd", RequireLabels: true},
			[]string{"looked for g_1_rgb_anon with .png", "g_1_gt_labelTrainIds.png", `image_suffix "_rgb_anon" and label_suffix "_gt_labelTrainIds" would pair them`},
		},
		"label format": {
			[]string{"images/val/a.png", "labels/val/a.jpg"},
			Options{Split: "val", Map: "idd", RequireLabels: true},
			[]string{"has no label", "the nearest name there is a.jpg, which is no label: labels are .png"},
		},
		"one folder": {
			[]string{"a.png", "a_mask.png"},
			Options{Images: ".", Labels: ".", Map: "idd", RequireLabels: true},
			[]string{"a.png has no label", "nor has 1 other", `image_suffix "" and label_suffix "_mask" would pair them`},
		},
		"unknown kind": {
			[]string{"images/1.png", "labels/1_ids.png"},
			Options{Layout: "gta5", LabelSuffix: "_ids"},
			[]string{`no labels that end in "_ids"`, "give a label map"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := test.o
			o.Root = writeTree(t, test.files...)
			_, err := Open(o)
			wantError(t, err, test.want...)
		})
	}
}

// Where the splits are there that a layout has, one that is asked for in vain has no
// other layout's folders for a reason.
func TestNoOtherLayoutAmongSplits(t *testing.T) {
	_, err := Open(Options{Root: writeTree(t, "images/train/a.png", "labels/train/a.png"), Split: "val"})
	wantError(t, err, "splits there: train")
	if err != nil && strings.Contains(err.Error(), "of layout gta5") {
		t.Error(err)
	}
}

// Files that count as nothing are named, those that belong to an image are not.
func TestPassedOver(t *testing.T) {
	root := writeTree(t, "images/a.png", "labels/a.png")
	for _, name := range []string{"images/b.heic", "images/a.json", "labels/a_polygons.json", "labels/Thumbs.db", "images/.hidden"} {
		writeFile(t, filepath.Join(root, name), nil)
	}
	o := Options{Root: root, Map: "idd", RequireLabels: true}
	want := []string{filepath.Join(root, "images/a.json"), filepath.Join(root, "images/b.heic"), filepath.Join(root, "labels/Thumbs.db")}
	if diff := cmp.Diff(want, mustOpen(t, o).PassedOver()); diff != "" {
		t.Error(diff)
	}
	if have := Passed(want); !strings.HasPrefix(have, "3 files are passed over") || !strings.HasSuffix(have, "a.json, b.heic, Thumbs.db") {
		t.Error(have)
	}
	if have := Passed(append(want, want...)); !strings.HasSuffix(have, "a.json, b.heic and 1 more") {
		t.Error(have)
	}
	o.Exclude = []string{"*.json", "*.heic", "*.db"}
	if have := Passed(mustOpen(t, o).PassedOver()); have != "" {
		t.Error(have)
	}
	r, err := Check(t.Context(), Options{Root: root}, CheckOptions{})
	if err != nil || !strings.Contains(fmt.Sprint(r.Findings), "3 files are passed over") {
		t.Errorf("%+v, %v", r, err)
	}
	files, names, passed, err := ListImages(filepath.Join(root, "images"), nil, nil)
	if err != nil || len(files) != 1 || names[0] != "a" || len(passed) != 2 {
		t.Errorf("%v, %v, %v: %v", files, names, passed, err)
	}
}
