package imagefile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"t2sda/internal/jpegrows"
	"t2sda/internal/limit"
	"t2sda/internal/pngrows"
)

// Version is for the keys of what is kept of decoded files: it grows when the same
// file gives other pixels.
const Version = 3

// Format is a kind of file.
type Format string

// The formats that are read.
const (
	PNG  Format = "PNG"
	JPEG Format = "JPEG"
	TIFF Format = "TIFF"
	BMP  Format = "BMP"
	GIF  Format = "GIF"
	WebP Format = "WebP"
)

// Header is what a file says of its picture.
type Header struct {
	Format      Format
	W, H        int // upright: as people see it
	Orientation Orientation
	Depth       int    // bits per sample
	Colour      bool   // the samples are colours, neither gray nor indices of a palette
	Kind        string // for people, e.g. "8-bit palette PNG", "colour JPEG"
	Lossy       bool   // what was written into it is not what is read
}

// ReadHeader reads what a file says of its picture, and refuses what the rest of
// it cannot be. Errors name the file.
func (s Source) ReadHeader(name string) (Header, error) {
	f, h, err := s.open(name)
	if err != nil {
		return h, err
	}
	return h, f.Close()
}

// open opens a file and reads its header.
func (s Source) open(name string) (File, Header, error) {
	f, err := s(name)
	if err != nil {
		return nil, Header{}, err
	}
	h, err := fileHeader(f, name)
	if err != nil {
		f.Close()
		return nil, h, err
	}
	return f, h, nil
}

// fileHeader is [readHeader] of a file.
func fileHeader(f File, name string) (Header, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return Header{}, err
	case info.IsDir():
		return Header{}, fmt.Errorf("%s is a folder", name)
	case !info.Mode().IsRegular():
		return Header{}, fmt.Errorf("%s is not a regular file", name)
	}
	return readHeader(f, info.Size(), name)
}

// HeaderOf is [Source.ReadHeader] of what a file would hold; errors call it by name.
func HeaderOf(name string, content []byte) (Header, error) {
	return readHeader(bytes.NewReader(content), int64(len(content)), name)
}

// readHeader reads the header of size bytes.
func readHeader(f io.ReaderAt, size int64, name string) (h Header, err error) {
	if size == 0 {
		return h, fmt.Errorf("%s is an empty file", name)
	}
	h.Format, err = sniff(f, name)
	if err != nil {
		return h, err
	}
	read := map[Format]func(*Header, io.ReaderAt) error{
		PNG: readPNG, JPEG: readJPEG, TIFF: readTIFF, BMP: readBMP, GIF: readGIF, WebP: readWebP,
	}[h.Format]
	if err := read(&h, f); err != nil {
		return h, decodeError(name, h.Format, err)
	}
	if err := h.plausible(name, size); err != nil {
		return h, err
	}
	h.W, h.H = h.Orientation.Size(h.W, h.H)
	return h, nil
}

// plausible refuses sizes that nothing or not the file's own size bears out.
func (h *Header) plausible(name string, size int64) error {
	// The most pixels that a byte makes: of PNG, 1032 bytes of 1-bit pixels; of
	// JPEG, 8 blocks of 64; of GIF, 8/9 of a string of 4096; of BMP 8. A byte of the
	// others has no limit that is worth looking at.
	most := map[Format]int64{PNG: 8 * 1032, JPEG: 8 * 64, GIF: 4096, BMP: 8}[h.Format]
	beyond := limit.Check(h.W, h.H)
	switch {
	case h.W <= 0 || h.H <= 0:
		return fmt.Errorf("%s: its header claims %d×%d pixels", name, h.W, h.H)
	case most > 0 && int64(h.W)*int64(h.H)/most > size:
		return fmt.Errorf("%s: its header claims %d×%d pixels, more than %d bytes hold (truncated or damaged?)", name, h.W, h.H, size)
	case beyond != nil:
		return fmt.Errorf("%s: %w", name, beyond)
	}
	return nil
}

// whole returns a reader of the file from its beginning.
func whole(f io.ReaderAt) io.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(f, 0, 1<<62), 1<<16)
}

// take fills in what the standard library's decoders say of a file.
func (h *Header) take(c image.Config, err error) error {
	if err != nil {
		return err
	}
	h.W, h.H, h.Depth = c.Width, c.Height, 8
	what := "colour"
	switch c.ColorModel {
	case color.GrayModel:
		what = "gray"
	case color.Gray16Model:
		h.Depth, what = 16, "gray"
	case color.RGBA64Model:
		h.Depth = 16
	case color.NRGBA64Model:
		h.Depth, what = 16, "colour and alpha"
	case color.NRGBAModel, color.NYCbCrAModel:
		what = "colour and alpha"
	}
	if _, ok := c.ColorModel.(color.Palette); ok {
		what = "palette"
	}
	h.Colour = strings.HasPrefix(what, "colour")
	h.Kind = fmt.Sprintf("%d-bit %s %s", h.Depth, what, h.Format)
	return nil
}

func readJPEG(h *Header, f io.ReaderAt) error {
	head, err := jpegrows.ReadHeader(whole(f))
	if err != nil {
		return err
	}
	h.W, h.H, h.Depth, h.Colour, h.Lossy = head.W, head.H, 8, head.Components > 1, true
	h.Kind = map[int]string{1: "gray", 3: "colour", 4: "CMYK"}[head.Components] + " JPEG"
	h.Orientation = exifOrientation(head.EXIF)
	return nil
}

func readPNG(h *Header, f io.ReaderAt) error {
	// Signature, the first chunk's length and kind, width, height, depth, kind of
	// colour, compression, filter, interlacing.
	var b [29]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return fmt.Errorf("png: the file ends too early: %w", io.ErrUnexpectedEOF)
	}
	if kind := string(b[12:16]); kind != "IHDR" { // the standard decoder passes over others
		return fmt.Errorf("png: the first chunk is %q, not the header", kind)
	}
	if err := h.take(png.DecodeConfig(whole(f))); err != nil {
		return err
	}
	h.Depth = int(b[24]) // the decoder hides those below 8
	h.Colour = b[25] == pngrows.RGB || b[25] == pngrows.RGBA
	h.Kind = pngKind(h.Depth, int(b[25]))
	if b[28] != 0 {
		h.Kind = "interlaced " + h.Kind
	}
	h.Orientation = pngOrientation(f)
	return nil
}

func pngKind(depth, colorType int) string {
	what := map[int]string{
		pngrows.Gray: "gray", pngrows.RGB: "colour", pngrows.Palette: "palette",
		pngrows.GrayAlpha: "gray and alpha", pngrows.RGBA: "colour and alpha",
	}[colorType]
	return fmt.Sprintf("%d-bit %s PNG", depth, what)
}

// pngOrientation looks for a chunk of EXIF, which may stand behind the pixels.
func pngOrientation(f io.ReaderAt) Orientation {
	var head [8]byte
	for at := int64(8); ; {
		if _, err := f.ReadAt(head[:], at); err != nil {
			return Upright
		}
		n := binary.BigEndian.Uint32(head[:])
		switch string(head[4:]) {
		case "eXIf":
			return orientationOf(io.NewSectionReader(f, at+8, int64(n)))
		case "IEND":
			return Upright
		}
		at += 12 + int64(n)
	}
}

func readBMP(h *Header, f io.ReaderAt) error { return h.take(bmp.DecodeConfig(whole(f))) }

func readGIF(h *Header, f io.ReaderAt) error {
	if err := h.take(gif.DecodeConfig(whole(f))); err != nil {
		return err
	}
	h.Kind, h.Colour = "palette GIF", false // the first frame may have a palette of its own
	return nil
}

func readWebP(h *Header, f io.ReaderAt) error {
	chunks := webpChunks(f)
	if chunks["ANIM"].length > 0 {
		return errAnimated
	}
	if err := h.take(webp.DecodeConfig(whole(f))); err != nil {
		return err
	}
	kind := "lossless"
	if h.Lossy = chunks["VP8 "].length > 0; h.Lossy {
		kind = "lossy"
	}
	h.Kind, h.Colour = kind+" WebP", true
	exif := make([]byte, min(chunks["EXIF"].length, 1<<20))
	n, _ := f.ReadAt(exif, chunks["EXIF"].at)
	h.Orientation = exifOrientation(exif[:n])
	return nil
}

// chunkAt is where the contents of a chunk lie.
type chunkAt struct{ at, length int64 }

// webpChunks lists the first chunk of each kind.
func webpChunks(f io.ReaderAt) map[string]chunkAt {
	found := map[string]chunkAt{}
	var head [8]byte
	for at := int64(12); ; {
		if _, err := f.ReadAt(head[:], at); err != nil {
			return found
		}
		n := int64(binary.LittleEndian.Uint32(head[4:]))
		if _, known := found[string(head[:4])]; !known {
			found[string(head[:4])] = chunkAt{at + 8, n}
		}
		at += 8 + n + n&1
	}
}
