package datasets

import (
	"encoding/binary"
	"fmt"
	"image"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

// tableOf turns the ids of the train ids 0 … 18 into a table from id to train
// id.
func tableOf(ids ...int) map[int]uint8 {
	m := map[int]uint8{}
	for train, raw := range ids {
		m[raw] = uint8(train)
	}
	return m
}

// checkAllIDs reads a 16-wide label in which pixel i holds id i % ids.
func checkAllIDs(t *testing.T, d *Dataset, i, ids int, table map[int]uint8) {
	t.Helper()
	s, err := d.Load(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	for p, have := range s.Labels.Pix {
		want, ok := table[p%ids]
		if !ok {
			want = raster.Void
		}
		if have != want {
			t.Errorf("%s: id %d is train id %d, want %d", s.ID, p%ids, have, want)
		}
	}
}

// GTA5 as it comes: ten archives unpacked side by side or into one folder,
// labels as palette files whose indices are the ids.
func TestGTA5Tree(t *testing.T) {
	table := tableOf(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
	for name, folder := range map[string]func(part int, kind string) string{
		"ten folders": func(part int, kind string) string { return fmt.Sprintf("%02d_%s/%s", part, kind, kind) },
		"one folder":  func(_ int, kind string) string { return kind },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for part := range 10 {
				img := paletted(16, 5, 0) // of 40 colours that tell nothing
				for i := range img.Pix {
					img.Pix[i] = uint8(i % 35)
				}
				file := fmt.Sprintf("%05d.png", 2500*part+1)
				writePicture(t, filepath.Join(root, folder(part+1, "images"), file), photo(1, 16, 5))
				writePicture(t, filepath.Join(root, folder(part+1, "labels"), file), img)
			}
			d := mustOpen(t, Options{Layout: "gta5", Root: root, RequireLabels: true})
			if d.Len() != 10 || d.Item(9).ID != "22501" {
				t.Fatalf("%v", itemIDs(d))
			}
			for i := range d.Len() {
				checkAllIDs(t, d, i, 35, table)
			}
		})
	}
}

// SYNTHIA-RAND-CITYSCAPES as it comes, in its own folder or below its name:
// 16-bit colour files, the class in red, the instance in green.
func TestSYNTHIATree(t *testing.T) {
	table := map[int]uint8{3: 0, 4: 1, 2: 2, 21: 3, 5: 4, 7: 5, 15: 6, 9: 7, 6: 8, 16: 9, 1: 10, 10: 11, 17: 12, 8: 13, 18: 14, 19: 15, 20: 16, 12: 17, 11: 18}
	for _, folder := range []string{"", "RAND_CITYSCAPES"} {
		root := t.TempDir()
		img := image.NewNRGBA64(image.Rect(0, 0, 16, 4))
		for i := range 16 * 4 {
			binary.BigEndian.PutUint16(img.Pix[8*i:], uint16(i%23))
			binary.BigEndian.PutUint16(img.Pix[8*i+2:], uint16(700+i))
			binary.BigEndian.PutUint16(img.Pix[8*i+6:], 65535)
		}
		writePicture(t, filepath.Join(root, folder, "RGB/0000000.png"), photo(1, 16, 4))
		writePicture(t, filepath.Join(root, folder, "GT/LABELS/0000000.png"), img)
		writePicture(t, filepath.Join(root, folder, "GT/COLOR/0000000.png"), photo(2, 16, 4))
		checkAllIDs(t, mustOpen(t, Options{Layout: "synthia", Root: root, RequireLabels: true}), 0, 23, table)
	}
}

// Cityscapes as it comes: the archives' other files beside the labels, below
// their own names or not, and coarse labels when they are asked for.
func TestCityscapesTree(t *testing.T) {
	table := tableOf(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
	for _, prefix := range []string{"", "leftImg8bit_trainvaltest gtFine_trainvaltest"} {
		var images, labels string
		if prefix != "" {
			fmt.Sscan(prefix, &images, &labels)
		}
		root := t.TempDir()
		const stem = "train/ulm/ulm_000000_000019"
		write := func(dir, suffix string) {
			writePicture(t, filepath.Join(root, dir, stem+suffix), grayIDs(16, 5, func(x, y int) uint8 { return uint8((16*y + x) % 34) }))
		}
		write(images+"/leftImg8bit", "_leftImg8bit.png")
		write(labels+"/gtFine", "_gtFine_labelIds.png")
		write(labels+"/gtFine", "_gtFine_instanceIds.png")
		write(labels+"/gtFine", "_gtFine_color.png")
		write("gtCoarse", "_gtCoarse_labelIds.png")
		writeFile(t, filepath.Join(root, labels, "gtFine", stem+"_gtFine_polygons.json"), []byte("{}"))
		for _, o := range []Options{{}, {Map: "cityscapes"}, {Labels: "gtCoarse/{split}"}, {Labels: "gtCoarse/{split}", Map: "cityscapes"}} {
			o.Layout, o.Root, o.Split, o.RequireLabels = "cityscapes", root, "train", true
			d := mustOpen(t, o)
			if diff := cmp.Diff([]string{"ulm/ulm_000000_000019"}, itemIDs(d)); diff != "" {
				t.Error(diff)
			}
			checkAllIDs(t, d, 0, 34, table)
		}
	}
}
