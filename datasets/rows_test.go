package datasets

import (
	"fmt"
	"image"
	"image/color"
	"path/filepath"
	"testing"

	"github.com/disintegration/imaging"
	"github.com/google/go-cmp/cmp"
)

// pngKinds are pictures of every kind that PNG files have, the same noise in all
// of them as far as they can hold it; ids of 0–18.
func pngKinds(w, h int) map[string]image.Image {
	rect := image.Rect(0, 0, w, h)
	p := photo(4, w, h)
	gray, gray16 := image.NewGray(rect), image.NewGray16(rect)
	alpha, deep, deepAlpha := image.NewNRGBA(rect), image.NewNRGBA64(rect), image.NewNRGBA64(rect)
	palette := make(color.Palette, 19)
	for i := range palette {
		palette[i] = color.NRGBA{uint8(18 - i), uint8(i), uint8(13 * i), uint8(255 - 100*(i%2))}
	}
	index := image.NewPaletted(rect, palette)
	for i := range w * h {
		for c := range 3 {
			p.Pix[4*i+c] %= 19
		}
		id := uint16(p.Pix[4*i])
		gray.Pix[i], index.Pix[i] = uint8(id), uint8(id)
		c := color.NRGBA64{id, uint16(p.Pix[4*i+1]), uint16(p.Pix[4*i+2]), 65535}
		gray16.SetGray16(i%w, i/w, color.Gray16{id})
		deep.SetNRGBA64(i%w, i/w, c)
		c.A = 3000
		deepAlpha.SetNRGBA64(i%w, i/w, c)
		copy(alpha.Pix[4*i:], p.Pix[4*i:4*i+3])
		alpha.Pix[4*i+3] = uint8(i)
	}
	return map[string]image.Image{
		"colour": p, "gray": gray, "16-bit gray": gray16, "alpha": alpha,
		"16-bit colour": deep, "16-bit alpha": deepAlpha, "palette": index,
	}
}

// Reading by rows gives what the standard library's pictures do.
func TestImageRows(t *testing.T) {
	for kind, img := range pngKinds(33, 21) {
		name := writePicture(t, filepath.Join(t.TempDir(), "a.png"), img)
		for _, size := range [][2]int{{0, 0}, {33, 21}, {20, 12}, {50, 21}} {
			whole := imaging.Clone(img)
			s := newSink(33, 21, size[0], size[1])
			for y := range 21 {
				var row []byte
				for x := range 33 {
					row = append(row, whole.Pix[y*whole.Stride+4*x:][:3]...)
				}
				s.add(row)
			}
			got, err := decodeImage(fromDisk, name, size[0], size[1])
			if err != nil {
				t.Fatal(err)
			}
			if !cmp.Equal(s.finish(), got, cmp.AllowUnexported(picture{})) {
				t.Errorf("%s to %v: another picture", kind, size)
			}
		}
	}
}

func TestLabelRows(t *testing.T) {
	m, err := LoadLabelMap("cityscapes-trainids")
	if err != nil {
		t.Fatal(err)
	}
	for kind, img := range pngKinds(33, 21) {
		name := writePicture(t, filepath.Join(t.TempDir(), "a.png"), img)
		for channel := noChannel; channel < 3; channel++ {
			whole, wantErr := decodeWhole(fromDisk, name, m, channel)
			for _, size := range [][2]int{{0, 0}, {33, 21}, {20, 12}, {50, 60}, {1, 1}} {
				got, err := labelRows(fromDisk, name, m, channel, size[0], size[1])
				if (err != nil) != (wantErr != nil) {
					t.Fatalf("%s, channel %d: %v, the whole picture: %v", kind, channel, err, wantErr)
				}
				if err != nil {
					continue
				}
				want := whole
				if size[0] > 0 {
					want = whole.ResizeNearest(size[0], size[1])
				}
				if !cmp.Equal(want, got.Labels) || got.w0 != 33 || got.h0 != 21 {
					t.Errorf("%s, channel %d, to %v: other labels", kind, channel, size)
				}
			}
		}
	}
}

// An id that the map lacks is an error in rows and columns that the size drops,
// too, and the message is the decoder's.
func TestLabelRowsFindEveryID(t *testing.T) {
	m, err := LoadLabelMap("cityscapes-trainids")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []image.Point{{0, 0}, {31, 5}, {40, 20}, {17, 11}} {
		for name, img := range map[string]image.Image{
			"8 bits":  grayIDs(41, 21, func(x, y int) uint8 { return map[bool]uint8{true: 99}[x == at.X && y == at.Y] }),
			"16 bits": wideIDs(41, 21, func(x, y int) uint16 { return map[bool]uint16{true: 3000}[x == at.X && y == at.Y] }),
		} {
			file := writePicture(t, filepath.Join(t.TempDir(), "a.png"), img)
			if _, err := labelRows(fromDisk, file, m, noChannel, 4, 4); err == nil {
				t.Errorf("%s at %v: accepted", name, at)
			}
			_, err := decodeIDMap(fromDisk, file, m, noChannel, 4, 4)
			wantError(t, err, file, fmt.Sprintf("at column %d, row %d is not in label map", at.X, at.Y))
		}
	}
}

func wideIDs(w, h int, id func(x, y int) uint16) *image.Gray16 {
	img := image.NewGray16(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray16(x, y, color.Gray16{Y: id(x, y)})
		}
	}
	return img
}
