package datasets

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

// paletted is a picture whose indices are ids and whose colours tell nothing.
func paletted(w, h int, id uint8) *image.Paletted {
	p := make(color.Palette, 40)
	for i := range p {
		p[i] = color.NRGBA{uint8(200 - i), uint8(3 * i), 9, 255}
	}
	img := image.NewPaletted(image.Rect(0, 0, w, h), p)
	for i := range img.Pix {
		img.Pix[i] = id
	}
	return img
}

// pngChunk appends a chunk with its checksum.
func pngChunk(b []byte, kind string, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	from := len(b)
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[from:]))
}

// pngHead is the beginning of a PNG file up to its header.
func pngHead(w, h int, depth, colourType byte) []byte {
	header := binary.BigEndian.AppendUint32(nil, uint32(w))
	header = binary.BigEndian.AppendUint32(header, uint32(h))
	return pngChunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", append(header, depth, colourType, 0, 0, 0))
}

// lowDepthGray encodes one row of 4-bit gray samples, which the standard
// encoder cannot.
func lowDepthGray(ids ...uint8) []byte {
	row := make([]byte, 1+(len(ids)+1)/2) // filter 0
	for i, id := range ids {
		row[1+i/2] |= id << (4 * (1 - i%2))
	}
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	w.Write(row)
	w.Close()
	b := pngChunk(pngHead(len(ids), 1, 4, 0), "IDAT", z.Bytes())
	return pngChunk(b, "IEND", nil)
}

func TestLabelFormats(t *testing.T) {
	m, err := LoadLabelMap(writeFile(t, filepath.Join(t.TempDir(), "m.yaml"), []byte("classes:\n - {name: a, ids: [1]}\n - {name: b, ids: [7, 300]}\nignore: [0]\n")))
	if err != nil {
		t.Fatal(err)
	}
	fill := func(img interface {
		image.Image
		Set(x, y int, c color.Color)
	}, c ...color.Color,
	) image.Image {
		for x := range c {
			img.Set(x, 0, c[x])
		}
		return img
	}
	rect := image.Rect(0, 0, 3, 1)
	index := paletted(3, 1, 7)
	index.Pix[0], index.Pix[1] = 0, 1
	small := image.NewPaletted(rect, color.Palette{color.NRGBA{7, 50, 50, 255}, color.NRGBA{0, 1, 2, 255}, color.NRGBA{1, 9, 9, 255}})
	small.Pix = []uint8{1, 2, 0}
	tests := map[string]struct {
		img     image.Image
		channel string
	}{
		"gray 8":         {fill(image.NewGray(rect), color.Gray{0}, color.Gray{1}, color.Gray{7}), ""},
		"gray 16":        {fill(image.NewGray16(rect), color.Gray16{0}, color.Gray16{1}, color.Gray16{300}), ""},
		"palette":        {index, ""},
		"palette by red": {small, "red"},
		"colour 8":       {fill(image.NewNRGBA(rect), color.NRGBA{0, 9, 9, 255}, color.NRGBA{1, 9, 9, 255}, color.NRGBA{7, 9, 9, 255}), "red"},
		"colour, alpha":  {fill(image.NewNRGBA(rect), color.NRGBA{9, 0, 9, 255}, color.NRGBA{9, 1, 9, 3}, color.NRGBA{9, 7, 9, 9}), "green"},
		"colour 16":      {fill(image.NewNRGBA64(rect), color.NRGBA64{9, 9, 0, 65535}, color.NRGBA64{9, 9, 1, 65535}, color.NRGBA64{9, 9, 300, 65535}), "blue"},
		"colour 16, alpha": {
			fill(image.NewNRGBA64(rect), color.NRGBA64{0, 9, 9, 65535}, color.NRGBA64{1, 9, 9, 7}, color.NRGBA64{300, 9, 9, 65535}), "red",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := writePicture(t, filepath.Join(t.TempDir(), "l.png"), test.img)
			l, err := decodeLabels(fromDisk, file, m, channelIndex(test.channel))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]uint8{raster.Void, 0, 1}, l.Pix); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("gray 4", func(t *testing.T) {
		l, err := decodeLabels(fromDisk, writeFile(t, filepath.Join(t.TempDir(), "l.png"), lowDepthGray(0, 1, 7)), m, noChannel)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]uint8{raster.Void, 0, 1}, l.Pix); diff != "" {
			t.Error(diff)
		}
		_, err = decodeLabels(fromDisk, writeFile(t, filepath.Join(t.TempDir(), "l.png"), lowDepthGray(0, 9)), m, noChannel)
		wantError(t, err, "id 9 at column 1, row 0")
	})
}

func TestImageFormats(t *testing.T) {
	dir := t.TempDir()
	gray := grayIDs(5, 4, func(x, y int) uint8 { return uint8(40*x + y) })
	wide := image.NewNRGBA64(image.Rect(0, 0, 2, 1))
	wide.SetNRGBA64(1, 0, color.NRGBA64{0x1234, 0xff00, 0x8000, 0xffff})
	clear := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	clear.Pix = []uint8{9, 8, 7, 0, 1, 2, 3, 128}
	tests := map[string]struct {
		img  image.Image
		x, y int
		want [3]float32
	}{
		"gray.png":   {gray, 3, 2, [3]float32{122, 122, 122}},
		"deep.png":   {wide, 1, 0, [3]float32{0x12, 0xff, 0x80}},
		"alpha.png":  {clear, 0, 0, [3]float32{9, 8, 7}},
		"index.png":  {paletted(3, 3, 10), 1, 1, [3]float32{190, 30, 9}},
		"single.png": {grayIDs(1, 1, constant(33)), 0, 0, [3]float32{33, 33, 33}},
		"gray.jpg":   {grayIDs(8, 8, constant(77)), 4, 4, [3]float32{77, 77, 77}},
	}
	for name, test := range tests {
		p, err := decodeImage(fromDisk, writePicture(t, filepath.Join(dir, name), test.img), 0, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		img := p.image()
		i := test.y*img.W + test.x
		if got := [3]float32{img.Plane(0)[i], img.Plane(1)[i], img.Plane(2)[i]}; got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestResizing(t *testing.T) {
	root := t.TempDir()
	half := image.NewNRGBA(image.Rect(0, 0, 16, 8)) // left black, right white
	for i := range half.Pix {
		if i/4%16 >= 8 || i%4 == 3 {
			half.Pix[i] = 255
		}
	}
	writePicture(t, filepath.Join(root, "images/a.png"), half)
	writePicture(t, filepath.Join(root, "labels/a.png"), grayIDs(16, 8, func(x, _ int) uint8 { return uint8(x / 8) }))
	d := mustOpen(t, Options{Root: root, Map: "cityscapes-trainids", RequireLabels: true, Width: 8, Height: 4})
	s, err := d.Load(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if s.Image.W != 8 || s.Image.H != 4 || s.W0 != 16 || s.H0 != 8 {
		t.Errorf("image %d×%d from %d×%d", s.Image.W, s.Image.H, s.W0, s.H0)
	}
	for x, v := range s.Image.Plane(1)[8:16] {
		if id := s.Labels.Pix[8+x]; id != uint8(x/4) {
			t.Errorf("label %d in column %d", id, x)
		}
		if x != 3 && x != 4 && v != float32(x/4*255) {
			t.Errorf("green %v in column %d", v, x)
		}
	}
	full, err := d.LoadLabels(t.Context(), 0)
	if err != nil || full.W != 16 || full.H != 8 {
		t.Errorf("LoadLabels is not at the file's size: %v", err)
	}
}

func TestCacheIsBoundedAndUntouched(t *testing.T) {
	o := genericSet(t, 3, 12, 10)
	o.CacheBytes = 2 * 12 * 10 * 4 // two pairs of three
	d := mustOpen(t, o)
	plain := o
	plain.CacheBytes = 0
	reference := mustOpen(t, plain)
	for range 2 {
		for i := range 3 {
			s, err := d.Load(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			want, err := reference.Load(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, s); diff != "" {
				t.Fatalf("image %d: %s", i, diff)
			}
			clear(s.Image.Pix) // the sample is ours
			clear(s.Labels.Pix)
			full, err := d.LoadLabels(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			clear(full.Pix)
		}
	}
	if d.cache.used != o.CacheBytes || len(d.cache.pictures) != 2 || len(d.cache.labels) != 2 {
		t.Errorf("the cache holds %d bytes of %d: %d images, %d labels", d.cache.used, o.CacheBytes, len(d.cache.pictures), len(d.cache.labels))
	}
}
