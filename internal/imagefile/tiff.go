package imagefile

import (
	"image"
	"io"
	"strings"

	"golang.org/x/image/tiff"
)

// Values of the tags (TIFF 6.0).
const (
	codedFax3   = 3 // tagCompression: CCITT group 3
	codedFax4   = 4 // and 4
	blackIsZero = 1 // tagPhotometric
)

func readTIFF(h *Header, f io.ReaderAt) error {
	tags := tiffTags(f)
	switch fax := isFax(tags); { // what the decoder takes no notice of
	case tags[tagPlanar] == 2 && tags[tagSamples] > 1:
		return tiff.UnsupportedError("a plane for each colour")
	case tags[tagFillOrder] == 2 && !fax:
		return tiff.UnsupportedError("bits in reverse order")
	}
	if err := h.take(tiff.DecodeConfig(whole(f))); err != nil {
		return err
	}
	if bits, ok := tags[tagBits]; bits == 1 || !ok { // 1 is the default
		h.Depth = 1
		h.Kind = strings.Replace(h.Kind, "8-bit", "1-bit", 1)
	}
	h.Orientation = orientationOf(f)
	return nil
}

// isFax reports whether the pixels are coded as facsimile machines do.
func isFax(tags map[uint16]uint16) bool {
	return tags[tagCompression] == codedFax3 || tags[tagCompression] == codedFax4
}

// decodeTIFF reads the first page. In facsimile coding, what the coding calls white
// is bit 0, which tagPhotometric makes white or black (TIFF 6.0, section 11); the
// decoder takes it for white always.
func decodeTIFF(f io.ReaderAt) (image.Image, error) {
	img, err := tiff.Decode(whole(f))
	if err != nil {
		return nil, err
	}
	if p, ok := img.(*image.Gray); ok {
		if tags := tiffTags(f); isFax(tags) && tags[tagPhotometric] == blackIsZero {
			for i := range p.Pix {
				p.Pix[i] = ^p.Pix[i]
			}
		}
	}
	return img, nil
}
