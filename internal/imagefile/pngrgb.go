package imagefile

import "t2sda/internal/pngrows"

// spread writes packed RGB from pixels of step bytes, whose red, green and blue
// lie at the offsets.
func spread(dst, row []byte, step, red, green, blue int) {
	for i := 0; i+2 < len(dst); i += 3 {
		p := row[:step:step]
		dst[i], dst[i+1], dst[i+2] = p[red], p[green], p[blue]
		row = row[step:]
	}
}

// rgbOf returns what makes packed RGB of a PNG file's rows of samples. Its result
// is valid until its next call.
func rgbOf(r *pngrows.Reader) func(row []byte) []byte {
	head := r.Header()
	if head.ColorType == pngrows.RGB && head.Depth == 8 {
		return func(row []byte) []byte { return row }
	}
	out := make([]byte, 3*head.W)
	if head.ColorType == pngrows.Palette || head.Depth < 8 {
		return tableRGB(r, out)
	}
	bytes := head.Depth / 8 // of a sample; the first is the upper one
	switch head.ColorType {
	case pngrows.RGB:
		return func(row []byte) []byte { spread(out, row, 3*bytes, 0, bytes, 2*bytes); return out }
	case pngrows.RGBA:
		return func(row []byte) []byte { spread(out, row, 4*bytes, 0, bytes, 2*bytes); return out }
	case pngrows.GrayAlpha:
		return func(row []byte) []byte { spread(out, row, 2*bytes, 0, 0, 0); return out }
	}
	return func(row []byte) []byte { spread(out, row, bytes, 0, 0, 0); return out }
}

// tableRGB is for palettes and for gray of less than 8 bits.
func tableRGB(r *pngrows.Reader, out []byte) func(row []byte) []byte {
	head := r.Header()
	var colours [256][3]uint8 // indices that the palette lacks are black
	copy(colours[:], r.Palette())
	most := 1<<head.Depth - 1
	if head.ColorType == pngrows.Gray {
		for i := range most + 1 {
			v := uint8(i * 255 / most)
			colours[i] = [3]uint8{v, v, v}
		}
	}
	per := 8 / head.Depth
	return func(row []byte) []byte {
		for x := range head.W {
			index := int(row[x/per]) >> (8 - head.Depth*(x%per+1)) & most
			copy(out[3*x:3*x+3], colours[index][:])
		}
		return out
	}
}
