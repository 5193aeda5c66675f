package serve

import (
	"errors"
	"fmt"
	"image"
	"io"
	"net/http"

	"t2sda/export/predict"
	"t2sda/internal/imagefile"
	"t2sda/internal/limit"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
)

// theImage is what errors call the image of a request.
const theImage = "the image"

// picture is a decoded image.
type picture struct {
	w, h  int           // of the image, upright
	input *raster.Image // at the size that the model wants
	whole *image.NRGBA  // at its own size; nil where that is not needed
}

// decode reads an image's file for a model, of at most so many pixels, row by row: what is kept has
// the size that the model wants, or the image's own, and with whole its own size as well.
func decode(content []byte, p *predict.Predictor, most int, whole bool) (*picture, error) {
	if err := checkHeader(content, most); err != nil {
		return nil, err
	}
	rows, err := imagefile.Of(theImage, content)
	if err != nil {
		return nil, unreadable(err)
	}
	defer rows.Close()
	if err := checkDemand(p, rows.W, rows.H, most); err != nil {
		return nil, err
	}
	w, h := p.ImageSize()
	if w == 0 {
		w, h = rows.W, rows.H
	}
	pic := &picture{w: rows.W, h: rows.H}
	if whole {
		pic.whole = image.NewNRGBA(image.Rect(0, 0, rows.W, rows.H))
	}
	packed := make([]byte, 3*w*h)
	take := func(row []byte, y int) { copy(packed[3*w*y:], row) }
	if w != rows.W || h != rows.H {
		scale := resize.New(packed, rows.W, rows.H, w, h)
		defer scale.Done()
		take = func(row []byte, _ int) { scale.Add(row) }
	}
	for y := 0; ; y++ {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable(err)
		}
		take(row, y)
		if whole {
			opaque(pic.whole.Pix[y*pic.whole.Stride:], row)
		}
	}
	pic.input = raster.FromRGB(packed, w, h)
	return pic, nil
}

// opaque writes a row of packed RGB.
func opaque(dst, row []byte) {
	for i := 0; i+2 < len(row); i += 3 {
		p := dst[i/3*4:][:4:4]
		p[0], p[1], p[2], p[3] = row[i], row[i+1], row[i+2], 255
	}
}

// checkHeader refuses an image by what its header says of its size.
func checkHeader(content []byte, most int) error {
	head, err := imagefile.HeaderOf(theImage, content)
	if beyond := new(limit.Beyond); errors.As(err, &beyond) {
		head.W, head.H = beyond.W, beyond.H
	} else if err != nil {
		return unreadable(err)
	}
	if head.H > most/head.W {
		return problemf(http.StatusRequestEntityTooLarge, "%s has %d×%d pixels, more than the %d that are taken: send it smaller", theImage, head.W, head.H, most)
	}
	if err != nil {
		return unreadable(err)
	}
	return nil
}

// A model may make a picture of an image that has mostFold times the pixels that images may have, or
// fourfold those that it makes of a square, and anyPixels in any case: sides become multiples of what the
// model takes, or as long as it wants one, and narrow images grow by that.
const (
	mostFold  = 2
	fourfold  = 4
	anyPixels = 1 << 20
)

// checkDemand refuses an image of which the model makes a much larger picture.
func checkDemand(p *predict.Predictor, w, h, most int) error {
	if fixed, _ := p.ImageSize(); fixed > 0 {
		return nil // whatever the image
	}
	square, err := p.Demand(1, 1)
	if err != nil {
		return err
	}
	bound := max(mostFold*most, fourfold*square, anyPixels)
	pixels, err := p.Demand(w, h)
	switch {
	case err != nil:
		return problemf(http.StatusRequestEntityTooLarge, "%s of %d×%d pixels: %v: send a part of it", theImage, w, h, err)
	case pixels > bound:
		return problemf(http.StatusRequestEntityTooLarge, "%s of %d×%d pixels would be one of %d for the model, more than the %d that are taken: send a part of it", theImage, w, h, pixels, bound)
	}
	return nil
}

// unreadable is the answer to a file that is no image.
func unreadable(err error) error {
	return &problem{Status: http.StatusUnprocessableEntity, Title: http.StatusText(http.StatusUnprocessableEntity), Detail: fmt.Sprint(err)}
}
