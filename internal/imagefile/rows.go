package imagefile

import (
	"bytes"
	"errors"
	"image"
	"io"

	"github.com/disintegration/imaging"

	"t2sda/internal/jpegrows"
	"t2sda/internal/limit"
	"t2sda/internal/pngrows"
	"t2sda/internal/raster"
)

// Rows yields the rows of an upright picture as packed RGB, 8 bits a sample:
// three equal ones where it is gray, the upper 8 of 16 bits, alpha dropped. It is
// for one goroutine.
type Rows struct {
	W, H  int
	name  string
	y     int
	row   func(y int) ([]byte, error) // rows are asked for in order
	close func()
}

// Open reads a file for its rows. Errors name the file.
//
// PNG and JPEG files that are stored upright, which is what data sets consist of,
// are turned into colours row by row: no picture is made of them.
func (s Source) Open(name string) (*Rows, error) {
	f, err := s(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return openRows(f, name, func() (Header, error) { return fileHeader(f, name) })
}

// Of is [Source.Open] of what a file would hold; errors call it by name.
func Of(name string, content []byte) (*Rows, error) {
	return openRows(bytes.NewReader(content), name, func() (Header, error) { return HeaderOf(name, content) })
}

// openRows opens f; the header is read where it is needed.
func openRows(f io.ReaderAt, name string, header func() (Header, error)) (*Rows, error) {
	r := &Rows{name: name, close: func() {}}
	if format, _ := sniff(f, name); format == PNG && r.openPNG(f) == nil {
		return r, nil
	}
	h, err := header()
	if err != nil {
		return nil, err
	}
	if h.Format == JPEG {
		err = r.openJPEG(f, h)
	} else {
		err = r.openOther(f, h)
	}
	if err != nil {
		return nil, decodeError(name, h.Format, err)
	}
	return r, nil
}

// Next returns the next row, 3·W bytes, valid until the next call; after the last
// one io.EOF.
func (r *Rows) Next() ([]byte, error) {
	if r.y == r.H {
		return nil, io.EOF
	}
	row, err := r.row(r.y)
	if err != nil {
		return nil, decodeError(r.name, "", err)
	}
	r.y++
	return row, nil
}

// Close gives back what the rows take. Rows are then invalid.
func (r *Rows) Close() { r.close() }

// openPNG takes what [pngrows] reads. Its errors leave the file for another
// decoder, which says what is wrong.
func (r *Rows) openPNG(f io.ReaderAt) error {
	most, err := limit.Pixels()
	if err != nil {
		return err
	}
	png, err := pngrows.New(io.NewSectionReader(f, 0, 1<<62), most)
	if err != nil {
		return err
	}
	head, toRGB := png.Header(), rgbOf(png)
	o := exifOrientation(png.EXIF())
	next := func(int) ([]byte, error) {
		row, err := png.Next()
		if err != nil {
			return nil, err
		}
		return toRGB(row), nil
	}
	if o == Upright {
		r.W, r.H, r.row, r.close = head.W, head.H, next, png.Close
		return nil
	}
	defer png.Close()
	return r.turn(o, head.W, head.H, next)
}

func (r *Rows) openJPEG(f io.ReaderAt, h Header) error {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<62))
	if err != nil {
		return err
	}
	p, err := jpegrows.Decode(data)
	if err != nil {
		return err
	}
	next := func(y int) ([]byte, error) { return p.Row(y), nil }
	if h.Orientation == Upright {
		r.W, r.H, r.row = p.W, p.H, next
		return nil
	}
	return r.turn(h.Orientation, p.W, p.H, next)
}

func (r *Rows) openOther(f io.ReaderAt, h Header) error {
	img, err := decode(f, h.Format)
	if err != nil {
		return err
	}
	next := vp8Rows(img)
	if next == nil {
		p, ok := img.(*image.NRGBA)
		if !ok {
			p = imaging.Clone(img)
		}
		row := make([]byte, 3*p.Rect.Dx())
		next = func(y int) ([]byte, error) {
			spread(row, p.Pix[y*p.Stride:], 4, 0, 1, 2)
			return row, nil
		}
	}
	return r.turn(h.Orientation, img.Bounds().Dx(), img.Bounds().Dy(), next)
}

// turn reads the w×h pixels as stored and turns them upright.
func (r *Rows) turn(o Orientation, w, h int, next func(y int) ([]byte, error)) error {
	r.W, r.H = o.Size(w, h)
	if o == Upright {
		r.row = next
		return nil
	}
	pix := make([]byte, 0, 3*w*h)
	for y := range h {
		row, err := next(y)
		if err != nil {
			return err
		}
		pix = append(pix, row...)
	}
	pix = o.Turn(pix, w, h, 3)
	r.row = func(y int) ([]byte, error) { return pix[3*r.W*y : 3*r.W*(y+1)], nil }
	return nil
}

// Read reads a picture on disk whole. Errors name the file.
func Read(name string) (*raster.Image, error) {
	r, err := Disk.Open(name)
	if err != nil {
		return nil, err
	}
	return r.image()
}

// ReadOf is [Read] of what a file would hold; errors call it by name.
func ReadOf(name string, content []byte) (*raster.Image, error) {
	r, err := Of(name, content)
	if err != nil {
		return nil, err
	}
	return r.image()
}

// image makes a picture of all rows, and closes them.
func (r *Rows) image() (*raster.Image, error) {
	defer r.Close()
	m := raster.NewImage(r.W, r.H)
	red, green, blue := m.Plane(0), m.Plane(1), m.Plane(2)
	for i := 0; ; {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return nil, err
		}
		for ; len(row) >= 3; row = row[3:] {
			red[i], green[i], blue[i] = float32(row[0]), float32(row[1]), float32(row[2])
			i++
		}
	}
}

// Verify reads a file whole and reports what is wrong with it.
func (s Source) Verify(name string) (Header, error) {
	f, err := s(name)
	if err != nil {
		return Header{}, err
	}
	defer f.Close()
	if p, h, err := openPNG(f); err == nil {
		// Inflating and comparing checksums tells the same as decoding for half of its time.
		defer p.Close()
		if err := p.Verify(); err != nil {
			return h, decodeError(name, PNG, err)
		}
		return h, nil
	}
	h, err := fileHeader(f, name)
	if err != nil {
		return h, err
	}
	r, err := openRows(f, name, func() (Header, error) { return h, nil })
	if err != nil {
		return h, err
	}
	defer r.Close()
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return h, nil
		} else if err != nil {
			return h, err
		}
	}
}
