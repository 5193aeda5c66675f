package imagefile

import (
	"bytes"
	"encoding/binary"
	"io"
)

// Tags of TIFF and EXIF.
const (
	tagBits        = 258
	tagCompression = 259
	tagPhotometric = 262
	tagFillOrder   = 266
	tagOrientation = 274
	tagSamples     = 277
	tagPlanar      = 284
)

// tiffTags returns the first value of the 16-bit tags in the first directory of
// a TIFF file, which a block of EXIF is as well; 0 for tags of more than two
// values. Whatever is at fault with it, the tags are then missing: metadata never
// make a picture unreadable.
func tiffTags(r io.ReaderAt) map[uint16]uint16 {
	var head [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil
	}
	var order binary.ByteOrder
	switch string(head[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return nil
	}
	at := int64(order.Uint32(head[4:]))
	var count [2]byte
	if _, err := r.ReadAt(count[:], at); err != nil {
		return nil
	}
	const short, entry = 3, 12 // the type of 16-bit numbers, the size of an entry
	entries := make([]byte, entry*int(order.Uint16(count[:])))
	n, _ := r.ReadAt(entries, at+2) // what there is of them
	tags := map[uint16]uint16{}
	for entries = entries[:n]; len(entries) >= entry; entries = entries[entry:] {
		if order.Uint16(entries[2:]) != short {
			continue
		}
		tag := order.Uint16(entries)
		if tags[tag] = order.Uint16(entries[8:]); order.Uint32(entries[4:]) > 2 { // they lie elsewhere
			tags[tag] = 0
		}
	}
	return tags
}

// orientationOf returns the orientation in a TIFF file or a block of EXIF.
func orientationOf(r io.ReaderAt) Orientation {
	if o := tiffTags(r)[tagOrientation]; o >= 1 && o <= 8 {
		return Orientation(o)
	}
	return Upright
}

// exifOrientation returns the orientation in a block of EXIF, with or without
// the words that JPEG puts before it.
func exifOrientation(block []byte) Orientation {
	return orientationOf(bytes.NewReader(bytes.TrimPrefix(block, []byte(exifPrefix))))
}

const exifPrefix = "Exif\x00\x00"
