package datasets

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"t2sda/internal/raster"
)

// withOrientation puts a chunk of EXIF that bears an orientation behind the header
// of a PNG file.
func withOrientation(t testing.TB, name string, o byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	exif := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(rune(o)) + "\x00\x00\x00\x00\x00\x00")
	const afterHeader = 8 + 12 + 13
	writeFile(t, name, append(pngChunk(slices.Clone(data[:afterHeader]), "eXIf", exif), data[afterHeader:]...))
}

// A turned image, and a label that bears the same tag, are read upright by
// everything that reads a pair; at another size, too.
func TestOrientation(t *testing.T) {
	o := genericSet(t, 1, 48, 36)
	img, lab := filepath.Join(o.Root, "images/train/aa.png"), filepath.Join(o.Root, "labels/train/aa.png")
	lying, err := mustOpen(t, o).Load(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	withOrientation(t, img, 6)
	_, err = mustOpen(t, o).Load(t.Context(), 0)
	wantError(t, err, img, "36×48", lab, "48×36", "orientation 6: turned by 90° clockwise", "remove the tag")
	withOrientation(t, lab, 6)
	d := mustOpen(t, o)
	s, err := d.Load(t.Context(), 0)
	if err != nil || s.W0 != 36 || s.H0 != 48 {
		t.Fatalf("%d×%d, %v", s.W0, s.H0, err)
	}
	for y := range 48 {
		for x := range 36 { // orientation 6: column 0 is the last stored row
			from := (35-x)*48 + y
			if s.Image.Plane(1)[y*36+x] != lying.Image.Plane(1)[from] || s.Labels.Pix[y*36+x] != lying.Labels.Pix[from] {
				t.Fatalf("pixel %d, %d is another one", x, y)
			}
		}
	}
	small, err := d.AtSize(12, 24).Load(t.Context(), 0)
	if want := s.Labels.ResizeNearest(12, 24); err != nil || !cmp.Equal(want, small.Labels) {
		t.Errorf("made smaller, the labels are others, %v", err)
	}
	stats, err := d.Stats(t.Context(), 1, "")
	if err != nil || stats.Files[0].W != 36 || stats.Files[0].H != 48 {
		t.Errorf("%+v, %v", stats, err)
	}
	r := mustCheck(t, o, CheckOptions{Previews: 1})
	f := find(t, r, "orientation")
	if f.Severity != Note || !slices.Equal(f.Files, []string{img + ": orientation 6: turned by 90° clockwise", lab + ": orientation 6: turned by 90° clockwise"}) || r.Stops() {
		t.Errorf("%+v", r.Findings)
	}
	if r.Sizes[0].W != 36 || r.Previews[0].Image.W != 36 || r.Previews[0].Labels == nil {
		t.Errorf("sizes %v", r.Sizes)
	}
}

// What was decoded by other rules is not read from the cache: the key says by which.
func TestDiskCacheKnowsOrientation(t *testing.T) {
	o := genericSet(t, 1, 48, 36)
	withOrientation(t, filepath.Join(o.Root, "images/train/aa.png"), 3)
	disk := openCache(t, t.TempDir())
	want, err := mustOpen(t, o).LoadImage(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	o.Disk = disk
	for range 2 {
		got, err := mustOpen(t, o).LoadImage(t.Context(), 0)
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("another picture through the cache, %v", err)
		}
	}
}

// Labels are read from every format that keeps them, and converted to PNG.
func TestLabelFileFormats(t *testing.T) {
	encoders := map[string]func(*bytes.Buffer, image.Image) error{
		".tif": func(b *bytes.Buffer, m image.Image) error {
			return tiff.Encode(b, m, &tiff.Options{Compression: tiff.Deflate})
		},
		".bmp": func(b *bytes.Buffer, m image.Image) error { return bmp.Encode(b, m) },
		".GIF": func(b *bytes.Buffer, m image.Image) error { return gif.Encode(b, m, nil) },
	}
	for ext, encode := range encoders {
		o := genericSet(t, 2, 40, 36)
		want, err := mustOpen(t, o).Load(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		index := paletted(40, 36, 0)
		l := mustLabels(t, filepath.Join(o.Root, "labels/train/ab.png"))
		copy(index.Pix, l.Pix)
		var file bytes.Buffer
		if err := encode(&file, index); err != nil {
			t.Fatal(err)
		}
		removeAll(t, filepath.Join(o.Root, "labels/train/ab.png"))
		writeFile(t, filepath.Join(o.Root, "labels/train/ab"+ext), file.Bytes())
		d := mustOpen(t, o)
		got, err := d.Load(t.Context(), 1)
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s: other labels, %v", ext, err)
		}
		n, err := countRaw(fromDisk, d.Item(1).Label, noChannel)
		if err != nil || n.pixels[0] != 2*(40+36)-4 || !strings.Contains(n.kind, strings.ToUpper(ext[1:])) {
			t.Errorf("%s: counted %+v, %v", ext, n, err)
		}
		out := t.TempDir()
		if _, err := d.Convert(t.Context(), ConvertOptions{Out: out}); err != nil {
			t.Fatal(err)
		}
		if back := mustLabels(t, filepath.Join(out, "labels/train/ab.png")); !slices.Equal(back.Pix, want.Labels.Pix) {
			t.Errorf("%s: converted to other labels", ext)
		}
	}
}

// mustLabels decodes a gray PNG.
func mustLabels(t *testing.T, name string) *image.Gray {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img.(*image.Gray)
}

const colourMap = `classes:
  - {name: road, color: [128, 64, 128], colors: [[81, 0, 81]], ids: [1]}
  - {name: sky, color: [70, 130, 180], ids: [2]}
  - {name: post, color: [9, 9, 9], ids: [3]}
  - {name: pole, color: [9, 9, 9], ids: [4]}
ignore: [0]
ignore_colors: [[111, 74, 0]]
`

// Labels may be pictures in the map's colours: as they are, and as palettes where
// the channel says so.
func TestColourLabels(t *testing.T) {
	o := genericSet(t, 1, 40, 36)
	o.Map = writeFile(t, filepath.Join(o.Root, "colours.yaml"), []byte(colourMap))
	palette := color.Palette{color.NRGBA{70, 130, 180, 255}, color.NRGBA{128, 64, 128, 255}, color.NRGBA{81, 0, 81, 255}, color.NRGBA{111, 74, 0, 255}, color.NRGBA{0, 0, 0, 255}}
	ids := []uint8{1, 0, 0, raster.Void, raster.Void}
	index := image.NewPaletted(image.Rect(0, 0, 40, 36), palette)
	colours, deep := image.NewNRGBA(index.Rect), image.NewNRGBA64(index.Rect)
	want := raster.NewLabels(40, 36)
	for i := range index.Pix {
		k := i / 7 % len(ids)
		index.Pix[i], want.Pix[i] = uint8(k), ids[k]
		colours.Set(i%40, i/40, palette[k])
		deep.Set(i%40, i/40, palette[k])
	}
	name := filepath.Join(o.Root, "labels/train/aa.png")
	for kind, img := range map[string]image.Image{"colours": colours, "16 bits": deep, "palette": index} {
		writePicture(t, name, img)
		o.Channel = map[string]string{"palette": "color"}[kind]
		d := mustOpen(t, o)
		l, err := d.LoadLabels(t.Context(), 0)
		if err != nil || !cmp.Equal(want, l) {
			t.Errorf("%s: other labels, %v", kind, err)
		}
		stats, err := d.Stats(t.Context(), 1, "")
		if err != nil || stats.Pixels[1] != 41*7+5 || stats.Void != 2*41*7 {
			t.Errorf("%s: %+v, %v", kind, stats, err)
		}
		whole, err := decodeWhole(fromDisk, name, d.labels, d.channel)
		if err != nil || !cmp.Equal(want, whole) {
			t.Errorf("%s, whole: other labels, %v", kind, err)
		}
	}
	colours.Set(3, 2, color.NRGBA{9, 9, 9, 255}) // of two classes
	o.Channel = ""
	writePicture(t, name, colours)
	_, err := mustOpen(t, o).LoadLabels(t.Context(), 0)
	wantError(t, err, name, "colour (9, 9, 9) at column 3, row 2 is not in label map")
	r := mustCheck(t, o, CheckOptions{Previews: 1})
	f := find(t, r, "unknown-id")
	if !strings.Contains(f.Text, "lacks colour (9, 9, 9) (in 1 label)") || !strings.Contains(f.Files[0], "colour (9, 9, 9) (1 pixel)") {
		t.Errorf("%+v", f)
	}
	if c := r.IDs[len(r.IDs)-1]; c.ID != -1 || !slices.Equal(c.Color, []int{128, 64, 128}) || c.Class != "road" {
		t.Errorf("%+v", r.IDs)
	}
}

func TestColourMapAtFault(t *testing.T) {
	for want, text := range map[string]string{
		"class a: color [1 2] is not three numbers": "classes: [{name: a, ids: [1], colors: [[1, 2]]}]",
		"class b: colour (1, 2, 3) is given to":     "classes: [{name: a, ids: [1], color: [1, 2, 3]}, {name: b, ids: [2], colors: [[1, 2, 3]]}]",
		"ignore_colors: color [1 2 300]":            "classes: [{name: a, ids: [1]}]\nignore_colors: [[1, 2, 300]]",
	} {
		_, err := LoadLabelMap(writeFile(t, filepath.Join(t.TempDir(), "m.yaml"), []byte(text)))
		wantError(t, err, want)
	}
}

// A label whose first chunk is not the header is an error for all that read it,
// and so is whatever else its first bytes may be.
func TestLabelHeads(t *testing.T) {
	o := genericSet(t, 1, 40, 36)
	name := filepath.Join(o.Root, "labels/train/aa.png")
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	early := append(pngChunk(slices.Clone(good[:8]), "gAMA", []byte{0, 1, 2, 3}), good[8:]...)
	writeFile(t, name, early)
	d := mustOpen(t, o)
	_, err = d.LoadLabels(t.Context(), 0)
	wantError(t, err, name, "truncated or damaged?", `the first chunk is "gAMA", not the header`)
	_, err = d.Stats(t.Context(), 1, "")
	wantError(t, err, name, "not the header")
	if f := find(t, mustCheck(t, o, CheckOptions{}), "unreadable-label"); len(f.Files) != 1 {
		t.Errorf("%+v", f)
	}
	for at := range 33 { // signature, and the header with its checksum made to fit
		for _, to := range []byte{0, 1, 3, 7, 16, 127, 255} {
			b := slices.Clone(good)
			b[at] = to
			if at < 29 {
				b = append(pngChunk(slices.Clone(b[:8]), string(b[12:16]), b[16:29]), b[33:]...)
				binary.BigEndian.PutUint32(b[8:], binary.BigEndian.Uint32(good[8:]))
			}
			writeFile(t, name, b)
			if _, err := countRaw(fromDisk, name, noChannel); err != nil {
				wantError(t, err, name)
			}
			if _, err := decodeLabels(fromDisk, name, d.labels, noChannel); err != nil {
				wantError(t, err, name)
			}
		}
	}
}
