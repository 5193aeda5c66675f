package imagefile

import (
	"image"
	"image/color"
	"image/gif"
	"io"
	"slices"
)

// decodeGIF reads the first frame. Where it covers a part of the picture only, the
// rest has index 0.
func decodeGIF(f io.ReaderAt) (image.Image, error) {
	c, err := gif.DecodeConfig(whole(f))
	if err != nil {
		return nil, err
	}
	img, err := gif.Decode(whole(f))
	if err != nil {
		return nil, err
	}
	frame, ok := img.(*image.Paletted)
	if !ok {
		return img, nil
	}
	if global, ok := c.ColorModel.(color.Palette); ok {
		restoreTransparent(frame.Palette, global)
	}
	all := image.Rect(0, 0, c.Width, c.Height)
	if frame.Rect == all {
		return frame, nil
	}
	canvas := image.NewPaletted(all, frame.Palette)
	for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
		copy(canvas.Pix[canvas.PixOffset(frame.Rect.Min.X, y):], frame.Pix[frame.PixOffset(frame.Rect.Min.X, y):][:frame.Rect.Dx()])
	}
	return canvas, nil
}

// restoreTransparent gives the entry that the decoder made transparent its colour
// again: transparency is dropped here, and in a label that entry is a class. The
// file's own palette has it, unless the frame brought another.
func restoreTransparent(frame, global color.Palette) {
	at := slices.Index(frame, color.Color(color.RGBA{}))
	if at < 0 || at >= len(global) || len(frame) != len(global) {
		return
	}
	for i := range frame {
		if i != at && frame[i] != global[i] {
			return
		}
	}
	frame[at] = global[at]
}
