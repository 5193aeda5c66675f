package resize

import (
	"fmt"
	"image"
	"math/rand/v2"
	"testing"

	"github.com/disintegration/imaging"
)

// photo draws noise.
func photo(seed uint64, w, h int) *image.NRGBA {
	r := rand.New(rand.NewPCG(seed, 1))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.IntN(256))
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

// packed returns the colours of a picture, three bytes a pixel.
func packed(p *image.NRGBA) []byte {
	var out []byte
	for i := 0; i < len(p.Pix); i += 4 {
		out = append(out, p.Pix[i:i+3]...)
	}
	return out
}

// Rows is imaging.Resize to one level: weights of 13 bits round a share
// of the samples, a few per cent at the sizes of the paper's data sets, to the
// other side.
func TestRowsAgainstImaging(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := [][4]int{{1914, 1052, 1280, 720}, {2048, 1024, 1024, 512}, {1280, 760, 1280, 720}, {1, 1, 5, 4}, {9, 7, 1, 1}, {3, 2, 2, 3}}
	for range 60 {
		sizes = append(sizes, [4]int{1 + r.IntN(70), 1 + r.IntN(70), 1 + r.IntN(70), 1 + r.IntN(70)})
	}
	for _, s := range sizes {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			p := photo(3, s[0], s[1])
			want, got := packed(imaging.Resize(p, s[2], s[3], imaging.Linear)), RGB(packed(p), s[0], s[1], s[2], s[3])
			off := 0
			for i := range want {
				switch d := int(got[i]) - int(want[i]); {
				case d < -1 || d > 1:
					t.Fatalf("byte %d: %d, imaging has %d", i, got[i], want[i])
				case d != 0:
					off++
				}
			}
			if share := float64(off) / float64(len(want)); len(want) > 1e6 && share > 0.025 {
				t.Errorf("%.2g of the samples differ", share)
			}
		})
	}
}

// Rows changes neither its size nor a plain colour, however the weights
// are rounded.
func TestRowsKeeps(t *testing.T) {
	p := photo(5, 33, 21)
	if string(RGB(packed(p), 33, 21, 33, 21)) != string(packed(p)) {
		t.Error("the same size changes the picture")
	}
	for i := range p.Pix {
		p.Pix[i] = 201
	}
	for w := 1; w < 80; w += 7 {
		for i, v := range RGB(packed(p), 33, 21, w, 50-w/2) {
			if v != 201 {
				t.Fatalf("width %d: byte %d is %d", w, i, v)
			}
		}
	}
}

func BenchmarkResize(b *testing.B) {
	for _, s := range [][4]int{{1914, 1052, 1280, 720}, {2048, 1024, 1024, 512}, {1024, 512, 1280, 720}} {
		p := photo(1, s[0], s[1])
		src := packed(p)
		name := fmt.Sprintf("%dx%d to %dx%d", s[0], s[1], s[2], s[3])
		b.Run(name+"/rows", func(b *testing.B) {
			for b.Loop() {
				RGB(src, s[0], s[1], s[2], s[3])
			}
		})
		b.Run(name+"/imaging", func(b *testing.B) {
			for b.Loop() {
				imaging.Resize(p, s[2], s[3], imaging.Linear)
			}
		})
	}
}
