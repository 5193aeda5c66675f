package pngrows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const signature = "\x89PNG\r\n\x1a\n"

func isPNG(file []byte) bool {
	return len(file) >= len(signature) && string(file[:len(signature)]) == signature
}

// chunk splits the first chunk off after comparing its checksum.
func chunk(file []byte) (kind string, data, rest []byte, err error) {
	const frame = 12 // length, kind and checksum
	if len(file) < frame {
		return "", nil, nil, errEnd
	}
	n := binary.BigEndian.Uint32(file)
	if uint64(n) > uint64(len(file)-frame) {
		return "", nil, nil, errEnd
	}
	end := 8 + int(n)
	if crc32.ChecksumIEEE(file[4:end]) != binary.BigEndian.Uint32(file[end:]) {
		return "", nil, nil, fmt.Errorf("png: wrong checksum of chunk %q", file[4:8])
	}
	return string(file[4:8]), file[8:end], file[end+4:], nil
}

// readChunks takes header, palette and packed pixels from the file.
func (p *Reader) readChunks(maxPixels int) error {
	if !isPNG(p.file) {
		return ErrSignature
	}
	kind, data, rest, err := chunk(p.file[len(signature):])
	if err != nil {
		return err
	}
	if kind != "IHDR" {
		return errors.New("png: the header is not the first chunk")
	}
	if err := p.readHeader(data, maxPixels); err != nil {
		return err
	}
	for last := ""; kind != "IEND"; last = kind {
		if kind, data, rest, err = chunk(rest); err != nil {
			return err
		}
		if err := p.readChunk(kind, last, data); err != nil {
			return err
		}
	}
	return nil
}

// Stages of a file behind its header, in the order in which their chunks come.
const (
	afterHeader = iota
	afterPalette
	afterTransparency
	afterPixels
)

// readChunk takes one chunk behind the header; last is the kind of the one
// before. Pixel chunks that do not follow the first ones directly are passed
// over, as are kinds that are of no use here.
func (p *Reader) readChunk(kind, last string, data []byte) error {
	switch kind {
	case "IHDR":
		return misplaced(kind)
	case "PLTE":
		if p.stage != afterHeader {
			return misplaced(kind)
		}
		p.stage = afterPalette
		return p.readPalette(data)
	case "tRNS":
		if p.stage > afterPalette {
			return misplaced(kind)
		}
		p.stage = afterTransparency
		return p.checkTransparency(len(data))
	case "IDAT":
		if p.header.ColorType == Palette && len(p.palette) == 0 {
			return errors.New("png: no palette")
		}
		if p.stage < afterPixels || last == kind {
			p.packed = append(p.packed, data...)
		}
		p.stage = afterPixels
	case "eXIf":
		p.exif = data
	case "IEND":
		if p.stage < afterPixels {
			return errors.New("png: no pixels")
		}
	}
	return nil
}

func misplaced(kind string) error { return fmt.Errorf("png: chunk %q in the wrong place", kind) }

func (p *Reader) readHeader(b []byte, maxPixels int) error {
	if len(b) != 13 {
		return fmt.Errorf("png: a header of %d bytes", len(b))
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

func (p *Reader) readPalette(b []byte) error {
	n, kind := len(b), p.header.ColorType
	if n == 0 || n%3 != 0 || n > 3*min(256, 1<<p.header.Depth) || kind == Gray || kind == GrayAlpha {
		return errors.New("png: bad palette")
	}
	if kind != Palette { // a suggestion for small screens
		return nil
	}
	for i := 0; i < n; i += 3 {
		p.palette = append(p.palette, [3]uint8(b[i:i+3]))
	}
	return nil
}

// checkTransparency passes over a chunk that makes a colour transparent:
// nobody here asks for it.
func (p *Reader) checkTransparency(n int) error {
	ok := false
	switch p.header.ColorType {
	case Gray:
		ok = n == 2
	case RGB:
		ok = n == 6
	case Palette:
		ok = len(p.palette) > 0 && n <= 256
	}
	if !ok {
		return errors.New("png: bad transparency")
	}
	return nil
}
