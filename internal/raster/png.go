package raster

import (
	"bytes"
	"fmt"
	"image"
	"image/png"

	"t2sda/internal/atomicfile"
)

// WritePNG replaces path by the picture, see [atomicfile.WriteFunc].
func WritePNG(path string, picture image.Image) error {
	data, err := EncodePNG(picture)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.Write(path, data)
}

// EncodePNG returns the picture as the bytes of a PNG file. It compresses fast
// rather than well: photographs shrink little at any level, and pictures are
// made while the device waits.
func EncodePNG(picture image.Image) ([]byte, error) {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("encode PNG of %v: %w", picture.Bounds().Size(), err)
	}
	return b.Bytes(), nil
}
