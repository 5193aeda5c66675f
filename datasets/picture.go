package datasets

import (
	"errors"
	"image"
	"io"
	"path/filepath"
	"strings"

	"github.com/disintegration/imaging"

	"t2sda/internal/pngrows"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
)

// picture is a decoded image, brought to a size: red, green and blue of each
// pixel, 8 bits. Pictures may be shared by the cache and must not be written to.
type picture entry

// row returns row y, 3·w bytes.
func (p *picture) row(y int) []byte { return p.pix[3*p.w*y : 3*p.w*(y+1)] }

// resized returns the picture at another size, with the present one's file size.
func (p *picture) resized(w, h int) *picture {
	if p.w == w && p.h == h {
		return p
	}
	s := newSink(p.w, p.h, w, h)
	for y := range p.h {
		s.add(p.row(y))
	}
	out := s.finish()
	out.w0, out.h0 = p.w0, p.h0
	return out
}

// sink makes a picture of rows.
type sink struct {
	p       *picture
	resizer *resize.Rows // nil: rows are kept as they come
	y       int
}

// newSink takes h0 rows of w0 pixels for a picture of w×h; 0×0 keeps the size.
func newSink(w0, h0, w, h int) *sink {
	if w == 0 {
		w, h = w0, h0
	}
	s := &sink{p: &picture{w: w, h: h, w0: w0, h0: h0, pix: make([]byte, 3*w*h)}}
	if w != w0 || h != h0 {
		s.resizer = resize.New(s.p.pix, w0, h0, w, h)
	}
	return s
}

// add takes the next row, packed RGB.
func (s *sink) add(row []byte) {
	if s.resizer != nil {
		s.resizer.Add(row)
		return
	}
	copy(s.p.row(s.y), row)
	s.y++
}

// finish returns the picture, or what there is of it, and ends the sink.
func (s *sink) finish() *picture {
	if s.resizer != nil {
		s.resizer.Done()
		s.resizer = nil
	}
	return s.p
}

// ReadImage reads a PNG or JPEG file as [Dataset.LoadImage] does, at its own
// size. Errors name the file.
func ReadImage(name string) (*raster.Image, error) {
	p, err := decodeImage(name, 0, 0)
	if err != nil {
		return nil, err
	}
	return p.image(), nil
}

// decodeImage reads a PNG or JPEG as opaque 8-bit colour and brings it to w×h
// (0×0: as it is). Orientation tags are not followed: labels are drawn on the
// pixels as stored.
//
// PNG files of 8-bit samples, which is what the data sets consist of, go row by
// row from the file's bytes to the resized picture. The standard library decodes
// the others, and those at fault, for its verdict.
func decodeImage(name string, w, h int) (*picture, error) {
	if strings.EqualFold(filepath.Ext(name), ".png") {
		if p, err := imageRows(name, w, h); err == nil {
			return p, nil
		}
	}
	img, err := decode("image", name, func(r io.Reader) (image.Image, error) {
		img, _, err := image.Decode(r)
		return img, err
	})
	if err != nil {
		return nil, err
	}
	return convertImage(img, w, h), nil
}

// convertImage drops a decoded picture's alpha and brings it to w×h.
func convertImage(img image.Image, w, h int) *picture {
	p, ok := img.(*image.NRGBA)
	if !ok {
		p = imaging.Clone(img)
	}
	w0 := p.Rect.Dx()
	s := newSink(w0, p.Rect.Dy(), w, h)
	row := make([]byte, 3*w0)
	for y := range p.Rect.Dy() {
		line := p.Pix[y*p.Stride : y*p.Stride+4*w0]
		spread(row, line, 4, 0, 1, 2)
		s.add(row)
	}
	return s.finish()
}

// spread writes packed RGB from pixels of step bytes, whose red, green and blue
// lie at the offsets.
func spread(dst, row []byte, step, red, green, blue int) {
	for i := 0; i+2 < len(dst); i += 3 {
		p := row[:step:step]
		dst[i], dst[i+1], dst[i+2] = p[red], p[green], p[blue]
		row = row[step:]
	}
}

// errSlow sends a file through the standard library's decoder.
var errSlow = errors.New("not for reading by rows")

// imageRows decodes a PNG file of 8-bit samples.
func imageRows(name string, w, h int) (*picture, error) {
	r, err := pngrows.Open(name, maxPixels)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	head := r.Header()
	if head.Depth != 8 {
		return nil, errSlow
	}
	s := newSink(head.W, head.H, w, h)
	toRGB := rowConverter(r)
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return s.finish(), nil
		}
		if err != nil {
			s.finish()
			return nil, err
		}
		s.add(toRGB(row))
	}
}

// rowConverter returns what makes packed RGB of a file's rows of 8-bit samples.
// Its result is valid until its next call.
func rowConverter(r *pngrows.Reader) func(row []byte) []byte {
	head := r.Header()
	if head.ColorType == pngrows.RGB {
		return func(row []byte) []byte { return row }
	}
	out := make([]byte, 3*head.W)
	switch head.ColorType {
	case pngrows.RGBA:
		return func(row []byte) []byte { spread(out, row, 4, 0, 1, 2); return out }
	case pngrows.GrayAlpha:
		return func(row []byte) []byte { spread(out, row, 2, 0, 0, 0); return out }
	case pngrows.Gray:
		return func(row []byte) []byte { spread(out, row, 1, 0, 0, 0); return out }
	}
	var colours [256][3]uint8 // indices that the palette lacks are black
	copy(colours[:], r.Palette())
	return func(row []byte) []byte {
		for x, index := range row {
			copy(out[3*x:3*x+3], colours[index][:])
		}
		return out
	}
}
