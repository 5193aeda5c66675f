package imagefile

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"t2sda/internal/limit"
	"t2sda/internal/pngrows"
)

// OpenPNG opens a PNG file for reading its samples by rows. They come as they are
// stored, the reader's header has their size: what becomes of them is to be turned by
// Orientation. Other formats and interlaced files are errors that do not name the
// file; [Source.Samples] reads them, and says what is wrong with a file.
func (s Source) OpenPNG(name string) (*pngrows.Reader, Header, error) {
	f, err := s(name)
	if err != nil {
		return nil, Header{}, err
	}
	defer f.Close()
	return openPNG(f)
}

func openPNG(f io.ReaderAt) (*pngrows.Reader, Header, error) {
	most, err := limit.Pixels()
	if err != nil {
		return nil, Header{}, err
	}
	r, err := pngrows.New(io.NewSectionReader(f, 0, 1<<62), most)
	if err != nil {
		return nil, Header{}, err
	}
	p := r.Header()
	h := Header{Format: PNG, Depth: p.Depth, Colour: p.ColorType == pngrows.RGB || p.ColorType == pngrows.RGBA, Kind: pngKind(p.Depth, p.ColorType)}
	h.Orientation = exifOrientation(r.EXIF())
	h.W, h.H = h.Orientation.Size(p.W, p.H)
	return r, h, nil
}

// Samples decodes a label file: the upright picture in the type of the standard
// library that keeps its samples as they are. Lossy formats are refused: what they
// do to a picture, they must not do to ids. Errors name the file.
func (s Source) Samples(name string) (image.Image, Header, error) {
	f, h, err := s.open(name)
	if err != nil {
		return nil, h, err
	}
	defer f.Close()
	if h.Lossy {
		return nil, h, fmt.Errorf("%s is a %s: coding with loss changes ids, so that no label can be kept in it (make a PNG of what it was made from)", name, h.Kind)
	}
	img, err := decode(f, h.Format)
	if err != nil {
		return nil, h, decodeError(name, h.Format, err)
	}
	img, err = turned(img, h.Orientation)
	if err != nil {
		return nil, h, fmt.Errorf("%s: %w", name, err)
	}
	return img, h, nil
}

// decode reads a whole file but JPEG.
func decode(f io.ReaderAt, format Format) (image.Image, error) {
	decoder := map[Format]func(io.Reader) (image.Image, error){
		PNG: png.Decode, BMP: bmp.Decode, WebP: webp.Decode,
		TIFF: func(io.Reader) (image.Image, error) { return decodeTIFF(f) },
		GIF:  func(io.Reader) (image.Image, error) { return decodeGIF(f) },
	}[format]
	if decoder == nil {
		return nil, errors.New("no decoder for " + string(format))
	}
	return decoder(whole(f))
}

// turned returns a picture upright. It takes the types that [decode] makes.
func turned(img image.Image, o Orientation) (image.Image, error) {
	if o == Upright {
		return img, nil
	}
	w, h := o.Size(img.Bounds().Dx(), img.Bounds().Dy())
	to := image.Rect(0, 0, w, h)
	turn := func(pix []byte, step int) ([]byte, int) {
		b := img.Bounds()
		return o.Turn(pix, b.Dx(), b.Dy(), step), step * w
	}
	switch p := img.(type) {
	case *image.Gray:
		pix, stride := turn(p.Pix, 1)
		return &image.Gray{Pix: pix, Stride: stride, Rect: to}, nil
	case *image.Paletted:
		pix, stride := turn(p.Pix, 1)
		return &image.Paletted{Pix: pix, Stride: stride, Rect: to, Palette: p.Palette}, nil
	case *image.Gray16:
		pix, stride := turn(p.Pix, 2)
		return &image.Gray16{Pix: pix, Stride: stride, Rect: to}, nil
	case *image.RGBA:
		pix, stride := turn(p.Pix, 4)
		return &image.RGBA{Pix: pix, Stride: stride, Rect: to}, nil
	case *image.NRGBA:
		pix, stride := turn(p.Pix, 4)
		return &image.NRGBA{Pix: pix, Stride: stride, Rect: to}, nil
	case *image.RGBA64:
		pix, stride := turn(p.Pix, 8)
		return &image.RGBA64{Pix: pix, Stride: stride, Rect: to}, nil
	case *image.NRGBA64:
		pix, stride := turn(p.Pix, 8)
		return &image.NRGBA64{Pix: pix, Stride: stride, Rect: to}, nil
	}
	return nil, fmt.Errorf("pictures of type %T cannot be turned", img)
}
