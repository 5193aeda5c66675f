package datasets

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"

	"t2sda/internal/imagefile"
)

// firstColour is what the numbers of colours begin with: what a label file holds is
// an id, below it, or a colour.
const firstColour = 1 << 24

func colourNumber(r, g, b uint8) int {
	return firstColour | int(r)<<16 | int(g)<<8 | int(b)
}

// rawName tells people of an id or a colour in a label file.
func rawName(raw int) string {
	if raw >= firstColour {
		return fmt.Sprintf("colour (%d, %d, %d)", raw>>16&255, raw>>8&255, raw&255)
	}
	return fmt.Sprintf("id %d", raw)
}

// rawLabels are the ids or colours of a label file, as it holds them.
type rawLabels struct {
	w, h int
	kind string // of file, for people
	turn imagefile.Orientation
	row  func(dst []int, y int) // writes those of row y
}

// readRaw decodes a label file of any format. Colours are told apart by the channel
// that holds the id or, with colourChannel and where there is none, as a whole.
func readRaw(src imagefile.Source, name string, channel int) (*rawLabels, error) {
	img, head, err := src.Samples(name)
	if err != nil {
		return nil, readError("label", err)
	}
	at, err := sampler(img, head, channel)
	if err != nil {
		return nil, fmt.Errorf("datasets: label %s: %w", name, err)
	}
	b := img.Bounds()
	row := func(dst []int, y int) {
		for x := range dst {
			dst[x] = at(x, y)
		}
	}
	return &rawLabels{w: b.Dx(), h: b.Dy(), kind: head.Kind, turn: head.Orientation, row: row}, nil
}

// sampler returns what tells the id or colour of a pixel, for the types of picture
// that [imagefile.Source.Samples] makes.
func sampler(img image.Image, head imagefile.Header, channel int) (func(x, y int) int, error) {
	// Decoders spread 1, 2 and 4 bits over 0–255.
	scale := 255 / (1<<min(max(head.Depth, 1), 8) - 1)
	colour := head.Colour
	if head.Format == imagefile.WebP && channel == noChannel && isGray(img) { // it knows no gray
		colour = false
	}
	switch p := img.(type) {
	case *image.Gray:
		return func(x, y int) int { return int(p.Pix[y*p.Stride+x]) / scale }, nil
	case *image.Gray16:
		return func(x, y int) int { return int(binary.BigEndian.Uint16(p.Pix[y*p.Stride+2*x:])) }, nil
	case *image.Paletted:
		table := paletteNumbers(p.Palette, channel)
		return func(x, y int) int { return table[p.Pix[y*p.Stride+x]] }, nil
	case *image.RGBA:
		return pixelSampler(p.Pix, p.Stride, 1, scale, colour, channel), nil
	case *image.NRGBA:
		return pixelSampler(p.Pix, p.Stride, 1, scale, colour, channel), nil
	case *image.RGBA64:
		return pixelSampler(p.Pix, p.Stride, 2, 1, colour, channel), nil
	case *image.NRGBA64:
		return pixelSampler(p.Pix, p.Stride, 2, 1, colour, channel), nil
	}
	return nil, fmt.Errorf("pictures of type %T hold no class ids", img)
}

// pixelSampler is for pictures of four samples a pixel, of 1 or 2 bytes each. Gray
// with transparency is decoded to them, too.
func pixelSampler(pix []byte, stride, bytes, scale int, colour bool, channel int) func(x, y int) int {
	if colour && channel < 0 {
		return func(x, y int) int {
			p := pix[y*stride+4*bytes*x:]
			return colourNumber(p[0], p[bytes], p[2*bytes])
		}
	}
	offset := bytes * max(channel, 0)
	if bytes == 2 {
		return func(x, y int) int { return int(binary.BigEndian.Uint16(pix[y*stride+8*x+offset:])) }
	}
	if colour {
		scale = 1
	}
	return func(x, y int) int { return int(pix[y*stride+4*x+offset]) / scale }
}

// paletteNumbers says what the indices of a palette stand for: themselves, where no
// channel is given; else it is a colour file that was made smaller.
func paletteNumbers(palette color.Palette, channel int) *[256]int {
	var table [256]int
	for i := range table {
		table[i] = i
		if channel == noChannel {
			continue
		}
		table[i] = -1
		if i < len(palette) {
			c := color.NRGBAModel.Convert(palette[i]).(color.NRGBA) // as stored, whatever its alpha
			table[i] = channelNumber([3]uint8{c.R, c.G, c.B}, channel)
		}
	}
	return &table
}

// channelNumber is the id or colour that a colour stands for.
func channelNumber(c [3]uint8, channel int) int {
	if channel == colourChannel {
		return colourNumber(c[0], c[1], c[2])
	}
	return int(c[channel])
}

// isGray reports whether a picture of 8-bit colours has gray pixels only.
func isGray(img image.Image) bool {
	p, ok := img.(*image.NRGBA)
	if !ok {
		return false
	}
	for i := 0; i+3 < len(p.Pix); i += 4 {
		if p.Pix[i] != p.Pix[i+1] || p.Pix[i] != p.Pix[i+2] {
			return false
		}
	}
	return true
}
