package pngrows

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"testing"
)

const plenty = 1 << 20

func appendChunk(b []byte, kind string, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	from := len(b)
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[from:]))
}

// encode makes a file of random samples whose rows use all five filters, in
// pixel chunks of 100 bytes. The filtered bytes are random: so are the samples.
func encode(r *rand.Rand, h Header) []byte {
	header := binary.BigEndian.AppendUint32(nil, uint32(h.W))
	header = binary.BigEndian.AppendUint32(header, uint32(h.H))
	b := appendChunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", append(header, byte(h.Depth), byte(h.ColorType), 0, 0, 0))
	b = appendChunk(b, "tEXt", []byte("Comment\x00nothing"))
	if h.ColorType == Palette {
		palette := make([]byte, 3<<h.Depth)
		for i := range palette {
			palette[i] = byte(r.Uint32())
		}
		b = appendChunk(b, "PLTE", palette)
		b = appendChunk(b, "tRNS", []byte{7})
	}
	var pixels bytes.Buffer
	z := zlib.NewWriter(&pixels)
	for y := range h.H {
		row := make([]byte, 1+h.rowBytes())
		for i := range row {
			row[i] = byte(r.Uint32() & r.Uint32()) // bytes that repeat, to be compressed
		}
		row[0] = byte(y % 5)
		z.Write(row)
	}
	z.Close()
	for data := pixels.Bytes(); len(data) > 0; {
		n := min(100, len(data))
		b = appendChunk(b, "IDAT", data[:n])
		data = data[n:]
	}
	return appendChunk(b, "IEND", nil)
}

func kinds() []Header {
	var all []Header
	for _, kind := range []int{Gray, RGB, Palette, GrayAlpha, RGBA} {
		for _, depth := range []int{1, 2, 4, 8, 16} {
			if h := (Header{W: 37, H: 23, Depth: depth, ColorType: kind}); h.valid() {
				all = append(all, h)
			}
		}
	}
	return all
}

// sample returns sample k of pixel x in a packed row.
func sample(h Header, row []byte, x, k int) int {
	i := x*h.Samples() + k
	switch h.Depth {
	case 16:
		return int(binary.BigEndian.Uint16(row[2*i:]))
	case 8:
		return int(row[i])
	}
	per := 8 / h.Depth
	return int(row[i/per]) >> (8 - h.Depth*(i%per+1)) & (1<<h.Depth - 1)
}

// want returns the same sample as the standard library decodes it.
func want(h Header, img image.Image, x, y, k int) int {
	at := image.Pt(x, y)
	switch p := img.(type) {
	case *image.Paletted:
		return int(p.ColorIndexAt(x, y))
	case *image.Gray:
		return int(p.GrayAt(at.X, at.Y).Y) / (255 / (1<<h.Depth - 1))
	case *image.Gray16:
		return int(p.Gray16At(x, y).Y)
	case *image.RGBA:
		return int(p.Pix[p.PixOffset(x, y)+k])
	case *image.NRGBA:
		if h.ColorType == GrayAlpha {
			k *= 3
		}
		return int(p.Pix[p.PixOffset(x, y)+k])
	case *image.RGBA64:
		return int(binary.BigEndian.Uint16(p.Pix[p.PixOffset(x, y)+2*k:]))
	case *image.NRGBA64:
		if h.ColorType == GrayAlpha {
			k *= 3
		}
		return int(binary.BigEndian.Uint16(p.Pix[p.PixOffset(x, y)+2*k:]))
	}
	panic(fmt.Sprintf("%T", img))
}

// The standard library decodes the same samples, for every kind of file.
func TestRowsAsDecoded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, h := range kinds() {
		t.Run(fmt.Sprintf("type %d, %d bits", h.ColorType, h.Depth), func(t *testing.T) {
			data := encode(r, h)
			img, err := png.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			p, err := New(bytes.NewReader(data), plenty)
			if err != nil {
				t.Fatal(err)
			}
			if p.Header() != h || (h.ColorType == Palette) != (len(p.Palette()) == 1<<h.Depth) {
				t.Errorf("header %+v, %d colours; want %+v", p.Header(), len(p.Palette()), h)
			}
			for y := range h.H {
				row, err := p.Next()
				if err != nil {
					t.Fatal(err)
				}
				for x := range h.W {
					for k := range h.Samples() {
						if have, want := sample(h, row, x, k), want(h, img, x, y, k); have != want {
							t.Fatalf("row %d, pixel %d, sample %d: %d, want %d", y, x, k, have, want)
						}
					}
				}
			}
			if _, err := p.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("after the last row: %v", err)
			}
		})
	}
}

// accepts tells whether a reader finds nothing wrong.
func accepts(data []byte, verify bool) error {
	p, err := New(bytes.NewReader(data), plenty)
	if err != nil {
		return err
	}
	if verify {
		return p.Verify()
	}
	for {
		switch _, err := p.Next(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Files cut anywhere and files with any byte changed are refused exactly when
// the standard library refuses them.
func TestDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	check := func(what string, data []byte) {
		t.Helper()
		_, want := png.Decode(bytes.NewReader(data))
		for _, verify := range []bool{false, true} {
			have := accepts(data, verify)
			if (have == nil) != (want == nil) {
				t.Errorf("%s, verify %v: %v; the standard library says %v", what, verify, have, want)
			}
			if errors.Is(have, io.EOF) && !errors.Is(have, io.ErrUnexpectedEOF) {
				t.Errorf("%s: a bare EOF", what)
			}
		}
	}
	for _, h := range []Header{{W: 9, H: 7, Depth: 8, ColorType: Palette}, {W: 9, H: 7, Depth: 16, ColorType: RGB}} {
		data := encode(r, h)
		check("whole", data)
		for n := range data {
			check(fmt.Sprintf("cut at %d of %d", n, len(data)), data[:n])
			damaged := bytes.Clone(data)
			damaged[n] ^= 1 << r.IntN(8)
			check(fmt.Sprintf("byte %d changed", n), damaged)
		}
	}
}

// Damage that checksums do not show.
func TestMalformed(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	head := func(w, h uint32, rest ...byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, w)
		return appendChunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", append(binary.BigEndian.AppendUint32(b, h), rest...))
	}
	rows := func(rows ...string) []byte {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		for _, row := range rows {
			io.WriteString(z, row)
		}
		z.Close()
		return b.Bytes()
	}
	gray := head(2, 2, 8, Gray, 0, 0, 0)
	tests := map[string][]byte{
		"no PNG":            []byte("<html>404 not found</html>"),
		"huge":              head(1<<20, 1<<20, 8, Gray, 0, 0, 0),
		"no width":          head(0, 2, 8, Gray, 0, 0, 0),
		"depth":             head(2, 2, 3, Gray, 0, 0, 0),
		"kind":              head(2, 2, 8, 5, 0, 0, 0),
		"interlace":         head(2, 2, 8, Gray, 0, 0, 2),
		"no pixels":         appendChunk(gray, "IEND", nil),
		"two headers":       append(gray, gray[8:]...),
		"header first":      appendChunk([]byte("\x89PNG\r\n\x1a\n"), "tEXt", nil),
		"too few rows":      appendChunk(appendChunk(gray, "IDAT", rows("\x00ab")), "IEND", nil),
		"too many rows":     appendChunk(appendChunk(gray, "IDAT", rows("\x00ab", "\x00ab", "\x00ab")), "IEND", nil),
		"filter":            appendChunk(appendChunk(gray, "IDAT", rows("\x00ab", "\x07ab")), "IEND", nil),
		"no end":            appendChunk(gray, "IDAT", rows("\x00ab", "\x00ab")),
		"palette of gray":   appendChunk(appendChunk(appendChunk(gray, "PLTE", []byte{1, 2, 3}), "IDAT", rows("\x00ab", "\x00ab")), "IEND", nil),
		"no palette":        appendChunk(appendChunk(head(2, 2, 8, Palette, 0, 0, 0), "IDAT", rows("\x00ab", "\x00ab")), "IEND", nil),
		"transparency":      appendChunk(appendChunk(appendChunk(gray, "tRNS", []byte{1}), "IDAT", rows("\x00ab", "\x00ab")), "IEND", nil),
		"late transparency": appendChunk(appendChunk(appendChunk(gray, "IDAT", rows("\x00ab", "\x00ab")), "tRNS", []byte{1, 1}), "IEND", nil),
	}
	for name, data := range tests {
		if _, err := png.Decode(bytes.NewReader(data)); err == nil && name != "huge" {
			t.Errorf("%s: the standard library reads it", name)
		}
		for _, verify := range []bool{false, true} {
			if accepts(data, verify) == nil {
				t.Errorf("%s: accepted (verify %v)", name, verify)
			}
		}
	}
	if _, err := New(bytes.NewReader(head(2, 2, 8, Gray, 0, 0, 1)), plenty); !errors.Is(err, ErrInterlaced) {
		t.Errorf("interlaced: %v", err)
	}
	// What the standard library lets pass, passes.
	whole := encode(r, Header{W: 4, H: 4, Depth: 8, ColorType: RGB})
	trailing := appendChunk(appendChunk(whole[:len(whole)-12], "tIME", []byte{1, 2, 3}), "IEND", nil)
	if err := accepts(trailing, true); err != nil {
		t.Errorf("a chunk after the pixels: %v", err)
	}
	if err := accepts(appendChunk(appendChunk(gray, "IDAT", append(rows("\x00ab", "\x00ab"), 1, 2, 3)), "IEND", nil), true); err != nil {
		t.Errorf("bytes after the pixels: %v", err)
	}
}

// misplacedChunks are files of 2×2 pixels whose chunks come in an order, or in a
// number, that the specification forbids.
func misplacedChunks() map[string][]byte {
	gray := []byte{0, 0, 0, 2, 0, 0, 0, 2, 8, Gray, 0, 0, 0}
	header := func(kind byte) []byte {
		b := bytes.Clone(gray)
		b[9] = kind
		return b
	}
	pixels := func(rowBytes int) []byte {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		z.Write(make([]byte, 2*(1+rowBytes)))
		z.Close()
		return b.Bytes()
	}
	type part struct {
		kind string
		data []byte
	}
	palette, one := part{"PLTE", []byte{1, 2, 3}}, part{"tRNS", []byte{7}}
	one16, three16 := part{"tRNS", make([]byte, 2)}, part{"tRNS", make([]byte, 6)}
	text, none := part{"tEXt", []byte("a\x00b")}, part{"IDAT", nil}
	gray1, rgb := part{"IDAT", pixels(2)}, part{"IDAT", pixels(6)}
	files := map[string][]byte{}
	add := func(name string, kind byte, parts ...part) {
		b := appendChunk([]byte(signature), "IHDR", header(kind))
		for _, p := range parts {
			b = appendChunk(b, p.kind, p.data)
		}
		files[name] = appendChunk(b, "IEND", nil)
	}
	add("two palettes", Palette, palette, palette, gray1)
	add("two suggested palettes", RGB, palette, palette, rgb)
	add("palette after transparency", RGB, three16, palette, rgb)
	add("two transparencies", Palette, palette, one, one, gray1)
	add("two gray transparencies", Gray, one16, one16, gray1)
	add("transparency before the palette", Palette, one, palette, gray1)
	add("palette after empty pixels", RGB, none, palette, rgb)
	add("pixels after empty pixels and text", RGB, none, text, rgb)
	add("two headers", RGB, part{"IHDR", header(RGB)}, rgb)
	return files
}

func TestMisplacedChunks(t *testing.T) {
	for name, file := range misplacedChunks() {
		if _, err := png.Decode(bytes.NewReader(file)); err == nil {
			t.Errorf("%s: the standard library reads it", name)
		}
		if accepts(file, false) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
