package datasets

import (
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"t2sda/internal/imagefile"
)

// fromDisk opens the files that tests write.
var fromDisk = imagefile.Disk

// writeFile creates a file and its folders.
func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// writePicture encodes by extension.
func writePicture(t testing.TB, name string, img image.Image) string {
	t.Helper()
	writeFile(t, name, nil)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if filepath.Ext(name) == ".png" {
		err = png.Encode(f, img)
	} else {
		err = jpeg.Encode(f, img, &jpeg.Options{Quality: 95})
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// photo is a w×h picture of seeded noise.
func photo(seed uint64, w, h int) *image.NRGBA {
	r := rand.New(rand.NewPCG(seed, 1))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.IntN(256))
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

// grayIDs is a w×h picture of ids.
func grayIDs(w, h int, id func(x, y int) uint8) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray(x, y, color.Gray{Y: id(x, y)})
		}
	}
	return img
}

func constant(id uint8) func(x, y int) uint8 { return func(int, int) uint8 { return id } }

const threeClasses = `
classes:
  - {name: ground, color: [10, 20, 30], ids: [1]}
  - {name: plant, ids: [2, 5]}
  - {name: animal, color: [200, 0, 0], ids: [3]}
ignore: [0, 255]
`

// genericSet writes n pairs of w×h in the generic layout, split train: ids of
// image i are 1 + (x + y + i) % 3 in a void frame of one pixel. It returns the
// options that open it.
func genericSet(t testing.TB, n, w, h int) Options {
	t.Helper()
	root := t.TempDir()
	for i := range n {
		name := string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".png"
		writePicture(t, filepath.Join(root, "images", "train", name), photo(uint64(i), w, h))
		writePicture(t, filepath.Join(root, "labels", "train", name), grayIDs(w, h, func(x, y int) uint8 {
			if x == 0 || y == 0 || x == w-1 || y == h-1 {
				return 0
			}
			return uint8(1 + (x/4+y/4+i)%3)
		}))
	}
	return Options{
		Layout: "generic", Root: root, Split: "train", RequireLabels: true,
		Map: writeFile(t, filepath.Join(root, "map.yaml"), []byte(threeClasses)),
	}
}

func mustOpen(t testing.TB, o Options) *Dataset {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func itemIDs(d *Dataset) []string {
	var out []string
	for i := range d.Len() {
		out = append(out, d.Item(i).ID)
	}
	return out
}
