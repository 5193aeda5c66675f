package jpegrows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/peaktest"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// coded lists the pictures that have a PNG beside them.
func coded(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.png")
	if err != nil || len(files) < 16 {
		t.Fatal(files, err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".png")
	}
	return files
}

// Every kind of file is read to what Pillow makes of it, bit for bit.
func TestPillow(t *testing.T) {
	for _, name := range coded(t) {
		want, err := png.Decode(bytes.NewReader(read(t, name+".png")))
		if err != nil {
			t.Fatal(err)
		}
		data := read(t, name+".jpg")
		head, err := ReadHeader(bytes.NewReader(data))
		if err != nil || head.W != want.Bounds().Dx() || head.H != want.Bounds().Dy() {
			t.Errorf("%s: header %+v, %v", name, head, err)
		}
		p, err := Decode(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := differing(p, want); n > 0 {
			t.Errorf("%s: %d of %d pixels differ from Pillow's", name, n, p.W*p.H)
		}
	}
}

func differing(p *Picture, want image.Image) int {
	n := 0
	for y := range p.H {
		row := p.Row(y)
		for x := range p.W {
			c := color.NRGBAModel.Convert(want.At(x, y)).(color.NRGBA)
			if [3]byte(row[3*x:]) != [3]byte{c.R, c.G, c.B} {
				n++
			}
		}
	}
	return n
}

// Inks are taken for Adobe's, which are stored inverted, whether or not the file says
// that they are.
func TestCMYKOfNobody(t *testing.T) {
	data := read(t, "cmyk.jpg")
	at := bytes.Index(data, []byte{0xff, markAPPE})
	n := int(binary.BigEndian.Uint16(data[at+2:]))
	p, err := Decode(slices.Delete(data, at, at+2+n))
	if err != nil {
		t.Fatal(err)
	}
	want, err := png.Decode(bytes.NewReader(read(t, "cmyk.png")))
	if err != nil {
		t.Fatal(err)
	}
	if n := differing(p, want); n > 0 {
		t.Errorf("%d pixels differ from Pillow's", n)
	}
}

// What T.81 has, but nobody uses, is named.
func TestUnsupported(t *testing.T) {
	good := read(t, "420.jpg")
	at := bytes.Index(good, []byte{0xff, markSOF0})
	change := func(offset int, to byte) []byte {
		b := bytes.Clone(good)
		b[at+offset] = to
		return b
	}
	for want, data := range map[string][]byte{
		"arithmetic coding":   read(t, "arithmetic.jpg"),
		"lossless coding":     change(1, 0xc3),
		"hierarchical coding": change(1, 0xc5),
		"JPEG-LS":             change(1, markLS),
		"12 bits per sample":  change(4, 12),
		"only at its end":     append(change(5, 0)[:at+6], append([]byte{0}, good[at+7:]...)...),
	} {
		_, err := Decode(data)
		_, headErr := ReadHeader(bytes.NewReader(data))
		var unsupported UnsupportedError
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), want) || !errors.As(headErr, &unsupported) {
			t.Errorf("want %s: %v, %v", want, err, headErr)
		}
	}
}

// Files that end early are errors wherever they end. Only the last marker may be
// missing, where nothing can follow.
func TestTruncated(t *testing.T) {
	for _, name := range []string{"420.jpg", "411-restart.jpg", "420-progressive.jpg", "uneven-progressive-restart.jpg"} {
		data := read(t, name)
		for n := range len(data) - 2 {
			if _, err := Decode(data[:n]); err == nil {
				t.Fatalf("%s: %d of %d bytes are taken for whole", name, n, len(data))
			}
		}
		_, err := Decode(data[:len(data)-2])
		if progressive := strings.Contains(name, "progressive"); progressive != (err != nil) {
			t.Errorf("%s without its last marker: %v", name, err)
		}
	}
}

// Damaged files may become errors or other pictures, never a panic.
func TestDamaged(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 0))
	for _, name := range coded(t) {
		good := read(t, name+".jpg")
		for range 300 {
			data := bytes.Clone(good)
			for range 1 + r.IntN(4) {
				data[r.IntN(len(data))] = byte(r.Uint32())
			}
			if h, err := ReadHeader(bytes.NewReader(data)); err != nil || h.W*h.H > 1<<20 {
				continue
			}
			if p, err := Decode(data); err == nil {
				for y := range p.H {
					p.Row(y)
				}
			}
		}
	}
}

// TestRepeatedScans: a scan of which most blocks have nothing to say takes a few bytes and a walk through
// the whole picture, so none is taken twice.
func TestRepeatedScans(t *testing.T) {
	for _, name := range []string{"gray-progressive", "420-progressive", "420-progressive-restart"} {
		data := read(t, name+".jpg")
		var scans []int // where they begin; each with the tables before it
		for i := range len(data) - 1 {
			if data[i] == 0xff && data[i+1] == markSOS {
				scans = append(scans, i)
			}
		}
		end := bytes.LastIndex(data, []byte{0xff, markEOI})
		if len(scans) < 3 || end < 0 {
			t.Fatalf("%s has %d scans", name, len(scans))
		}
		for _, from := range []int{scans[0], scans[len(scans)-1]} { // of first bits, and of a last one
			to := end
			if from == scans[0] {
				to = from + bytes.Index(data[from+2:], []byte{0xff, markDHT}) + 2
			}
			_, err := Decode(slices.Concat(data[:to], data[from:to], data[to:]))
			if err == nil || !strings.Contains(err.Error(), "brings what another one has brought") {
				t.Errorf("%s, the scan at %d twice: %v", name, from, err)
			}
		}
	}
}

// FuzzDecode: a picture has the size of its header, and that of the standard library's
// where that decodes it; memory is bounded by the size.
func FuzzDecode(f *testing.F) {
	for _, name := range coded(f) {
		f.Add(read(f, name+".jpg"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ReadHeader(bytes.NewReader(data))
		if err != nil || h.W*h.H > 1<<20 {
			return
		}
		// Padding to whole blocks, at most 4 times as wide and high as one; coefficients
		// of 2 bytes beside the samples.
		padded := uint64((h.W + 64) * (h.H + 64))
		peaktest.Bound(t, 4<<20+64*padded+uint64(16*len(data)), func() {
			p, err := Decode(data)
			if err != nil {
				return
			}
			if p.W != h.W || p.H != h.H || len(p.Row(p.H-1)) != 3*p.W {
				t.Errorf("%d×%d, its header %d×%d", p.W, p.H, h.W, h.H)
			}
			if c, err := jpeg.DecodeConfig(bytes.NewReader(data)); err == nil && (c.Width != p.W || c.Height != p.H) {
				t.Errorf("%d×%d, for the standard library %d×%d", p.W, p.H, c.Width, c.Height)
			}
		})
	})
}

func TestEXIF(t *testing.T) {
	block := []byte("II*\x00 what follows")
	segment := append([]byte{0xff, markAPP1, 0, byte(8 + len(block))}, "Exif\x00\x00"...)
	data := append([]byte{0xff, markSOI}, append(append(segment, block...), read(t, "420.jpg")[2:]...)...)
	h, err := ReadHeader(bytes.NewReader(data))
	if err != nil || !bytes.Equal(h.EXIF, block) {
		t.Errorf("%q, %v", h.EXIF, err)
	}
}

// BenchmarkDecode compares with the standard library's decoder and conversion.
func BenchmarkDecode(b *testing.B) {
	img := image.NewNRGBA(image.Rect(0, 0, 960, 720))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		img.Pix[i] = uint8(i/4%960/4 + i/3840/8 + r.IntN(16))
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, img, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	b.Run("jpegrows", func(b *testing.B) {
		for b.Loop() {
			p, err := Decode(file.Bytes())
			if err != nil {
				b.Fatal(err)
			}
			for y := range p.H {
				p.Row(y)
			}
		}
	})
	b.Run("standard", func(b *testing.B) {
		for b.Loop() {
			p, err := jpeg.Decode(bytes.NewReader(file.Bytes()))
			if err != nil {
				b.Fatal(err)
			}
			row := make([]byte, 3*960)
			for y := range 720 {
				for x := range 960 {
					c := p.(*image.YCbCr).YCbCrAt(x, y)
					row[3*x], row[3*x+1], row[3*x+2] = color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
				}
			}
		}
	})
}
