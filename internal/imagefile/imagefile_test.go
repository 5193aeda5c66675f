package imagefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/limit"
	"t2sda/internal/peaktest"
)

const dir = "testdata"

// pixels are those of a picture, as packed RGB.
type pixels struct {
	w, h int
	pix  []byte
}

func (p pixels) at(x, y int) []byte { return p.pix[3*(y*p.w+x):][:3] }

// rows reads a file as [Open] does.
func rows(t *testing.T, name string) pixels {
	t.Helper()
	r, err := Disk.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := pixels{w: r.W, h: r.H}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(row) != 3*r.W {
			t.Fatal(len(row), err)
		}
		p.pix = append(p.pix, row...)
	}
	m, err := Read(name)
	if err != nil || !bytes.Equal(m.RGB(), p.pix) {
		t.Errorf("%s: Read differs from the rows, %v", name, err)
	}
	h, err := Disk.Verify(name)
	if err != nil || h.W != p.w || h.H != p.h {
		t.Errorf("%s: header %+v, %v", name, h, err)
	}
	return p
}

// standard decodes a PNG with the standard library, which knows of no orientation.
func standard(t *testing.T, name string) pixels {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	p := pixels{w: img.Bounds().Dx(), h: img.Bounds().Dy()}
	for y := range p.h {
		for x := range p.w {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			p.pix = append(p.pix, c.R, c.G, c.B)
		}
	}
	return p
}

// Every format is read to the values that Pillow gives; those that keep what is
// written into them to one picture.
func TestFormats(t *testing.T) {
	for name, golden := range map[string]string{
		"photo.png": "photo.png", "raw.tif": "photo.png", "lzw.tif": "photo.png", "deflate.tiff": "photo.png",
		"colour.bmp": "photo.png", "lossless.webp": "photo.png", "frames.gif": "frames.png",
		"lossy.webp": "lossy.png", "lossy-alpha.webp": "lossy-alpha.png", "lossy-even.webp": "lossy-even.png",
		"o6.jpg": "o6-jpg.png", "transparent.gif": "transparent.png",
		"fax3.tif": "fax.png", "fax4.tif": "fax.png", "fax4-white.tif": "fax.png",
	} {
		have, want := rows(t, filepath.Join(dir, name)), standard(t, golden)
		if have.w != want.w || have.h != want.h || !bytes.Equal(have.pix, want.pix) {
			t.Errorf("%s is not what Pillow reads", name)
		}
	}
}

// stored leads from pixels of the upright picture to stored ones of w×h: what the
// rows and columns of tag 274 mean (TIFF 6.0, page 36).
var stored = map[Orientation]func(x, y, w, h int) (int, int){
	1: func(x, y, _, _ int) (int, int) { return x, y },
	2: func(x, y, w, _ int) (int, int) { return w - 1 - x, y },
	3: func(x, y, w, h int) (int, int) { return w - 1 - x, h - 1 - y },
	4: func(x, y, _, h int) (int, int) { return x, h - 1 - y },
	5: func(x, y, _, _ int) (int, int) { return y, x },
	6: func(x, y, _, h int) (int, int) { return y, h - 1 - x },
	7: func(x, y, w, h int) (int, int) { return w - 1 - y, h - 1 - x },
	8: func(x, y, w, _ int) (int, int) { return w - 1 - y, x },
}

func TestOrientation(t *testing.T) {
	lying := standard(t, "photo.png")
	for name, o := range map[string]Orientation{
		"photo.png": 1, "o2.png": 2, "o3.png": 3, "o4.png": 4, "o5.png": 5, "o6.png": 6, "o7.png": 7, "o8.png": 8, "o5.webp": 5, "o7.tif": 7,
	} {
		name = filepath.Join(dir, name)
		h, err := Disk.ReadHeader(name)
		if err != nil || h.Orientation != o {
			t.Errorf("%s: %v, %v", name, h.Orientation, err)
		}
		upright := rows(t, name)
		if w, hh := o.Size(lying.w, lying.h); upright.w != w || upright.h != hh {
			t.Fatalf("%s has %d×%d pixels", name, upright.w, upright.h)
		}
		img, _, err := Disk.Samples(name)
		if err != nil {
			t.Fatal(err)
		}
		for y := range upright.h {
			for x := range upright.w {
				want := lying.at(stored[o](x, y, lying.w, lying.h))
				c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
				if !bytes.Equal(upright.at(x, y), want) || !bytes.Equal([]byte{c.R, c.G, c.B}, want) {
					t.Fatalf("%s: pixel %d, %d", name, x, y)
				}
			}
		}
	}
}

// Labels keep their samples in every format that has no loss.
func TestSamples(t *testing.T) {
	want := func(x, y int) int { return (x + y) / 6 % 5 }
	for name, kind := range map[string]string{
		"labels.png": "8-bit gray PNG", "labels.tif": "8-bit gray TIFF", "labels.bmp": "8-bit palette BMP", "labels.gif": "palette GIF",
		"labels.webp": "lossless WebP", "palette.tif": "8-bit palette TIFF", "wide.tif": "16-bit gray TIFF", "bits.tif": "1-bit gray TIFF",
	} {
		img, h, err := Disk.Samples(filepath.Join(dir, name))
		if err != nil || h.Kind != kind {
			t.Errorf("%s: %q, %v", name, h.Kind, err)
			continue
		}
		for y := range h.H {
			for x := range h.W {
				have := 0
				switch p := img.(type) {
				case *image.Paletted:
					have = int(p.ColorIndexAt(x, y))
				case *image.Gray16:
					have = int(p.Gray16At(x, y).Y) - 256
				case *image.Gray:
					have = int(p.GrayAt(x, y).Y)
				default:
					have = int(color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA).G)
				}
				if id := want(x, y); have != id && (h.Depth != 1 || have != id%2*255) {
					t.Fatalf("%s: %d at %d, %d, want %d", name, have, x, y, id)
				}
			}
		}
	}
	for _, name := range []string{"o6.jpg", "lossy.webp"} {
		_, _, err := Disk.Samples(filepath.Join(dir, name))
		wantError(t, err, name, "coding with loss changes ids")
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want %q", err, part)
		}
	}
}

func write(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// withTag returns a TIFF file with another tag in the place of one that it has.
func withTag(t *testing.T, old, tag, value uint16) []byte {
	t.Helper()
	file := golden(t, "raw.tif")
	entry := file[binary.LittleEndian.Uint32(file[4:])+2:]
	for ; binary.LittleEndian.Uint16(entry) != old; entry = entry[12:] {
	}
	binary.LittleEndian.PutUint16(entry, tag)
	binary.LittleEndian.PutUint16(entry[8:], value)
	return file
}

// What is not read is named, in the words of those who meet it.
func TestUnreadable(t *testing.T) {
	arithmetic, err := os.ReadFile("../jpegrows/testdata/arithmetic.jpg")
	if err != nil {
		t.Fatal(err)
	}
	planar := withTag(t, tagPlanar, tagPlanar, 2)
	for want, data := range map[string][]byte{
		"is an empty file": {},
		"it is no picture of a format that is read (PNG, JPEG, TIFF, BMP, GIF, WebP)":                        []byte("not a picture\n"),
		"is a HEIC picture, as telephones take them; what is read is PNG":                                    []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"),
		"is a Git LFS pointer, the file itself was not fetched":                                              []byte("version https://git-lfs.github.com/spec/v1\n"),
		"is a JPEG with arithmetic coding, which is not read: convert it":                                    arithmetic,
		"is a TIFF of a kind that is not read (a plane for each colour)":                                     planar,
		"is a TIFF of a kind that is not read (bits in reverse order)":                                       withTag(t, tagPlanar, tagFillOrder, 2),
		"is an animated WebP, which is not read":                                                             golden(t, "animated.webp"),
		`cannot be decoded (truncated or damaged?): png: the first chunk is "gAMA", not the header`:          []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x04gAMA\x00\x00\x00\x00\x00\x00\x00\x00IHDR more"),
		"its header claims 65535×65535 pixels":                                                               []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"),
		"its header claims 30000×8000 pixels, more than 13 bytes hold":                                       []byte("GIF89a\x30\x75\x40\x1f\x00\x00\x00"),
		"cannot be decoded (truncated or damaged?): it ends after 5 bytes":                                   []byte("\x89PNG\r"),
		"is a BMP of a kind that is not read (compressed, of 16 bits, or with a header of OS/2): convert it": append([]byte("BM"), make([]byte, 60)...),
	} {
		name := write(t, data)
		for _, read := range []func(string) error{
			func(n string) error { _, err := Disk.ReadHeader(n); return err },
			func(n string) error { _, err := Disk.Open(n); return err },
			func(n string) error { _, err := Disk.Verify(n); return err },
			func(n string) error { _, _, err := Disk.Samples(n); return err },
		} {
			wantError(t, read(name), name, want)
		}
	}
	_, err = Disk.Open(t.TempDir())
	wantError(t, err, "is a folder")
	_, err = Disk.Open(filepath.Join(t.TempDir(), "none.png"))
	wantError(t, err, "none.png", "no such file")
}

func files(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if IsImage(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// Whatever the bytes of a file are, above all those of its head, the answer is a
// picture or an error.
func TestAnyBytes(t *testing.T) {
	const seed = 5
	r := rand.New(rand.NewPCG(seed, 0))
	for _, name := range files(t) {
		good := golden(t, name)
		for range 40 {
			data := bytes.Clone(good)
			for range 1 + r.IntN(3) {
				span := len(data)
				if r.IntN(2) == 0 {
					span = min(span, 64)
				}
				data[r.IntN(span)] = byte(r.Uint32())
			}
			if r.IntN(4) == 0 {
				data = data[:r.IntN(len(data))]
			}
			readAll(t, write(t, data))
		}
	}
}

// readAll reads a file in every way; files that claim much are left.
func readAll(t *testing.T, name string) {
	t.Helper()
	h, err := Disk.ReadHeader(name)
	if err != nil {
		_, err = Disk.Open(name)
		_, _, err2 := Disk.Samples(name)
		if err == nil || err2 == nil {
			t.Errorf("%s is read though its header is not", name)
		}
		return
	}
	if h.W*h.H > 1<<20 {
		return
	}
	_, verifyErr := Disk.Verify(name)
	m, err := Read(name)
	if (err == nil) != (verifyErr == nil) {
		t.Errorf("%s: %v, verified: %v", name, err, verifyErr)
	}
	if err == nil && (m.W != h.W || m.H != h.H) {
		t.Errorf("%s: %d×%d, its header %d×%d", name, m.W, m.H, h.W, h.H)
	}
	if img, _, err := Disk.Samples(name); err == nil && img.Bounds().Size() != image.Pt(h.W, h.H) {
		t.Errorf("%s: samples of %v", name, img.Bounds())
	}
}

// FuzzRead: all ways to read a file agree on whether it can be, and on its size; errors
// name it, and the memory that is taken is bounded by its size and by the limit of pixels.
func FuzzRead(f *testing.F) {
	for _, name := range files(f) {
		f.Add(golden(f, name))
	}
	f.Setenv(limit.PixelsEnv, "1048576")
	f.Fuzz(func(t *testing.T, data []byte) {
		name := write(t, data)
		peaktest.Bound(t, 256<<20+uint64(256*len(data)), func() { readAll(t, name) })
		m, err := Read(name)
		if err != nil {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m.NRGBA()); err != nil {
			t.Fatal(err)
		}
		if again, err := Read(write(t, b.Bytes())); err != nil || !bytes.Equal(again.RGB(), m.RGB()) {
			t.Errorf("encoded again it is another picture: %v", err)
		}
	})
}

// Metadata at fault leave a picture as it is stored.
func TestDamagedEXIF(t *testing.T) {
	good := []byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00")
	if o := exifOrientation(good); o != 6 {
		t.Error(o)
	}
	if o := exifOrientation(append([]byte("Exif\x00\x00"), good...)); o != 6 {
		t.Error(o)
	}
	for n := range len(good) - 3 {
		if o := exifOrientation(good[:n]); o != Upright {
			t.Errorf("%d bytes: %v", n, o)
		}
	}
	for at, to := range map[int]byte{0: 'M', 4: 255, 7: 255, 10: 0, 12: 4, 18: 9} {
		b := bytes.Clone(good)
		b[at] = to
		if o := exifOrientation(b); o != Upright {
			t.Errorf("byte %d as %d: %v", at, to, o)
		}
	}
}

func TestExtensions(t *testing.T) {
	for _, ext := range Extensions() {
		name := "a/b" + strings.ToUpper(ext)
		label := ext != ".jpg" && ext != ".jpeg"
		if !IsImage(name) || IsLabel(name) != label || slices.Contains(LabelExtensions(), ext) != label {
			t.Error(name)
		}
	}
	if IsImage("a/png") || IsImage("a.txt") || len(LabelExtensions())+2 != len(Extensions()) {
		t.Error(Extensions(), LabelExtensions())
	}
}

func ExampleOrientation_String() {
	fmt.Println(Upright)
	fmt.Println(Orientation(6))
	// Output:
	// upright
	// orientation 6: turned by 90° clockwise
}

// What a file holds, held in memory, is read as the file is, errors included.
func TestContentAsFile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		wantHeader, wantErr := Disk.ReadHeader(f)
		header, err := HeaderOf(f, content)
		if header != wantHeader || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%s: %+v, %v; of the file %+v, %v", f, header, err, wantHeader, wantErr)
		}
		want, wantErr := allRows(Disk.Open(f))
		have, err := allRows(Of(f, content))
		if !bytes.Equal(have, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%s: the rows differ; %v, of the file %v", f, err, wantErr)
		}
	}
	if _, err := Of("it", nil); err == nil || err.Error() != "it is an empty file" {
		t.Errorf("no bytes: %v", err)
	}
}

// allRows reads all rows.
func allRows(r *Rows, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all []byte
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, row...)
	}
}
