package report

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/jpeg"

	"t2sda/datasets"
	"t2sda/export/picture"
	"t2sda/export/score"
	"t2sda/internal/raster"
)

// Strip is a table of pictures: rows of samples under titled columns. The page
// lays it out to its own width; [picture.Strip] draws the same as one picture.
type Strip struct {
	Title, Caption string // either may be empty
	Columns        []string
	Rows           []picture.StripRow
}

// Size of a strip's pictures. On the page they are half as large or less, so
// that they are crisp on screens of high density.
const (
	cellSide    = 640 // pixels at most, width and height
	jpegQuality = 88
)

// Worst looks again at evaluated images, in the order of their scores
// ([score.Result.Worst]): the image, what predict says, the truth, and the image
// in pale grey with its wrong pixels in the colours of what they were taken for.
// d is the data set of the evaluation; predict returns labels of the image's
// size. It is an error when d has no image of a score's id.
func Worst(ctx context.Context, d *datasets.Dataset, predict func(context.Context, *raster.Image) (*raster.Labels, error), scores []score.ImageScore) (Strip, error) {
	s := Strip{
		Caption: "The images with the lowest share of right pixels, the worst one first.",
		Columns: []string{"image", "prediction", "truth", "wrong pixels"},
	}
	index := make(map[string]int, d.Len())
	for i := range d.Len() {
		index[d.Item(i).ID] = i
	}
	for _, one := range scores {
		i, ok := index[one.ID]
		if !ok {
			return Strip{}, fmt.Errorf("worst images: data set %s has no image %s", d.Root(), one.ID)
		}
		sample, err := d.LoadScored(ctx, i)
		if err != nil {
			return Strip{}, fmt.Errorf("worst images: %w", err)
		}
		truth := sample.Labels.ResizeNearest(sample.Image.W, sample.Image.H)
		labels, err := predict(ctx, sample.Image)
		if err != nil {
			return Strip{}, fmt.Errorf("worst images: %s: %w", one.ID, err)
		}
		s.Rows = append(s.Rows, picture.StripRow{
			Title: fmt.Sprintf("%s: %s %% of the pixels right, mIoU %s %%", one.ID, one.PixelAccuracy.Short(), one.MIoU.Short()),
			Cells: []picture.Cell{
				{Image: sample.Image},
				{Labels: labels},
				{Labels: truth},
				{Image: wrong(d.Space(), sample.Image, labels, truth)},
			},
		})
	}
	return s, nil
}

// wrong paints the pixels whose prediction differs from the truth in the colour
// of the prediction, black for void, over a pale grey image. Void truth is never
// wrong. The labels are brought to the image's size.
func wrong(space datasets.Space, img *raster.Image, prediction, truth *raster.Labels) *raster.Image {
	prediction, truth = prediction.ResizeNearest(img.W, img.H), truth.ResizeNearest(img.W, img.H)
	out := raster.NewImage(img.W, img.H)
	r, g, b := img.Plane(0), img.Plane(1), img.Plane(2)
	for i, id := range prediction.Pix {
		grey := 0.299*r[i] + 0.587*g[i] + 0.114*b[i] // ITU-R BT.601
		pale := 255 - 0.4*(255-grey)
		pixel := [3]float32{pale, pale, pale}
		if truth.Pix[i] != raster.Void && truth.Pix[i] != id {
			pixel = [3]float32{}
			if int(id) < len(space.Classes) {
				for c, v := range space.Classes[id].Color {
					pixel[c] = float32(v)
				}
			}
		}
		for c, v := range pixel {
			out.Plane(c)[i] = v
		}
	}
	return out
}

// pageStrip is a [Strip] as the template sees it.
type pageStrip struct {
	Title, Caption string
	Columns        int
	Rows           []pageStripRow
}

type pageStripRow struct {
	Title string
	Cells []pageCell
}

// pageCell is a picture under its column's title; without Source it stays empty.
type pageCell struct {
	Column, Alt string
	Source      template.URL
}

// lay encodes a strip's pictures. It returns an error when a row has not one
// cell per column.
func (s Strip) lay(space datasets.Space) (pageStrip, error) {
	out := pageStrip{Title: s.Title, Caption: s.Caption, Columns: len(s.Columns)}
	for _, row := range s.Rows {
		if len(row.Cells) != len(s.Columns) {
			return out, fmt.Errorf("strip %q: row %q has %d cells for %d columns", s.Title, row.Title, len(row.Cells), len(s.Columns))
		}
		line := pageStripRow{Title: row.Title}
		for j, cell := range row.Cells {
			source, err := encodeCell(space, cell)
			if err != nil {
				return out, fmt.Errorf("strip %q: row %q: %w", s.Title, row.Title, err)
			}
			line.Cells = append(line.Cells, pageCell{Column: s.Columns[j], Alt: s.Columns[j] + ": " + row.Title, Source: source})
		}
		out.Rows = append(out.Rows, line)
	}
	return out, nil
}

// encodeCell returns photographs as JPEG and label maps, whose borders are to
// stay sharp, as PNG. Photographs are not enlarged: a browser does that as well.
func encodeCell(space datasets.Space, c picture.Cell) (template.URL, error) {
	box := cellSide
	if c.Image != nil && c.Labels == nil {
		box = min(box, max(c.Image.W, c.Image.H))
	}
	drawn := c.Render(space, box, box)
	switch {
	case drawn == nil:
		return "", nil
	case c.Image == nil:
		return pngURL(drawn)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, drawn, &jpeg.Options{Quality: jpegQuality}); err != nil {
		return "", err
	}
	return dataURL("image/jpeg", b.Bytes()), nil
}

// dataURL embeds a picture that this program encoded.
func dataURL(kind string, data []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data))
}
