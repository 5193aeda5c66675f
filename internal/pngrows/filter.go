package pngrows

import (
	"encoding/binary"
	"errors"
)

// Filter types of the PNG specification (section 9.2).
const (
	filterNone = iota
	filterSub
	filterUp
	filterAverage
	filterPaeth
)

var errFilter = errors.New("png: unknown filter")

// undo restores a filtered row in place: each byte was stored as its difference
// to a prediction from the byte of the pixel to the left (bpp bytes back) and
// those of the row above. Both rows begin with their filter byte.
func undo(row, previous []byte, bpp int) error {
	kind := row[0]
	row, previous = row[1:], previous[1:]
	previous = previous[:len(row)]
	switch kind {
	case filterNone:
	case filterSub:
		for i := bpp; i < len(row); i++ {
			row[i] += row[i-bpp]
		}
	case filterUp:
		undoUp(row, previous)
	case filterAverage:
		for i := range min(bpp, len(row)) {
			row[i] += previous[i] / 2
		}
		for i := bpp; i < len(row); i++ {
			row[i] += uint8((int(row[i-bpp]) + int(previous[i])) / 2)
		}
	case filterPaeth:
		for i := range min(bpp, len(row)) {
			row[i] += previous[i]
		}
		for i := bpp; i < len(row); i++ {
			row[i] += paeth(row[i-bpp], previous[i], previous[i-bpp])
		}
	default:
		return errFilter
	}
	return nil
}

// undoUp adds the row above, eight bytes at a time: the low seven bits of each
// byte without carry into its neighbour, then the high bits.
func undoUp(row, previous []byte) {
	const low = 0x7f7f7f7f7f7f7f7f
	for len(row) >= 8 {
		a, b := binary.LittleEndian.Uint64(row), binary.LittleEndian.Uint64(previous)
		binary.LittleEndian.PutUint64(row, (a&low+b&low)^(a^b)&^low)
		row, previous = row[8:], previous[8:]
	}
	for i := range row {
		row[i] += previous[i]
	}
}

// paeth predicts the one of left, up and upper left that is nearest to
// left + up − upper left (ties in this order).
func paeth(left, up, corner uint8) uint8 {
	dl, du := int(up)-int(corner), int(left)-int(corner) // distances of left and of up, signed
	dc := abs(dl + du)
	dl, du = abs(dl), abs(du)
	switch {
	case dl <= du && dl <= dc:
		return left
	case du <= dc:
		return up
	}
	return corner
}

func abs(v int) int { return max(v, -v) }
