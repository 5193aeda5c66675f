package datasets

import (
	"fmt"
	"image"
	"path/filepath"
	"testing"
)

// smooth is a picture that compresses as a photograph does: gradients with a
// little noise.
func smooth(seed uint64, w, h int) *image.NRGBA {
	img := photo(seed, w, h)
	for i, v := range img.Pix {
		if i%4 != 3 {
			x, y := i/4%w, i/4/w
			img.Pix[i] = uint8(128*x/w+96*y/h) + v%16
		}
	}
	return img
}

// photoSet writes n pairs of w×h: blocks of labels, images as PNG or JPEG.
func photoSet(b *testing.B, n, w, h int, ext string) Options {
	b.Helper()
	root := b.TempDir()
	for i := range n {
		writePicture(b, filepath.Join(root, "images", fmt.Sprint(i)+ext), smooth(uint64(i), w, h))
		writePicture(b, filepath.Join(root, "labels", fmt.Sprint(i)+".png"), grayIDs(w, h, func(x, y int) uint8 { return uint8((x/40 + y/30 + i) % 19) }))
	}
	return Options{Root: root, Map: "cityscapes-trainids", RequireLabels: true}
}

// BenchmarkLoader measures batches of 2 source and 2 target images through a
// stream, drawn with rare class sampling, not translated.
func BenchmarkLoader(b *testing.B) {
	cases := []struct {
		name         string
		w, h         int
		ext          string
		cropW, cropH int
		cache        int64
	}{
		{"256x128 PNG", 256, 128, ".png", 128, 128, 0},
		{"256x128 PNG cached", 256, 128, ".png", 128, 128, 64 << 20},
		{"480x360 JPEG", 480, 360, ".jpg", 256, 256, 0},
	}
	for _, c := range cases {
		o := photoSet(b, 4, c.w, c.h, c.ext)
		o.CacheBytes = c.cache
		d := mustOpen(b, o)
		stats, err := d.Stats(b.Context(), 0, "")
		if err != nil {
			b.Fatal(err)
		}
		rcs := DefaultRCS(stats)
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/workers=%d", c.name, workers), func(b *testing.B) {
				l := mustLoader(b, LoaderOptions{
					Seed: 1, Batch: 2, Source: d, Target: d, CropW: c.cropW, CropH: c.cropH,
					Flip: true, CatMaxRatio: 0.75, RCS: &rcs, Workers: workers,
				})
				s := l.Stream(b.Context(), 0)
				defer s.Close()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Next(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(4*float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	o := photoSet(b, 1, 1914, 1052, ".png")
	d := mustOpen(b, o)
	b.Run("image", func(b *testing.B) {
		for b.Loop() {
			if _, err := decodeImage(fromDisk, d.Item(0).Image, 0, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("labels", func(b *testing.B) {
		for b.Loop() {
			if _, err := d.LoadLabels(b.Context(), 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
