package raster

import (
	"image"
	"image/color"
	"math"
	"slices"
	"testing"
)

// numbered returns a picture whose every value tells channel, row and column.
func numbered(w, h int) (*Image, *Labels) {
	m, l := NewImage(w, h), NewLabels(w, h)
	for c := range 3 {
		for y := range h {
			for x := range w {
				m.Pix[(c*h+y)*w+x] = float32(100*c + 10*y + x)
				l.Pix[y*w+x] = uint8(10*y + x)
			}
		}
	}
	return m, l
}

func TestPlaneIsAView(t *testing.T) {
	m, _ := numbered(3, 2)
	if got := m.Plane(1); !slices.Equal(got, []float32{100, 101, 102, 110, 111, 112}) || cap(got) != len(got) {
		t.Errorf("green is %v, capacity %d", got, cap(got))
	}
	m.Plane(2)[0] = -1
	if m.Pix[12] != -1 {
		t.Error("a plane is a copy")
	}
}

func TestCrop(t *testing.T) {
	m, l := numbered(5, 4)
	cut, labels := m.Crop(2, 1, 3, 2), l.Crop(2, 1, 3, 2)
	for c := range 3 {
		for y := range 2 {
			for x := range 3 {
				if got, want := cut.Plane(c)[y*3+x], float32(100*c+10*(y+1)+x+2); got != want {
					t.Errorf("channel %d at (%d,%d): have %g, want %g", c, x, y, got, want)
				}
			}
		}
	}
	if !slices.Equal(labels.Pix, []uint8{12, 13, 14, 22, 23, 24}) {
		t.Errorf("labels %v", labels.Pix)
	}
	cut.Pix[0], labels.Pix[0] = -1, 99
	if m.Pix[7] == -1 || l.Pix[7] == 99 {
		t.Error("a crop shares memory")
	}
	if whole := m.Crop(0, 0, 5, 4); !slices.Equal(whole.Pix, m.Pix) {
		t.Error("the whole picture as a crop differs")
	}
}

func TestCropPanicsOutside(t *testing.T) {
	m, l := numbered(5, 4)
	for _, r := range [][4]int{{-1, 0, 2, 2}, {0, -1, 2, 2}, {4, 0, 2, 2}, {0, 3, 2, 2}, {0, 0, -1, 2}} {
		for name, crop := range map[string]func(){
			"image":  func() { m.Crop(r[0], r[1], r[2], r[3]) },
			"labels": func() { l.Crop(r[0], r[1], r[2], r[3]) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: crop %v did not panic", name, r)
					}
				}()
				crop()
			}()
		}
	}
}

func TestFlip(t *testing.T) {
	for _, w := range []int{1, 4, 5} {
		m, l := numbered(w, 3)
		m.FlipH()
		l.FlipH()
		for i := range l.Pix {
			x, y := i%w, i/w
			if l.Pix[i] != uint8(10*y+w-1-x) || m.Plane(2)[i] != float32(200+10*y+w-1-x) {
				t.Fatalf("width %d at (%d,%d): label %d, blue %g", w, x, y, l.Pix[i], m.Plane(2)[i])
			}
		}
		m.FlipH()
		l.FlipH()
		if same, labels := numbered(w, 3); !slices.Equal(m.Pix, same.Pix) || !slices.Equal(l.Pix, labels.Pix) {
			t.Errorf("width %d: flipping twice is not the identity", w)
		}
	}
}

func TestCloneSharesNothing(t *testing.T) {
	m, l := numbered(2, 2)
	a, b := m.Clone(), l.Clone()
	a.Pix[0], b.Pix[0] = -1, 99
	if m.Pix[0] == -1 || l.Pix[0] == 99 || a.W != 2 || b.H != 2 {
		t.Error("a clone shares memory or lost its size")
	}
}

// TestExact8Bit: every 8-bit value survives the way in and out, from whatever
// kind of picture and wherever its bounds begin.
func TestExact8Bit(t *testing.T) {
	bounds := image.Rect(3, 5, 19, 21)
	palette := color.Palette{}
	for i := range 256 {
		palette = append(palette, color.NRGBA{uint8(i), uint8(255 - i), uint8(i / 2), 255})
	}
	nrgba, rgba, gray, paletted := image.NewNRGBA(bounds), image.NewRGBA(bounds), image.NewGray(bounds), image.NewPaletted(bounds, palette)
	for i := range 256 {
		x, y := bounds.Min.X+i%16, bounds.Min.Y+i/16
		nrgba.Set(x, y, palette[i])
		rgba.Set(x, y, palette[i])
		gray.SetGray(x, y, color.Gray{Y: uint8(i)})
		paletted.SetColorIndex(x, y, uint8(i))
	}
	for name, src := range map[string]image.Image{"NRGBA": nrgba, "RGBA": rgba, "paletted": paletted, "gray": gray} {
		m := FromImage(src)
		back := m.NRGBA()
		for i := range 256 {
			want := palette[i].(color.NRGBA)
			if name == "gray" {
				want = color.NRGBA{uint8(i), uint8(i), uint8(i), 255}
			}
			if got := back.NRGBAAt(i%16, i/16); got != want || m.Plane(0)[i] != float32(want.R) {
				t.Fatalf("%s: value %d became %v, want %v", name, i, got, want)
			}
		}
	}
}

// TestSubImage: the picture that a view shows, not that of its memory's start.
func TestSubImage(t *testing.T) {
	whole := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	whole.Set(2, 3, color.NRGBA{9, 8, 7, 255})
	if m := FromImage(whole.SubImage(image.Rect(2, 2, 4, 4))); m.W != 2 || m.H != 2 || m.Plane(0)[2] != 9 || m.Plane(2)[2] != 7 {
		t.Errorf("have %+v", m)
	}
}

func TestRounding(t *testing.T) {
	m := NewImage(1, 1)
	for _, c := range []struct {
		v    float64
		want uint8
	}{{-3, 0}, {0.49, 0}, {0.5, 1}, {254.4, 254}, {254.5, 255}, {300, 255}, {math.NaN(), 0}, {math.Inf(1), 255}, {math.Inf(-1), 0}} {
		m.Pix[0] = float32(c.v)
		if got := m.NRGBA().NRGBAAt(0, 0).R; got != c.want {
			t.Errorf("%g becomes %d, want %d", c.v, got, c.want)
		}
	}
}

func TestResizeNearest(t *testing.T) {
	l := &Labels{W: 4, H: 2, Pix: []uint8{1, 2, 3, 4, 5, 6, 7, Void}}
	for _, c := range []struct {
		w, h int
		want []uint8
	}{
		{4, 2, l.Pix},
		{2, 1, []uint8{6, Void}}, // the pixels whose centres lie right below the new centres
		{8, 2, []uint8{1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, Void, Void}},
	} {
		if got := l.ResizeNearest(c.w, c.h); !slices.Equal(got.Pix, c.want) || got.W != c.w || got.H != c.h {
			t.Errorf("%d×%d: have %v, want %v", c.w, c.h, got.Pix, c.want)
		}
	}
	if g := l.Gray(); !slices.Equal(g.Pix, l.Pix) || &g.Pix[0] == &l.Pix[0] {
		t.Errorf("gray %v", g.Pix)
	}
}
