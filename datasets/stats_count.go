package datasets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"t2sda/internal/pngrows"
	"t2sda/internal/raster"
)

// rawCount holds how many pixels of a label file have which id, as the file
// holds it.
type rawCount struct {
	w, h   int
	kind   string  // of file, e.g. "8-bit palette PNG"
	pixels []int64 // per id; 256 or 65536 long
}

// countRaw counts the ids of a label file without ever holding its picture:
// rows are restored, counted and forgotten. Files that the fast way cannot read
// or finds at fault go through the decoder, whose errors name what is wrong.
func countRaw(name string, channel int) (rawCount, error) {
	n, err := countRows(name, channel)
	if err == nil {
		return n, nil
	}
	l, err := decodeLabels(name, identity(), channel)
	if err != nil {
		return rawCount{}, err
	}
	counts := histogram(l, image.Rect(0, 0, l.W, l.H))
	return rawCount{w: l.W, h: l.H, kind: "interlaced PNG", pixels: counts[:]}, nil
}

// identity is a label map that leaves 8-bit ids as they are.
func identity() *LabelMap {
	m := &LabelMap{name: "of 8-bit ids", table: make([]int16, 256)}
	for id := range m.table {
		m.table[id] = int16(id)
	}
	return m
}

// errUncounted sends a file through the decoder.
var errUncounted = errors.New("not for counting by rows")

func countRows(name string, channel int) (rawCount, error) {
	p, err := pngrows.Open(name, maxPixels)
	if err != nil {
		return rawCount{}, err
	}
	defer p.Close()
	h := p.Header()
	count, size := rowCounter(h, channel)
	if count == nil {
		return rawCount{}, errUncounted
	}
	n := rawCount{w: h.W, h: h.H, kind: pngKind(h), pixels: make([]int64, size)}
	for {
		row, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return rawCount{}, err
		}
		count(n.pixels, row)
	}
	if h.ColorType == pngrows.Palette && channel != noChannel {
		return n, n.fromPalette(p.Palette(), channel)
	}
	return n, nil
}

// fromPalette turns counts of indices into counts of a channel of their
// colours: a colour file that was made smaller.
func (n *rawCount) fromPalette(palette [][3]uint8, channel int) error {
	pixels := make([]int64, len(n.pixels))
	for index, count := range n.pixels {
		if count == 0 {
			continue
		}
		if index >= len(palette) {
			return errUncounted
		}
		pixels[palette[index][channel]] += count
	}
	n.pixels = pixels
	return nil
}

// rowCounter returns what counts a packed row's ids, and how many there can be;
// nil for colours without a channel that holds ids.
func rowCounter(h pngrows.Header, channel int) (count func(n []int64, row []byte), ids int) {
	step, offset := h.Samples(), 0
	if h.ColorType == pngrows.RGB || h.ColorType == pngrows.RGBA {
		if channel == noChannel {
			return nil, 0
		}
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

// pngKind describes a file's pixels.
func pngKind(h pngrows.Header) string {
	name := map[int]string{
		pngrows.Gray: "gray", pngrows.RGB: "colour", pngrows.Palette: "palette",
		pngrows.GrayAlpha: "gray and alpha", pngrows.RGBA: "colour and alpha",
	}[h.ColorType]
	return fmt.Sprintf("%d-bit %s PNG", h.Depth, name)
}

// countFile counts the classes of image i's label. Sizes that differ would stop
// a run only when the pair is drawn, maybe hours later: they are found here.
func (d *Dataset) countFile(i int) (FileStats, error) {
	name := d.items[i].Label
	n, err := countRaw(name, d.channel)
	if err != nil {
		return FileStats{}, err
	}
	w, h, err := imageSize(d.items[i].Image)
	if err == nil {
		err = d.sameSize(i, w, h, n.w, n.h)
	}
	if err != nil {
		return FileStats{}, err
	}
	f := FileStats{ID: d.items[i].ID, W: n.w, H: n.h, Pixels: make([]int64, len(d.labels.space.Classes))}
	for raw, count := range n.pixels {
		if count == 0 {
			continue
		}
		switch id, ok := d.labels.TrainID(raw); {
		case !ok:
			if _, err := decodeLabels(name, d.labels, d.channel); err != nil { // knows where the id is
				return FileStats{}, err
			}
			return FileStats{}, fmt.Errorf("datasets: label %s: id %d is not in label map %s", name, raw, d.labels.name)
		case id == raster.Void:
			f.Void += count
		default:
			f.Pixels[id] += count
		}
	}
	return f, nil
}
