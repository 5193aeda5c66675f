package pngrows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scene is a w×h picture with smooth parts, edges and noise: all filters occur
// in it, and matches of all lengths.
func scene(w, h int) *image.NRGBA {
	r := rand.New(rand.NewPCG(3, 4))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := 80 + 40*x/w + 80*y/h
			if x/40%3 == 0 {
				v += r.IntN(6)
			}
			img.SetNRGBA(x, y, color.NRGBA{uint8(v), uint8(v + 12*(x/60)%40), uint8(v/2 + y%90/30), 255})
		}
	}
	return img
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rows returns all samples of a file.
func rows(file []byte) ([]byte, error) {
	p, err := New(bytes.NewReader(file), 1<<28)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var out []byte
	for {
		row, err := p.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, row...)
	}
}

// samples returns what rows should, from the picture that image/png decodes;
// false for files that it converts.
func samples(m image.Image) ([]byte, bool) {
	var out []byte
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	copyPixels := func(pix []byte, stride, from, to int) ([]byte, bool) {
		for y := range h {
			for x := range w {
				out = append(out, pix[y*stride+x*from:][:to]...)
			}
		}
		return out, true
	}
	switch p := m.(type) {
	case *image.Gray:
		return copyPixels(p.Pix, p.Stride, 1, 1)
	case *image.Gray16:
		return copyPixels(p.Pix, p.Stride, 2, 2)
	case *image.Paletted:
		return copyPixels(p.Pix, p.Stride, 1, 1)
	case *image.RGBA: // files without alpha
		return copyPixels(p.Pix, p.Stride, 4, 3)
	case *image.RGBA64:
		return copyPixels(p.Pix, p.Stride, 8, 6)
	}
	return nil, false
}

// What encoders make of real pictures, through memory that is used again.
func TestPicturesAsDecoded(t *testing.T) {
	for _, size := range [][2]int{{700, 300}, {1, 1}, {2, 3}, {131, 67}} {
		file := encodePNG(t, scene(size[0], size[1]))
		img, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		want, _ := samples(img)
		if got, err := rows(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: the samples differ (%v)", size, err)
		}
	}
}

// Every filter against its definition (PNG specification, 9.2), on rows of noise
// and on rows like a label's: few differences, runs of one pixel above.
func TestFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for trial := range 40 {
		for _, bpp := range []int{1, 2, 3, 4, 6, 8} {
			row, above := make([]byte, 53*bpp), make([]byte, 53*bpp)
			for i := range row {
				row[i], above[i] = byte(r.Uint32()), byte(r.Uint32())
				if trial%2 == 0 {
					continue
				}
				if r.IntN(20) > 0 {
					row[i] = 0
				}
				if i >= bpp && r.IntN(20) > 0 {
					above[i] = above[i-bpp]
				}
			}
			for filter := byte(0); filter <= 4; filter++ {
				got, want := bytes.Clone(row), unfiltered(filter, row, above, bpp)
				if err := undo(filter, got, above, bpp); err != nil || !bytes.Equal(got, want) {
					t.Errorf("filter %d, %d bytes a pixel: wrong (%v)", filter, bpp, err)
				}
			}
		}
	}
}

// unfiltered undoes a filter byte by byte.
func unfiltered(filter byte, row, above []byte, bpp int) []byte {
	row = bytes.Clone(row)
	for i := range row {
		var a, c int
		b := int(above[i])
		if i >= bpp {
			a, c = int(row[i-bpp]), int(above[i-bpp])
		}
		row[i] += [5]uint8{0, uint8(a), uint8(b), uint8((a + b) / 2), paethByDefinition(a, b, c)}[filter]
	}
	return row
}

func paethByDefinition(a, b, c int) uint8 {
	distance := func(x int) int { return max(a+b-c-x, x-a-b+c) }
	switch pa, pb, pc := distance(a), distance(b), distance(c); {
	case pa <= pb && pa <= pc:
		return uint8(a)
	case pb <= pc:
		return uint8(b)
	}
	return uint8(c)
}

func TestPredict(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			for c := range 256 {
				if got, want := uint8(predict(a, b, c)), paethByDefinition(a, b, c); got != want {
					t.Fatalf("predict(%d, %d, %d) = %d, want %d", a, b, c, got, want)
				}
			}
		}
	}
}

// recheck makes the checksum of the chunk at that offset right.
func recheck(file []byte, at int) []byte {
	n := int(binary.BigEndian.Uint32(file[at:]))
	binary.BigEndian.PutUint32(file[at+8+n:], crc32.ChecksumIEEE(file[at+4:at+8+n]))
	return file
}

// Errors tell what is wrong.
func TestMessages(t *testing.T) {
	good := encodePNG(t, scene(60, 40))
	idat := bytes.Index(good, []byte("IDAT")) - 4
	change := func(at int, to ...byte) []byte {
		file := bytes.Clone(good)
		copy(file[at:], to)
		return file
	}
	tests := map[string]struct {
		file []byte
		want string
	}{
		"empty":         {nil, "not a PNG file"},
		"JPEG":          {[]byte("\xff\xd8\xff\xe0 and so on"), "not a PNG file"},
		"half the data": {good[:len(good)/2], "ends too early"},
		"no end":        {good[:len(good)-12], "ends too early"},
		"flipped bit":   {change(idat+60, good[idat+60]^4), `wrong checksum of chunk "IDAT"`},
		"more rows":     {recheck(change(20, 0, 0, 0, 41), 8), "too few pixels"},
		"fewer rows":    {recheck(change(20, 0, 0, 0, 39), 8), "too many pixels"},
		"large":         {recheck(change(16, 0, 0, 0x40, 0, 0, 0, 0x40, 0), 8), "too few pixels"},
		"huge":          {recheck(change(16, 0, 1, 0, 0, 0, 1, 0, 0), 8), "claims 65536×65536 pixels"},
		"no zlib":       {recheck(change(idat+8, 0x79), idat), "damaged"},
		"no deflate":    {recheck(change(idat+10, 0xff), idat), "damaged"},
	}
	for name, test := range tests {
		if _, err := rows(test.file); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

// FuzzRows holds the reader against image/png, on files whose chunks have the
// right checksums and begin with the header: both read a file, to the same
// samples, or neither does.
func FuzzRows(f *testing.F) {
	for _, h := range kinds() {
		h.W, h.H = 7, 9
		f.Add(encode(rand.New(rand.NewPCG(7, 8)), h), 30, byte(1))
	}
	f.Add(encodePNG(f, scene(90, 20)), 100, byte(4))
	for _, file := range misplacedChunks() {
		f.Add(file, 0, byte(0))
	}
	f.Fuzz(func(t *testing.T, file []byte, at int, flip byte) {
		file = bytes.Clone(file)
		if len(file) > 0 {
			file[uint(at)%uint(len(file))] ^= flip
		}
		for i := 8; i+12 <= len(file); {
			n := int(binary.BigEndian.Uint32(file[i:]))
			if n > len(file)-12-i {
				break
			}
			recheck(file, i)
			i += 12 + n
		}
		if len(file) < 16 || string(file[12:16]) != "IHDR" { // image/png passes over chunks before the header
			return
		}
		head, err := png.DecodeConfig(bytes.NewReader(file))
		if err != nil || head.Width > 1<<12 || head.Height > 1<<12 {
			return
		}
		verified := accepts(file, true)
		if errors.Is(verified, ErrInterlaced) {
			return
		}
		img, wantErr := png.Decode(bytes.NewReader(file))
		if (verified == nil) != (wantErr == nil) {
			t.Fatalf("error %v, the standard library's is %v", verified, wantErr)
		}
		got, err := rows(file)
		if err != nil && wantErr == nil {
			t.Fatalf("not read: %v", err)
		}
		if err != nil || wantErr != nil { // rows does not compare the checksum of the pixels
			return
		}
		if want, ok := samples(img); ok && file[24] >= 8 && file[25]&4 == 0 && !bytes.Equal(got, want) {
			t.Error("the samples differ")
		}
	})
}

// BenchmarkRows reads files of 1914×1052: a picture made here and, with
// T2SDA_REAL_DATA, a photograph.
func BenchmarkRows(b *testing.B) {
	files := map[string][]byte{"made": encodePNG(b, scene(1914, 1052))}
	if root := os.Getenv("T2SDA_REAL_DATA"); root != "" {
		file, err := os.ReadFile(filepath.Join(root, "samples/fda/source.png"))
		if err != nil {
			b.Fatal(err)
		}
		files["photograph"] = file
	}
	for name, file := range files {
		b.Run(name+"/pngrows", func(b *testing.B) {
			for b.Loop() {
				p, err := New(bytes.NewReader(file), 1<<28)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = p.Next()
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				p.Close()
			}
		})
		b.Run(name+"/image_png", func(b *testing.B) {
			for b.Loop() {
				if _, err := png.Decode(bytes.NewReader(file)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
