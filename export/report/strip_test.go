package report

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image"
	_ "image/jpeg" // of photographs
	_ "image/png"  // of label maps
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/export/exporttest"
	"t2sda/export/picture"
	"t2sda/export/score"
	"t2sda/internal/raster"
)

// constant returns a map of 64×32 pixels of one class.
func constant(id uint8) *raster.Labels {
	l := raster.NewLabels(64, 32)
	for i := range l.Pix {
		l.Pix[i] = id
	}
	return l
}

func TestWorst(t *testing.T) {
	s := exporttest.NewSet(t)
	for i, id := range []string{"a", "b", "c"} {
		s.Add(id, raster.NewImage(64, 32), constant(uint8(i)))
	}
	d := s.Open()
	predict := func(_ context.Context, img *raster.Image) (*raster.Labels, error) { return constant(4), nil }
	scores := []score.ImageScore{{ID: "c", PixelAccuracy: 0.125, MIoU: 0.25}, {ID: "a", PixelAccuracy: 0.5, MIoU: 0.5}}
	strip, err := Worst(t.Context(), d, predict, scores)
	if err != nil {
		t.Fatal(err)
	}
	if len(strip.Rows) != 2 || strip.Rows[0].Title != "c: 12.5 % of the pixels right, mIoU 25.0 %" || !strings.HasPrefix(strip.Rows[1].Title, "a: 50.0 %") {
		t.Fatalf("rows %v", strip.Rows)
	}
	cells := strip.Rows[0].Cells
	if len(cells) != len(strip.Columns) || cells[1].Labels.Pix[0] != 4 || cells[2].Labels.Pix[0] != 2 || cells[0].Image == nil || cells[3].Image == nil {
		t.Errorf("columns %v, cells %v", strip.Columns, cells)
	}
	if _, err := Worst(t.Context(), d, predict, []score.ImageScore{{ID: "z"}}); err == nil || !strings.Contains(err.Error(), s.Root+" has no image z") {
		t.Errorf("an unknown image: %v", err)
	}
	broken := func(context.Context, *raster.Image) (*raster.Labels, error) { return nil, errors.New("no session") }
	if _, err := Worst(t.Context(), d, broken, scores); err == nil || !strings.Contains(err.Error(), "c: no session") {
		t.Errorf("a failing model: %v", err)
	}
}

// TestWrong: a right pixel, a wrong one, void truth and void predicted, on an
// image of grey 155, which becomes 255 − 0.4·100 = 215.
func TestWrong(t *testing.T) {
	img := raster.NewImage(4, 1)
	for i := range img.Pix {
		img.Pix[i] = 155
	}
	space := exporttest.FiveClasses()
	space.Classes[1].Color = [3]uint8{10, 20, 30}
	got := wrong(space, img, row(1, 1, 1, raster.Void), row(1, 0, raster.Void, 0)).NRGBA().Pix
	want := []uint8{215, 215, 215, 255, 10, 20, 30, 255, 215, 215, 215, 255, 0, 0, 0, 255}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEncodedCells: photographs are JPEG at their own size or smaller, label
// maps PNG enlarged without blur.
func TestEncodedCells(t *testing.T) {
	space := exporttest.FiveClasses()
	for _, tt := range []struct {
		name   string
		cell   picture.Cell
		format string
		size   image.Point
	}{
		{"small photograph", picture.Cell{Image: raster.NewImage(64, 32)}, "jpeg", image.Pt(64, 32)},
		{"large photograph", picture.Cell{Image: raster.NewImage(2048, 1024)}, "jpeg", image.Pt(640, 320)},
		{"tall photograph", picture.Cell{Image: raster.NewImage(320, 1280)}, "jpeg", image.Pt(160, 640)},
		{"labels", picture.Cell{Labels: constant(1)}, "png", image.Pt(640, 320)},
		{"both", picture.Cell{Image: raster.NewImage(64, 32), Labels: constant(1)}, "jpeg", image.Pt(640, 320)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url, err := encodeCell(space, tt.cell)
			if err != nil {
				t.Fatal(err)
			}
			prefix := "data:image/" + tt.format + ";base64,"
			data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(url), prefix))
			if err != nil {
				t.Fatalf("%.40s…: %v", url, err)
			}
			m, format, err := image.Decode(bytes.NewReader(data))
			if err != nil || format != tt.format || m.Bounds().Size() != tt.size {
				t.Fatalf("%s of %v (%v), want %s of %v", format, m.Bounds().Size(), err, tt.format, tt.size)
			}
			if tt.cell.Image != nil {
				return
			}
			c, at := space.Classes[1].Color, m.At(639, 319)
			if r, g, b, _ := at.RGBA(); r>>8 != uint32(c[0]) || g>>8 != uint32(c[1]) || b>>8 != uint32(c[2]) {
				t.Errorf("the label's colour is %v, want %v", at, c)
			}
		})
	}
	if url, err := encodeCell(space, picture.Cell{}); url != "" || err != nil {
		t.Errorf("an empty cell is %q, %v", url, err)
	}
}
