package jpegrows

import (
	"encoding/binary"
	"fmt"
)

// component is one of a picture's planes. Its blocks fill whole units of the
// interleaved scans (T.81, A.2.3); w×rows samples of them are real.
type component struct {
	id      byte
	h, v    int // sampling factors
	table   int // of quantisation
	w, rows int // samples

	realX, realY     int // blocks that hold samples, in a row and in a column
	blocksX, blocksY int // blocks of whole units
	pix              []byte
	stride           int
	quant            *[64]int32  // natural order; nil before the first scan
	coeffs           [][64]int16 // of progressive files, natural order
	brought          [64]uint16  // the bits of each coefficient that scans have brought, in the file's order

	seen         bool     // by a scan
	dcTab, acTab *huffman // of the present one
	lastDC       int32
}

// decoder holds what the segments of a file have said so far.
type decoder struct {
	bits
	frame
	quants   [4]*[64]int32
	dc, ac   [4]*huffman
	interval int // units between restarts; 0: none
	jfif     bool
	adobe    int // colour transform; -1: the file does not say
	eobRun   int
}

// Decode reads a file whose frame header was read and found fit by [ReadHeader].
// Files that end too early or contradict themselves are errors.
func Decode(data []byte) (*Picture, error) {
	d := &decoder{bits: bits{data: data}, adobe: -1}
	if len(data) < 2 || data[0] != 0xff || data[1] != markSOI {
		return nil, malformed("not a JPEG file")
	}
	d.at = 2
	for {
		mark, err := nextMarker(d)
		switch {
		case err != nil && d.whole(): // cameras that leave out the last marker
			return d.finish(), nil
		case err != nil:
			return nil, err
		case mark == markEOI:
			if !d.begun() {
				return nil, malformed("it has no pixels")
			}
			return d.finish(), nil
		case mark >= markRST0 && mark <= markSOI, mark == 1:
			continue // without a length: left over
		}
		if err := d.segment(mark); err != nil {
			return nil, err
		}
	}
}

// ReadByte lets the decoder be read from between scans.
func (d *decoder) ReadByte() (byte, error) {
	if d.at >= len(d.data) {
		return 0, errEnd
	}
	d.at++
	return d.data[d.at-1], nil
}

// begun reports whether each component has been in a scan.
func (d *decoder) begun() bool {
	for _, c := range d.comps {
		if !c.seen {
			return false
		}
	}
	return len(d.comps) > 0
}

// whole reports whether nothing can follow.
func (d *decoder) whole() bool { return d.begun() && !d.progressive }

func (d *decoder) segment(mark byte) error {
	n, err := segmentLength(d)
	if err != nil {
		return err
	}
	if n > len(d.data)-d.at {
		return errEnd
	}
	b := d.data[d.at : d.at+n]
	d.at += n
	switch {
	case isFrame(mark) || mark == markLS:
		return d.setFrame(mark, b)
	case mark == markDHT:
		return d.setHuffman(b)
	case mark == markDQT:
		return d.setQuants(b)
	case mark == markSOS:
		return d.scan(b)
	case mark == markDRI && n == 2:
		d.interval = int(binary.BigEndian.Uint16(b))
	case mark == markDNL:
		return UnsupportedError("that tells its height only at its end")
	case mark == markAPP0 && n >= 5 && string(b[:5]) == "JFIF\x00":
		d.jfif = true
	case mark == markAPPE && n >= 12 && string(b[:5]) == "Adobe":
		d.adobe = int(b[11])
	}
	return nil
}

func (d *decoder) setFrame(mark byte, b []byte) error {
	if d.comps != nil {
		return malformed("a second frame")
	}
	f, err := parseFrame(mark, b)
	if err != nil {
		return err
	}
	d.frame = f
	unitsX, unitsY := ceil(f.w, 8*f.hmax), ceil(f.h, 8*f.vmax)
	for i := range d.comps {
		c := &d.comps[i]
		c.w, c.rows = ceil(f.w*c.h, f.hmax), ceil(f.h*c.v, f.vmax)
		c.realX, c.realY = ceil(c.w, 8), ceil(c.rows, 8)
		c.blocksX, c.blocksY = unitsX*c.h, unitsY*c.v
		c.stride = 8 * c.blocksX
		c.pix = make([]byte, c.stride*8*c.blocksY)
		if f.progressive {
			c.coeffs = make([][64]int16, c.blocksX*c.blocksY)
		}
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

func (d *decoder) setHuffman(b []byte) error {
	for len(b) > 0 {
		class, id, h, rest, err := parseHuffman(b)
		if err != nil {
			return err
		}
		if class == 0 {
			d.dc[id] = h
		} else {
			d.ac[id] = h
		}
		b = rest
	}
	return nil
}

// zigzag leads from the order of the file to the natural one (T.81, figure A.6).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

func (d *decoder) setQuants(b []byte) error {
	for len(b) > 0 {
		wide, id := int(b[0]>>4), b[0]&15
		b = b[1:]
		if wide > 1 || id > 3 || len(b) < 64*(1+wide) {
			return malformed("a quantisation table that contradicts itself")
		}
		q := new([64]int32)
		for i, to := range zigzag {
			if wide == 1 {
				q[to] = int32(binary.BigEndian.Uint16(b[2*i:]))
			} else {
				q[to] = int32(b[i])
			}
		}
		d.quants[id] = q
		b = b[64*(1+wide):]
	}
	return nil
}

// finish makes the planes of progressive files and returns the picture.
func (d *decoder) finish() *Picture {
	for i := range d.comps {
		c := &d.comps[i]
		for k := range c.coeffs {
			at := 8 * (k/c.blocksX*c.stride + k%c.blocksX)
			inverse(c.pix[at:], c.stride, &c.coeffs[k], c.quant)
		}
		c.coeffs = nil
	}
	return newPicture(d)
}

// selected finds the components of a scan.
func (d *decoder) selected(b []byte) ([]*component, error) {
	var comps []*component
	for i := 0; i+1 < len(b); i += 2 {
		var c *component
		for k := range d.comps {
			if d.comps[k].id == b[i] {
				c = &d.comps[k]
			}
		}
		if c == nil {
			return nil, malformed("a scan of a component that there is not")
		}
		for _, other := range comps {
			if other == c {
				return nil, malformed("a scan with a component twice")
			}
		}
		dc, ac := b[i+1]>>4, b[i+1]&15
		if dc > 3 || ac > 3 {
			return nil, malformed(fmt.Sprintf("a scan with Huffman tables %d and %d", dc, ac))
		}
		c.dcTab, c.acTab = d.dc[dc], d.ac[ac]
		if c.quant == nil { // those of the component's first scan hold
			c.quant = d.quants[c.table]
		}
		if c.quant == nil {
			return nil, malformed("a component without quantisation table")
		}
		c.lastDC, c.seen = 0, true
		comps = append(comps, c)
	}
	return comps, nil
}
