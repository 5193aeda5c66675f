package datasets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"t2sda/internal/imagefile"
	"t2sda/internal/pngrows"
	"t2sda/internal/raster"
)

// rawCount holds how many pixels of a label file have which id or colour, as the
// file holds it.
type rawCount struct {
	w, h   int
	kind   string // of file, e.g. "8-bit palette PNG"
	turn   imagefile.Orientation
	pixels map[int]int64 // by id or colourNumber; none is 0
}

// maxColours is how many colours a label file may have: a picture has more.
const maxColours = 4096

// countRaw counts the ids of a label file. PNG files are counted without ever
// holding their picture: rows are restored, counted and forgotten. What the fast way
// cannot read or finds at fault is decoded, which says what is wrong.
func countRaw(src imagefile.Source, name string, channel int) (rawCount, error) {
	if n, err := countRows(src, name, channel); err == nil {
		return n, nil
	}
	raw, err := readRaw(src, name, channel)
	if err != nil {
		return rawCount{}, err
	}
	n := rawCount{w: raw.w, h: raw.h, kind: raw.kind, turn: raw.turn, pixels: map[int]int64{}}
	line := make([]int, raw.w)
	for y := range raw.h {
		raw.row(line, y)
		for _, v := range line {
			n.pixels[v]++
		}
		if n.tooMany() {
			return rawCount{}, fmt.Errorf("datasets: label %s holds more than %d colours: a picture, not labels (channel: red takes ids from the red channel)", name, maxColours)
		}
	}
	return n, nil
}

// tooMany reports whether there are more colours than labels have.
func (n *rawCount) tooMany() bool {
	if len(n.pixels) <= maxColours {
		return false
	}
	for v := range n.pixels {
		if v >= firstColour {
			return true
		}
	}
	return false
}

// errUncounted sends a file through the decoder.
var errUncounted = errors.New("not for counting by rows")

func countRows(src imagefile.Source, name string, channel int) (rawCount, error) {
	p, head, err := src.OpenPNG(name)
	if err != nil {
		return rawCount{}, err
	}
	defer p.Close()
	h := p.Header()
	n := rawCount{w: head.W, h: head.H, kind: head.Kind, turn: head.Orientation, pixels: map[int]int64{}}
	if head.Colour && channel < 0 {
		err := eachRow(p, func(row []byte) error { return n.countColours(row, h.Samples(), h.Depth/8) })
		return n, err
	}
	count, size := rowCounter(h, channel)
	ids := make([]int64, size)
	if err := eachRow(p, func(row []byte) error { count(ids, row); return nil }); err != nil {
		return rawCount{}, err
	}
	for id, pixels := range ids {
		switch {
		case pixels == 0:
			continue
		case h.ColorType == pngrows.Palette && channel != noChannel: // a colour file that was made smaller
			if id >= len(p.Palette()) {
				return rawCount{}, errUncounted
			}
			id = channelNumber(p.Palette()[id], channel)
		}
		n.pixels[id] += pixels
	}
	return n, nil
}

func eachRow(p *pngrows.Reader, do func(row []byte) error) error {
	for {
		row, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(row); err != nil {
			return err
		}
	}
}

// countColours counts a row's colours: step samples a pixel of 1 or 2 bytes.
func (n *rawCount) countColours(row []byte, step, bytes int) error {
	last, run := -1, int64(0)
	for ; len(row) >= step*bytes; row = row[step*bytes:] {
		if v := colourNumber(row[0], row[bytes], row[2*bytes]); v != last {
			if run > 0 {
				n.pixels[last] += run
			}
			last, run = v, 0
		}
		run++
	}
	n.pixels[last] += run
	if n.tooMany() {
		return errUncounted
	}
	return nil
}

// rowCounter returns what counts a packed row's ids, and how many there can be.
func rowCounter(h pngrows.Header, channel int) (count func(n []int64, row []byte), ids int) {
	step, offset := h.Samples(), 0
	if h.ColorType == pngrows.RGB || h.ColorType == pngrows.RGBA {
		offset = channel
	}
	switch {
	case h.Depth == 16:
		return func(n []int64, row []byte) { countWide(n, row, 2*step, 2*offset) }, 1 << 16
	case h.Depth < 8:
		return func(n []int64, row []byte) { countPacked(n, row, h.W, h.Depth) }, 1 << 8
	case step == 1:
		return countBytes, 1 << 8
	}
	return func(n []int64, row []byte) {
		for i := offset; i < len(row); i += step {
			n[row[i]]++
		}
	}, 1 << 8
}

// countBytes counts runs eight at a time: most neighbours in a label have one
// id, and adding 1 to the same counter each time waits for the last addition.
func countBytes(n []int64, row []byte) {
	n = n[:256]
	for len(row) >= 8 {
		v := binary.LittleEndian.Uint64(row)
		if v == v&0xff*0x0101010101010101 {
			n[uint8(v)] += 8
		} else {
			for _, id := range row[:8] {
				n[id]++
			}
		}
		row = row[8:]
	}
	for _, id := range row {
		n[id]++
	}
}

func countWide(n []int64, row []byte, step, offset int) {
	n = n[:1<<16]
	for i := offset; i+1 < len(row); i += step {
		n[binary.BigEndian.Uint16(row[i:])]++
	}
}

// countPacked counts w ids of 1, 2 or 4 bits, high bits first.
func countPacked(n []int64, row []byte, w, depth int) {
	per, mask := 8/depth, 1<<depth-1
	for x := range w {
		n[int(row[x/per])>>(8-depth*(x%per+1))&mask]++
	}
}

// countFile counts the classes of image i's label. Sizes that differ would stop
// a run only when the pair is drawn, maybe hours later: they are found here.
func (d *Dataset) countFile(src imagefile.Source, i int) (FileStats, error) {
	name := d.items[i].Label
	n, err := countRaw(src, name, d.channel)
	if err != nil {
		return FileStats{}, err
	}
	w, h, err := imageSize(src, d.items[i].Image)
	if err == nil {
		err = d.sameSize(src, i, w, h, n.w, n.h)
	}
	if err != nil {
		return FileStats{}, err
	}
	f := FileStats{ID: d.items[i].ID, W: n.w, H: n.h, Pixels: make([]int64, len(d.labels.space.Classes))}
	for raw, count := range n.pixels {
		switch id, ok := d.labels.TrainID(raw); {
		case !ok:
			if _, err := decodeLabels(src, name, d.labels, d.channel); err != nil { // knows where the id is
				return FileStats{}, err
			}
			return FileStats{}, fmt.Errorf("datasets: label %s: %s is not in label map %s", name, rawName(raw), d.labels.name)
		case id == raster.Void:
			f.Void += count
		default:
			f.Pixels[id] += count
		}
	}
	return f, nil
}
