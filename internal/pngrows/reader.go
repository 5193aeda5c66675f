// Package pngrows reads PNG files row by row. It is for work that needs every
// byte once and the picture never: counting the ids in a label file, or finding
// out whether a file is whole. Nothing but two rows is held in memory.
package pngrows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zlib" // inflates photographs in 70 % of the standard library's time
)

// Colour types of the PNG specification (table 11.1).
const (
	Gray      = 0
	RGB       = 2
	Palette   = 3
	GrayAlpha = 4
	RGBA      = 6
)

// ErrInterlaced is what [New] returns for files that hold their rows in seven
// passes: they cannot be read in order.
var ErrInterlaced = errors.New("png: interlaced")

// Header is what a file says of its pixels.
type Header struct {
	W, H      int
	Depth     int // bits per sample: 1, 2, 4, 8 or 16
	ColorType int // Gray, RGB, Palette, GrayAlpha or RGBA
}

// Samples returns the number of samples per pixel.
func (h Header) Samples() int {
	switch h.ColorType {
	case RGB:
		return 3
	case GrayAlpha:
		return 2
	case RGBA:
		return 4
	}
	return 1
}

// rowBytes returns the length of a row without its filter byte.
func (h Header) rowBytes() int { return (h.W*h.Samples()*h.Depth + 7) / 8 }

// valid accepts the combinations of table 11.1.
func (h Header) valid() bool {
	switch h.ColorType {
	case Gray:
		return h.Depth == 1 || h.Depth == 2 || h.Depth == 4 || h.Depth == 8 || h.Depth == 16
	case Palette:
		return h.Depth == 1 || h.Depth == 2 || h.Depth == 4 || h.Depth == 8
	case RGB, GrayAlpha, RGBA:
		return h.Depth == 8 || h.Depth == 16
	}
	return false
}

// Reader yields the rows of one file.
type Reader struct {
	header   Header
	palette  [][3]uint8
	chunks   chunkReader
	inflate  io.ReadCloser
	row      []byte // filter byte and samples
	previous []byte // likewise, of the row above
	y        int
}

// New reads a file up to its pixels. maxPixels bounds what a header may claim
// before memory is taken for it. Errors are the package's or those of r; the
// caller names the file.
func New(r io.Reader, maxPixels int) (*Reader, error) {
	p := &Reader{chunks: chunkReader{r: r}}
	if err := p.readHead(maxPixels); err != nil {
		return nil, unexpected(err)
	}
	inflate, err := zlib.NewReader(&p.chunks)
	if err != nil {
		return nil, unexpected(err)
	}
	p.inflate = inflate
	n := 1 + p.header.rowBytes()
	p.row, p.previous = make([]byte, n), make([]byte, n)
	return p, nil
}

// Header returns the size and kind of the pixels.
func (p *Reader) Header() Header { return p.header }

// Palette returns the colours of a palette file; nil for the other kinds.
func (p *Reader) Palette() [][3]uint8 { return p.palette }

// Next returns the next row's samples as the file packs them: high bits first
// below 8 bits, big-endian above. They are valid until the next call. After the
// last row it returns io.EOF if the file ends as it should: checksums right, no
// pixels too many, and an end mark.
func (p *Reader) Next() ([]byte, error) {
	if err := p.read(); err != nil {
		return nil, err
	}
	if err := undo(p.row, p.previous, max(1, p.header.Samples()*p.header.Depth/8)); err != nil {
		return nil, err
	}
	p.row, p.previous = p.previous, p.row
	return p.previous[1:], nil
}

// Verify reads the rest of the file and returns nil if it is whole: what Next
// would find, for less, as no filter is undone.
func (p *Reader) Verify() error {
	for {
		switch err := p.read(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case p.row[0] > filterPaeth:
			return errFilter
		}
	}
}

// read inflates a row, or checks the end of the file after the last one.
func (p *Reader) read() error {
	if p.y == p.header.H {
		if err := p.readTail(); err != nil {
			return unexpected(err)
		}
		return io.EOF
	}
	p.y++
	if _, err := io.ReadFull(p.inflate, p.row); err != nil {
		return unexpected(err)
	}
	return nil
}

// readHead reads the signature and the chunks before the pixels.
func (p *Reader) readHead(maxPixels int) error {
	var signature [8]byte
	if _, err := io.ReadFull(p.chunks.r, signature[:]); err != nil {
		return err
	}
	if string(signature[:]) != "\x89PNG\r\n\x1a\n" {
		return errors.New("png: not a PNG file")
	}
	for first := true; ; first = false {
		kind, err := p.chunks.begin()
		if err != nil {
			return err
		}
		if first != (kind == "IHDR") {
			return errors.New("png: the header is not the first chunk, or there are two")
		}
		switch kind {
		case "IHDR":
			err = p.readHeader(maxPixels)
		case "PLTE":
			err = p.readPalette()
		case "tRNS":
			err = p.checkTransparency()
		case "IDAT":
			if p.header.ColorType == Palette && p.palette == nil {
				return errors.New("png: no palette")
			}
			return nil
		case "IEND":
			return errors.New("png: no pixels")
		default:
			err = p.chunks.skip()
		}
		if err != nil {
			return err
		}
	}
}

func (p *Reader) readHeader(maxPixels int) error {
	b, err := p.chunks.all(13)
	if err != nil {
		return err
	}
	w, h := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	p.header = Header{W: int(w), H: int(h), Depth: int(b[8]), ColorType: int(b[9])}
	switch {
	case w == 0 || h == 0 || int64(w) > int64(maxPixels)/int64(h):
		return fmt.Errorf("png: the header claims %d×%d pixels", w, h)
	case !p.header.valid() || b[10] != 0 || b[11] != 0:
		return fmt.Errorf("png: unsupported: depth %d, colour type %d, compression %d, filter %d", b[8], b[9], b[10], b[11])
	case b[12] == 1:
		return ErrInterlaced
	case b[12] != 0:
		return fmt.Errorf("png: unsupported: interlace method %d", b[12])
	}
	return nil
}

func (p *Reader) readPalette() error {
	n, kind := p.chunks.left, p.header.ColorType
	if p.palette != nil || n == 0 || n%3 != 0 || n > 3*min(256, 1<<p.header.Depth) || kind == Gray || kind == GrayAlpha {
		return errors.New("png: bad palette")
	}
	b, err := p.chunks.all(n)
	if err != nil || kind != Palette { // elsewhere it is a suggestion for small screens
		return err
	}
	for i := 0; i < len(b); i += 3 {
		p.palette = append(p.palette, [3]uint8(b[i:i+3]))
	}
	return nil
}

// checkTransparency skips a chunk that makes a colour transparent: ids and
// whether a file is whole do not depend on it.
func (p *Reader) checkTransparency() error {
	n, ok := p.chunks.left, false
	switch p.header.ColorType {
	case Gray:
		ok = n == 2
	case RGB:
		ok = n == 6
	case Palette:
		ok = p.palette != nil && n <= 256
	}
	if !ok {
		return errors.New("png: bad transparency")
	}
	return p.chunks.skip()
}

// readTail checks that the pixels end where they should and reads the chunks up
// to the end mark.
func (p *Reader) readTail() error {
	var b [1]byte
	if n, err := io.ReadFull(p.inflate, b[:]); n > 0 {
		return errors.New("png: too many pixels")
	} else if !errors.Is(err, io.EOF) { // a checksum
		return err
	}
	if p.chunks.left > 0 {
		return errors.New("png: too many pixels")
	}
	if err := p.chunks.end(); err != nil {
		return err
	}
	for {
		kind, err := p.chunks.begin()
		if err != nil {
			return err
		}
		if kind == "IHDR" || kind == "PLTE" || kind == "tRNS" || kind == "IEND" && p.chunks.left > 0 {
			return errors.New("png: chunk out of order")
		}
		if err := p.chunks.skip(); err != nil || kind == "IEND" {
			return err
		}
	}
}

// unexpected tells a file that ends too early from one that ends.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunkReader walks through a file's chunks and checks their checksums. As an
// io.Reader it joins the pixels' chunks into one stream.
type chunkReader struct {
	r    io.Reader
	left int // of the chunk that begin began
	crc  uint32
	buf  bytes.Buffer
}

// begin reads a chunk's length and kind.
func (c *chunkReader) begin() (kind string, err error) {
	var b [8]byte
	if _, err := io.ReadFull(c.r, b[:]); err != nil {
		return "", err
	}
	n := binary.BigEndian.Uint32(b[:])
	if n > 1<<31-1 {
		return "", fmt.Errorf("png: a chunk claims %d bytes", n)
	}
	c.left, c.crc = int(n), crc32.ChecksumIEEE(b[4:])
	return string(b[4:]), nil
}

// end compares the checksum.
func (c *chunkReader) end() error {
	var b [4]byte
	if _, err := io.ReadFull(c.r, b[:]); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(b[:]) != c.crc {
		return errors.New("png: a chunk's checksum is wrong")
	}
	return nil
}

// all reads the whole chunk, which must have n bytes, and its checksum. The
// bytes are valid until the next call.
func (c *chunkReader) all(n int) ([]byte, error) {
	if c.left != n {
		return nil, fmt.Errorf("png: a chunk of %d bytes has %d", n, c.left)
	}
	c.buf.Reset()
	if _, err := io.CopyN(&c.buf, c.r, int64(n)); err != nil {
		return nil, err
	}
	c.crc = crc32.Update(c.crc, crc32.IEEETable, c.buf.Bytes())
	return c.buf.Bytes(), c.end()
}

// skip reads the rest of the chunk and its checksum.
func (c *chunkReader) skip() error {
	var b [4096]byte
	for c.left > 0 {
		n, err := io.ReadFull(c.r, b[:min(c.left, len(b))])
		if err != nil {
			return err
		}
		c.crc = crc32.Update(c.crc, crc32.IEEETable, b[:n])
		c.left -= n
	}
	return c.end()
}

// Read yields the bytes of this chunk and of the pixel chunks that follow.
func (c *chunkReader) Read(b []byte) (int, error) {
	for c.left == 0 {
		if err := c.end(); err != nil {
			return 0, err
		}
		kind, err := c.begin()
		if err != nil {
			return 0, err
		}
		if kind != "IDAT" {
			return 0, errors.New("png: too few pixels")
		}
	}
	n, err := c.r.Read(b[:min(len(b), c.left)])
	c.crc = crc32.Update(c.crc, crc32.IEEETable, b[:n])
	c.left -= n
	return n, err
}
