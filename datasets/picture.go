package datasets

import (
	"errors"
	"io"

	"t2sda/internal/imagefile"
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

// ReadImage reads an image file as [Dataset.LoadImage] does, at its own size.
// Errors name the file.
func ReadImage(name string) (*raster.Image, error) {
	m, err := imagefile.Read(name)
	if err != nil {
		return nil, readError("image", err)
	}
	return m, nil
}

// decodeImage reads an image file as opaque 8-bit colour and brings it to w×h (0×0:
// as it is), row by row.
func decodeImage(src imagefile.Source, name string, w, h int) (*picture, error) {
	r, err := src.Open(name)
	if err != nil {
		return nil, readError("image", err)
	}
	defer r.Close()
	s := newSink(r.W, r.H, w, h)
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return s.finish(), nil
		}
		if err != nil {
			s.finish()
			return nil, readError("image", err)
		}
		s.add(row)
	}
}
