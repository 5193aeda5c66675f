package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/internal/raster"
)

// result is the JSON answer to /v1/segment.
type result struct {
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	Classes []class `json:"classes"`
	// Runs are the labels, row by row from the upper left: class, how many pixels, class, …
	// Class 255 is void.
	Runs       []int `json:"runs"`
	Confidence *grid `json:"confidence,omitempty"` // where it is asked for and the model tells it
}

// class is a class of the model.
type class struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Color  string `json:"color"`            // #rrggbb
	Pixels *int   `json:"pixels,omitempty"` // of a result
}

// grid holds values that lie evenly over the image: 255 times the probability of the label, W × H of them.
type grid struct {
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Data   []byte `json:"data"` // base64 in JSON
}

// classesOf lists a model's classes.
func classesOf(s datasets.Space) []class {
	all := make([]class, len(s.Classes))
	for i, c := range s.Classes {
		all[i] = class{ID: i, Name: c.Name, Color: fmt.Sprintf("#%02x%02x%02x", c.Color[0], c.Color[1], c.Color[2])}
	}
	return all
}

// newResult counts and encodes labels. c may be nil.
func newResult(s datasets.Space, l *raster.Labels, c *predict.Confidence) result {
	r := result{Width: l.W, Height: l.H, Classes: classesOf(s)}
	pixels := make([]int, 256)
	for i := 0; i < len(l.Pix); {
		from, id := i, l.Pix[i]
		for i < len(l.Pix) && l.Pix[i] == id {
			i++
		}
		r.Runs = append(r.Runs, int(id), i-from)
		pixels[id] += i - from
	}
	for i := range r.Classes {
		r.Classes[i].Pixels = &pixels[i]
	}
	if c != nil {
		r.Confidence = &grid{Width: c.W, Height: c.H, Data: c.Pix}
	}
	return r
}

func (r result) encode() ([]byte, error) { return json.Marshal(r) }

// confidenceEdge is how many positions of confidence there are along an image's longer
// side, as many as a screen shows and a softmax over them is quick.
const confidenceEdge = 512

// confidenceSize is the grid of confidences for an image of w × h pixels.
func confidenceSize(w, h int) (int, int) {
	longer := max(w, h, confidenceEdge)
	return max(1, w*confidenceEdge/longer), max(1, h*confidenceEdge/longer)
}

// overlayQuality is that of cameras' JPEG files.
const overlayQuality = 92

// overlay draws the classes over the picture, in its memory.
func overlay(s datasets.Space, picture *image.NRGBA, l *raster.Labels, opacity float64) ([]byte, error) {
	s.Tint(picture, l, opacity)
	var b bytes.Buffer
	opaque := &image.RGBA{Pix: picture.Pix, Stride: picture.Stride, Rect: picture.Rect} // the same bytes; the encoder is faster with it
	if err := jpeg.Encode(&b, opaque, &jpeg.Options{Quality: overlayQuality}); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
