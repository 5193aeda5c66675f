package datasets

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // registers the decoder
	_ "image/jpeg" // registers the decoder
	"image/png"
	"io"
	"os"
	"slices"
	"strings"

	_ "golang.org/x/image/bmp"  // registers the decoder
	_ "golang.org/x/image/tiff" // registers the decoder
	_ "golang.org/x/image/webp" // registers the decoder

	"t2sda/internal/raster"
)

// maxPixels bounds what a file's header may claim before memory is taken for
// it; 268 megapixels are beyond any camera, but not beyond a damaged header.
const maxPixels = 1 << 28

// noChannel and badChannel are what [channelIndex] returns besides 0–2.
const (
	noChannel  = -1
	badChannel = -2
)

func channelIndex(name string) int {
	if name == "" {
		return noChannel
	}
	if i := slices.Index([]string{"red", "green", "blue"}, name); i >= 0 {
		return i
	}
	return badChannel
}

// imageSize reads a file's header only.
func imageSize(name string) (w, h int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, 0, fmt.Errorf("datasets: image: %w", err)
	}
	defer f.Close()
	return headerSize(f, "image", name)
}

// headerSize reads the size from a file's header. It refuses what the rest of
// the file cannot be: the decoders take memory for the picture before they see
// its pixels.
func headerSize(f *os.File, what, name string) (w, h int, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, fmt.Errorf("datasets: %s: %w", what, err)
	}
	if info.Size() == 0 {
		return 0, 0, emptyFile(what, name)
	}
	c, format, err := image.DecodeConfig(bufio.NewReader(f))
	if err != nil {
		return 0, 0, decodeError(what, name, err)
	}
	// The most pixels that a byte of a PNG file makes: 1032 bytes of 1-bit ones.
	const most = 8 * 1032
	switch {
	case c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height:
		return 0, 0, fmt.Errorf("datasets: %s %s: its header claims %d×%d pixels", what, name, c.Width, c.Height)
	case format == "png" && int64(c.Width)*int64(c.Height)/most > info.Size():
		return 0, 0, fmt.Errorf("datasets: %s %s: its header claims %d×%d pixels, more than %d bytes hold (truncated or damaged?)", what, name, c.Width, c.Height, info.Size())
	}
	return c.Width, c.Height, nil
}

func emptyFile(what, name string) error {
	return fmt.Errorf("datasets: %s %s is an empty file", what, name)
}

func decodeError(what, name string, err error) error {
	hint := "truncated or damaged?"
	if errors.Is(err, image.ErrFormat) {
		hint = "neither PNG nor JPEG"
	}
	return fmt.Errorf("datasets: %s %s cannot be decoded (%s): %w", what, name, hint, err)
}

// decode opens a file, checks its header and decodes it.
func decode(what, name string, decoder func(io.Reader) (image.Image, error)) (image.Image, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("datasets: %s: %w", what, err)
	}
	defer f.Close()
	if _, _, err := headerSize(f, what, name); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("datasets: %s: %w", what, err)
	}
	img, err := decoder(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		return nil, decodeError(what, name, err)
	}
	return img, nil
}

// decodeLabels reads a label file and maps its ids. Palette files hold ids as
// indices, gray files as values; of colour files the channel is taken.
func decodeLabels(name string, m *LabelMap, channel int) (*raster.Labels, error) {
	l, err := decodeIDMap(name, m, channel, 0, 0)
	if err != nil {
		return nil, err
	}
	return l.Labels, nil
}

// decodeIDMap is [decodeLabels] that brings the result to w×h (nearest pixel;
// 0×0: as it is). Files of 8- and 16-bit samples are mapped row by row; the
// standard library decodes the others, and those at fault, for its verdict.
func decodeIDMap(name string, m *LabelMap, channel, w, h int) (*idMap, error) {
	if l, err := labelRows(name, m, channel, w, h); err == nil {
		return l, nil
	}
	labels, err := decodeWhole(name, m, channel)
	if err != nil {
		return nil, err
	}
	l := &idMap{Labels: labels, w0: labels.W, h0: labels.H}
	if w > 0 && (labels.W != w || labels.H != h) {
		l.Labels = labels.ResizeNearest(w, h)
	}
	return l, nil
}

// decodeWhole maps the picture that the standard library decodes.
func decodeWhole(name string, m *LabelMap, channel int) (*raster.Labels, error) {
	h, err := readPNGHeader(name)
	if err != nil {
		return nil, err
	}
	img, err := decode("label", name, png.Decode)
	if err != nil {
		return nil, err
	}
	src, err := idPixels(img, h, m, channel)
	if err != nil {
		return nil, fmt.Errorf("datasets: label %s: %w", name, err)
	}
	b := img.Bounds()
	out := raster.NewLabels(b.Dx(), b.Dy())
	if x, y, bad := src.read(out); bad >= 0 {
		return nil, fmt.Errorf("datasets: label %s: id %d at column %d, row %d is not in label map %s", name, bad, x, y, m.name)
	}
	return out, nil
}

// pngHeader are the two bytes of IHDR that the standard decoder hides.
type pngHeader struct {
	depth  int
	colour bool // truecolour, not gray or palette
}

func readPNGHeader(name string) (pngHeader, error) {
	f, err := os.Open(name)
	if err != nil {
		return pngHeader{}, fmt.Errorf("datasets: label: %w", err)
	}
	defer f.Close()
	const signature = "\x89PNG\r\n\x1a\n"
	var b [26]byte // signature, chunk length and type, width, height, depth, colour type
	n, err := io.ReadFull(f, b[:])
	switch {
	case errors.Is(err, io.EOF):
		return pngHeader{}, emptyFile("label", name)
	case !strings.HasPrefix(string(b[:n]), signature[:min(n, len(signature))]):
		return pngHeader{}, fmt.Errorf("datasets: label %s is not a PNG file", name)
	case err != nil:
		return pngHeader{}, decodeError("label", name, err)
	}
	return pngHeader{depth: int(b[24]), colour: b[25] == 2 || b[25] == 6}, nil
}

// ids addresses the samples of a decoded picture that hold class ids.
type ids struct {
	pix                  []byte
	stride, step, offset int // bytes from row to row, pixel to pixel, and to the first sample
	wide                 bool
	table                []int16              // sample → train id, Void or unmapped
	raw                  func(sample int) int // sample → id, for messages
}

// idPixels finds the ids in a picture of any type that the PNG decoder makes.
func idPixels(img image.Image, h pngHeader, m *LabelMap, channel int) (ids, error) {
	if h.colour && channel == noChannel {
		return ids{}, errors.New("holds colours, not class ids (channel: red takes the id from the red channel)")
	}
	offset := max(channel, 0)
	if !h.colour {
		offset = 0 // gray with transparency is decoded to colour; all channels agree
	}
	s := ids{table: m.table, raw: func(sample int) int { return sample }}
	switch p := img.(type) {
	case *image.Gray:
		s.pix, s.stride, s.step = p.Pix, p.Stride, 1
	case *image.Paletted:
		s.pix, s.stride, s.step = p.Pix, p.Stride, 1
		if channel != noChannel { // a colour file that was made smaller
			s.remap(m, func(i int) int { return paletteChannel(p, i, channel) })
		}
		return s, nil
	case *image.RGBA:
		s.pix, s.stride, s.step, s.offset = p.Pix, p.Stride, 4, offset
	case *image.NRGBA:
		s.pix, s.stride, s.step, s.offset = p.Pix, p.Stride, 4, offset
	case *image.Gray16:
		s.pix, s.stride, s.step, s.wide = p.Pix, p.Stride, 2, true
	case *image.RGBA64:
		s.pix, s.stride, s.step, s.offset, s.wide = p.Pix, p.Stride, 8, 2*offset, true
	case *image.NRGBA64:
		s.pix, s.stride, s.step, s.offset, s.wide = p.Pix, p.Stride, 8, 2*offset, true
	default:
		return ids{}, fmt.Errorf("pictures of type %T hold no class ids", img)
	}
	if h.depth < 8 { // the decoder spreads 1, 2 and 4 bits over 0–255
		scale := 255 / (1<<h.depth - 1)
		s.remap(m, func(i int) int { return i / scale })
	}
	return s, nil
}

func paletteChannel(p *image.Paletted, index, channel int) int {
	if index >= len(p.Palette) {
		return -1
	}
	c := color.NRGBAModel.Convert(p.Palette[index]).(color.NRGBA) // as stored, whatever its alpha
	return int([3]uint8{c.R, c.G, c.B}[channel])
}

// remap gives 8-bit samples another meaning than the id itself.
func (s *ids) remap(m *LabelMap, raw func(sample int) int) {
	table := make([]int16, 256)
	for i := range table {
		table[i] = unmapped
		if id, ok := m.TrainID(raw(i)); ok {
			table[i] = int16(id)
		}
	}
	s.table, s.raw = table, raw
}

// read writes the train ids. It stops at the first id that the table lacks and
// returns it with its position; bad is -1 when there is none.
func (s *ids) read(out *raster.Labels) (x, y, bad int) {
	table := s.table
	for y := range out.H {
		row := s.pix[y*s.stride+s.offset:]
		dst := out.Pix[y*out.W : (y+1)*out.W]
		for x := range dst {
			var v int
			if s.wide {
				v = int(binary.BigEndian.Uint16(row[x*s.step:]))
			} else {
				v = int(row[x*s.step])
			}
			if v >= len(table) || table[v] == unmapped {
				return x, y, s.raw(v)
			}
			dst[x] = uint8(table[v])
		}
	}
	return 0, 0, -1
}
