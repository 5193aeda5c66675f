package pngrows

import (
	"encoding/binary"
	"errors"
)

// Filter types (PNG specification, 9.2).
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
// those of the row above, which has the same length (zeros above the first row).
func undo(filter byte, row, above []byte, bpp int) error {
	switch filter {
	case filterNone:
	case filterSub:
		for i := bpp; i < len(row); i++ {
			row[i] += row[i-bpp]
		}
	case filterUp:
		addBytes(row, above)
	case filterAverage:
		average(row, above, bpp)
	case filterPaeth:
		if bpp == 3 {
			paeth3(row, above)
		} else {
			paeth(row, above, bpp)
		}
	default:
		return errFilter
	}
	return nil
}

// addBytes adds b to a, both of one length, modulo 256.
func addBytes(a, b []byte) {
	b = b[:len(a)]
	const low = 0x7f7f7f7f7f7f7f7f // no carry from byte to byte
	for len(a) >= 8 {
		x, y := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
		binary.LittleEndian.PutUint64(a, (x&low+y&low)^((x^y)&^low))
		a, b = a[8:], b[8:]
	}
	for i := range a {
		a[i] += b[i]
	}
}

func average(row, above []byte, bpp int) {
	above = above[:len(row)]
	for i := range min(bpp, len(row)) {
		row[i] += above[i] / 2
	}
	for i := bpp; i < len(row); i++ {
		row[i] += uint8((int(row[i-bpp]) + int(above[i])) / 2)
	}
}

func paeth(row, above []byte, bpp int) {
	above = above[:len(row)]
	for i := range min(bpp, len(row)) {
		row[i] += above[i] // left and upper left are 0: the predictor is above
	}
	for i := bpp; i < len(row); {
		end := min(i+8, len(row))
		if end == i+8 && flat(row, above, i, bpp) {
			repeatPixel(row[i-bpp:end], bpp)
			i = end
			continue
		}
		for ; i < end; i++ {
			row[i] += uint8(predict(int(row[i-bpp]), int(above[i]), int(above[i-bpp])))
		}
	}
}

// flat reports whether the eight bytes at i equal those of the pixel to their
// left, as in most of a label: there is no difference to the predictor, and
// where above equals upper left the predictor is left.
func flat(row, above []byte, i, bpp int) bool {
	return binary.LittleEndian.Uint64(row[i:]) == 0 &&
		binary.LittleEndian.Uint64(above[i:]) == binary.LittleEndian.Uint64(above[i-bpp:])
}

// repeatPixel writes a pixel of bpp bytes over the eight bytes that follow it.
func repeatPixel(row []byte, bpp int) {
	if bpp == 1 {
		binary.LittleEndian.PutUint64(row[1:], uint64(row[0])*0x0101010101010101)
		return
	}
	for i := bpp; i < len(row); i++ {
		row[i] = row[i-bpp]
	}
}

// paeth3 is paeth for three bytes a pixel: what the next pixel needs stays in
// registers, and three chains of dependent steps run side by side.
func paeth3(row, above []byte) {
	above = above[:len(row)]
	var left0, left1, left2, corner0, corner1, corner2 int
	for i := 0; i < len(row)-2; i += 3 {
		above0, above1, above2 := int(above[i]), int(above[i+1]), int(above[i+2])
		left0 = (int(row[i]) + predict(left0, above0, corner0)) & 0xff
		row[i], corner0 = uint8(left0), above0
		left1 = (int(row[i+1]) + predict(left1, above1, corner1)) & 0xff
		row[i+1], corner1 = uint8(left1), above1
		left2 = (int(row[i+2]) + predict(left2, above2, corner2)) & 0xff
		row[i+2], corner2 = uint8(left2), above2
	}
}

// predict is the Paeth predictor: whichever of left, above and corner (upper
// left) is nearest to left + above − corner, in this order for ties. This is
// stb_image's formulation: the corner where it lies between the other two by
// enough, else the one that is farther from it. It compiles without branches,
// which noise would make unpredictable.
func predict(left, above, corner int) int {
	threshold := 3*corner - (left + above)
	lo, hi := min(left, above), max(left, above)
	if hi <= threshold {
		corner = lo
	}
	if threshold <= lo {
		corner = hi
	}
	return corner
}
