package imagefile

import "fmt"

// Orientation says how the pixels as stored have to be turned for people to see
// the picture upright: tag 274 of TIFF and EXIF, 1 to 8.
type Orientation uint8

// Upright is the orientation of pictures that are stored as they are seen.
const Upright Orientation = 1

// String says what has to be done to the stored pixels.
func (o Orientation) String() string {
	turns := [...]string{
		2: "mirrored left to right", 3: "turned by 180°", 4: "mirrored top to bottom", 5: "mirrored along the diagonal",
		6: "turned by 90° clockwise", 7: "mirrored along the other diagonal", 8: "turned by 90° anticlockwise",
	}
	if o <= Upright || int(o) >= len(turns) {
		return "upright"
	}
	return fmt.Sprintf("orientation %d: %s", uint8(o), turns[o])
}

// transposes reports whether columns become rows.
func (o Orientation) transposes() bool { return o >= 5 && o <= 8 }

// Size returns the upright size of w×h stored pixels.
func (o Orientation) Size(w, h int) (int, int) {
	if o.transposes() {
		return h, w
	}
	return w, h
}

// Turn returns the upright picture of w×h stored pixels of step bytes each, rows
// without gaps. It returns pix itself where nothing has to be done.
func (o Orientation) Turn(pix []byte, w, h, step int) []byte {
	if o <= Upright || o > 8 {
		return pix
	}
	out := make([]byte, len(pix))
	toW, toH := o.Size(w, h)
	at := 0
	for y := range toH {
		from, by := o.walk(y, w, h)
		for range toW {
			copy(out[at:at+step], pix[from*step:])
			at += step
			from += by
		}
	}
	return out
}

// walk returns the stored pixel that upright row y begins with, and how far on
// the next one is. The stored picture has w×h pixels.
func (o Orientation) walk(y, w, h int) (from, by int) {
	switch o {
	case 2:
		return y*w + w - 1, -1
	case 3:
		return (h-y)*w - 1, -1
	case 4:
		return (h - 1 - y) * w, 1
	case 5:
		return y, w
	case 6:
		return (h-1)*w + y, -w
	case 7:
		return h*w - 1 - y, -w
	case 8:
		return w - 1 - y, w
	}
	return y * w, 1
}
