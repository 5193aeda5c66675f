package datasets

import (
	"encoding/binary"
	"errors"
	"io"

	"t2sda/internal/imagefile"
	"t2sda/internal/pngrows"
	"t2sda/internal/raster"
)

// idMap is a decoded, mapped label file, brought to a size; shared like
// [picture].
type idMap struct {
	*raster.Labels
	w0, h0 int // size of the file
}

// errSlow sends a file through the decoder of whole pictures.
var errSlow = errors.New("not for reading by rows")

// labelRows maps a PNG file as its rows are decoded: no picture is made, and
// of the result only what the size w×h keeps (0×0: all). Ids that the map lacks
// are errors wherever they are. Its errors do not say what is wrong; the way
// over [decodeWhole] does.
func labelRows(src imagefile.Source, name string, m *LabelMap, channel, w, h int) (*idMap, error) {
	r, head, err := src.OpenPNG(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if turn := head.Orientation; turn != imagefile.Upright {
		l, err := mapRows(r, m, channel, 0, 0)
		if err != nil {
			return nil, err
		}
		out := &raster.Labels{W: head.W, H: head.H, Pix: turn.Turn(l.Pix, l.W, l.H, 1)}
		return sized(out, w, h), nil
	}
	return mapRows(r, m, channel, w, h)
}

// mapRows maps the pixels as stored.
func mapRows(r *pngrows.Reader, m *LabelMap, channel, w, h int) (*idMap, error) {
	head := r.Header()
	convert, err := idConverter(r, m, channel)
	if err != nil {
		return nil, err
	}
	if w == 0 {
		w, h = head.W, head.H
	}
	out := &idMap{Labels: raster.NewLabels(w, h), w0: head.W, h0: head.H}
	line := make([]uint8, head.W)
	columns := nearest(head.W, w)
	next := 0 // row of the result
	for y := range head.H {
		row, err := r.Next()
		if err != nil {
			return nil, err
		}
		if !convert(line, row) {
			return nil, errSlow
		}
		for ; next < h && (2*next+1)*head.H/(2*h) == y; next++ {
			take(out.Pix[next*w:(next+1)*w], line, columns)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		return nil, err
	}
	return out, nil
}

// nearest returns the input that each of to outputs is, as
// [raster.Labels.ResizeNearest] takes it; nil when that is all of them.
func nearest(from, to int) []int {
	if from == to {
		return nil
	}
	at := make([]int, to)
	for x := range at {
		at[x] = (2*x + 1) * from / (2 * to)
	}
	return at
}

func take(dst, src []uint8, at []int) {
	if at == nil {
		copy(dst, src)
		return
	}
	for x, from := range at {
		dst[x] = src[from]
	}
}

// idConverter returns what writes the train ids of a file's row and reports
// whether the map has them all.
func idConverter(r *pngrows.Reader, m *LabelMap, channel int) (func(dst, row []byte) bool, error) {
	head, table := r.Header(), m.table
	step, offset := head.Samples(), 0
	switch {
	case head.Depth < 8:
		return nil, errSlow
	case head.ColorType == pngrows.Palette && channel != noChannel: // a colour file that was made smaller
		table = make([]int16, 256)
		for i := range table {
			table[i] = unmapped
			if i < len(r.Palette()) {
				if id, ok := m.TrainID(channelNumber(r.Palette()[i], channel)); ok {
					table[i] = int16(id)
				}
			}
		}
	case head.ColorType == pngrows.RGB || head.ColorType == pngrows.RGBA:
		if channel < 0 {
			return colourConverter(m, step, head.Depth/8), nil
		}
		offset = channel
	}
	if head.Depth == 16 {
		return func(dst, row []byte) bool { return mapWide(dst, row, table, 2*step, 2*offset) }, nil
	}
	bytes := (*[256]int16)(table) // tables have at least 256 entries
	if step == 1 {
		return func(dst, row []byte) bool { return mapBytes(dst, row, bytes) }, nil
	}
	return func(dst, row []byte) bool { return mapSteps(dst, row, bytes, step, offset) }, nil
}

// colourConverter looks the classes of colours up: step samples a pixel of 1 or 2
// bytes, of which the upper one is taken.
func colourConverter(m *LabelMap, step, bytes int) func(dst, row []byte) bool {
	last, id, ok := -1, uint8(0), true
	return func(dst, row []byte) bool {
		for x := range dst {
			p := row[x*step*bytes : (x+1)*step*bytes]
			if v := colourNumber(p[0], p[bytes], p[2*bytes]); v != last {
				if id, ok = m.TrainID(v); !ok {
					return false
				}
				last = v
			}
			dst[x] = id
		}
		return true
	}
}

// mapBytes takes runs eight at a time: most neighbours in a label have one id.
func mapBytes(dst, row []byte, table *[256]int16) bool {
	const ones = 0x0101010101010101
	row = row[:len(dst)]
	all := int16(0)
	for len(dst) >= 8 && len(row) >= 8 {
		v := binary.LittleEndian.Uint64(row)
		if v == v&0xff*ones {
			id := table[uint8(v)]
			all |= id
			binary.LittleEndian.PutUint64(dst, uint64(uint8(id))*ones)
		} else {
			for i, sample := range row[:8] {
				id := table[sample]
				all |= id
				dst[i] = uint8(id)
			}
		}
		dst, row = dst[8:], row[8:]
	}
	for i, sample := range row {
		id := table[sample]
		all |= id
		dst[i] = uint8(id)
	}
	return all >= 0 // unmapped is negative
}

func mapSteps(dst, row []byte, table *[256]int16, step, offset int) bool {
	all := int16(0)
	for x := range dst {
		id := table[row[x*step+offset]]
		all |= id
		dst[x] = uint8(id)
	}
	return all >= 0
}

func mapWide(dst, row []byte, table []int16, step, offset int) bool {
	all := int16(0)
	for x := range dst {
		v := binary.BigEndian.Uint16(row[x*step+offset:])
		if int(v) >= len(table) {
			return false
		}
		id := table[v]
		all |= id
		dst[x] = uint8(id)
	}
	return all >= 0
}
