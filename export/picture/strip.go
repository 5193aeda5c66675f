package picture

import (
	"fmt"
	"image"

	"github.com/disintegration/imaging"

	"t2sda/datasets"
	"t2sda/internal/raster"
)

// Cell is one picture of a [Strip]: an image, or labels shown in the classes'
// colours, or with both the labels half transparent over the image. A cell
// without either stays empty.
type Cell struct {
	Image  *raster.Image
	Labels *raster.Labels
}

// StripRow is one line of a [Strip]: what the columns show of one sample.
type StripRow struct {
	Title string // file or sample id; may be empty
	Cells []Cell
}

// Geometry of a strip, pixels.
const (
	stripWidth   = 1800 // at most, unless there are very many columns
	stripMaxCell = 480
	stripMinCell = 160
	stripMargin  = 24
	stripGap     = 8
	// stripMaxRatio is the largest height over width of a cell: a picture that is narrower, perhaps one
	// pixel wide, is shown smaller, or all rows would be as high as that.
	stripMaxRatio = 2
)

// Strip draws rows of pictures under titled columns (source, pseudo-target,
// target, prediction before, after, truth …) with a legend of the classes below.
// Cells of a row may differ in size: each is fitted into its box. It returns an
// error when there is nothing to draw or when a row has not one cell per column.
func Strip(space datasets.Space, columns []string, rows []StripRow) (image.Image, error) {
	if len(columns) == 0 || len(rows) == 0 {
		return nil, fmt.Errorf("picture strip: %d columns, %d rows", len(columns), len(rows))
	}
	ratio := 0.0 // height over width, the largest of all cells
	for _, row := range rows {
		if len(row.Cells) != len(columns) {
			return nil, fmt.Errorf("picture strip: row %q has %d cells for %d columns", row.Title, len(row.Cells), len(columns))
		}
		for _, cell := range row.Cells {
			if w, h := cell.size(); w > 0 {
				ratio = max(ratio, float64(h)/float64(w))
			}
		}
	}
	if ratio == 0 {
		return nil, fmt.Errorf("picture strip: all %d rows are empty", len(rows))
	}
	cellW := (stripWidth - 2*stripMargin - stripGap*(len(columns)-1)) / len(columns)
	cellW = min(max(cellW, stripMinCell), stripMaxCell)
	return drawStrip(space, columns, rows, cellW, int(float64(cellW)*min(ratio, stripMaxRatio)+0.5)), nil
}

func drawStrip(space datasets.Space, columns []string, rows []StripRow, cellW, cellH int) image.Image {
	head, small := face(boldFont(), 26), face(regularFont(), 18)
	width := 2*stripMargin + len(columns)*(cellW+stripGap) - stripGap
	rowTop := func(i int) int { return stripMargin + 44 + i*(cellH+34) }
	legendTop := rowTop(len(rows)) + 8
	legend := layoutLegend(space, width-2*stripMargin, true)
	c := newCanvas(width, legendTop+legend.height+stripMargin)
	for j, title := range columns {
		x := stripMargin + j*(cellW+stripGap)
		c.text(head, x, stripMargin+22, left, ink, clipText(head, title, cellW))
	}
	for i, row := range rows {
		y := rowTop(i)
		for j, cell := range row.Cells {
			x := stripMargin + j*(cellW+stripGap)
			if picture := cell.Render(space, cellW, cellH); picture != nil {
				b := picture.Bounds()
				c.put(x+(cellW-b.Dx())/2, y+(cellH-b.Dy())/2, picture)
			}
		}
		c.text(small, stripMargin, y+cellH+20, left, faint, clipText(small, row.Title, width-2*stripMargin))
	}
	legend.draw(c, stripMargin, legendTop)
	return c.NRGBA
}

func (c Cell) size() (w, h int) {
	switch {
	case c.Image != nil:
		return c.Image.W, c.Image.H
	case c.Labels != nil:
		return c.Labels.W, c.Labels.H
	}
	return 0, 0
}

// Render draws the cell as large as fits into a box of pixels, in its own
// proportions; nil for an empty cell.
func (c Cell) Render(space datasets.Space, boxW, boxH int) image.Image {
	w, h := c.size()
	if w == 0 || h == 0 {
		return nil
	}
	scale := min(float64(boxW)/float64(w), float64(boxH)/float64(h))
	w, h = max(1, int(float64(w)*scale+0.5)), max(1, int(float64(h)*scale+0.5))
	if c.Labels == nil {
		return imaging.Resize(c.Image.NRGBA(), w, h, imaging.CatmullRom)
	}
	var picture *image.NRGBA
	if c.Image != nil {
		picture = space.Overlay(c.Image, c.Labels, 0.5)
	} else {
		picture = space.Colorize(c.Labels)
	}
	if scale < 1 {
		return imaging.Resize(picture, w, h, imaging.Box)
	}
	return imaging.Resize(picture, w, h, imaging.NearestNeighbor) // class borders stay sharp
}
