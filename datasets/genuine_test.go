//go:build unix

package datasets

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"t2sda/datasets/streets"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/translate"
)

// grain is the deviation of the noise that makes a rendered picture compress as
// a photograph does: 1.06 bytes a pixel as PNG, which is what Cityscapes' and
// GTA5's files take (11 GB for 5000, 57 GB for 24966).
const grain = 0.6

// genuinePairs writes n pairs as GTA5 distributes them (1914×1052, palette
// labels) and n images as Cityscapes does (2048×1024): street scenes under
// sensor noise, or the photographs of T2SDA_REAL_DATA with the scenes' labels.
// The options resize as the paper does.
func genuinePairs(t testing.TB, n int, photographs string) (source, target Options) {
	t.Helper()
	root := t.TempDir()
	source = Options{Layout: "gta5", Root: filepath.Join(root, "gta5"), Width: 1280, Height: 720, RequireLabels: true}
	target = Options{Layout: "cityscapes", Root: filepath.Join(root, "cityscapes"), Split: "train", Width: 1024, Height: 512}
	m, err := LoadLabelMap("gta5")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		img, labels := streets.Render(1, i, streets.Game, 1914, 1052)
		name := fmt.Sprintf("%05d.png", i+1)
		image, label := filepath.Join(source.Root, "images", name), filepath.Join(source.Root, "labels", name)
		writePicture(t, label, paletteIDs(m, labels))
		style := filepath.Join(target.Root, "leftImg8bit/train/aachen", fmt.Sprintf("aachen_%06d_000019_leftImg8bit.png", i))
		if photographs != "" {
			copyFile(t, image, filepath.Join(photographs, "samples/fda/source.png"))
			copyFile(t, style, filepath.Join(photographs, "samples/fda/target.png"))
			continue
		}
		writePicture(t, image, noisy(img, i))
		img, _ = streets.Render(2, i, streets.Game, 2048, 1024)
		writePicture(t, style, noisy(img, n+i))
	}
	return source, target
}

func copyFile(t testing.TB, to, from string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, data)
}

// noisy adds the grain.
func noisy(m *raster.Image, i int) *image.NRGBA {
	r := rng.New(1, i, "grain")
	for p := range m.Pix {
		m.Pix[p] += float32(grain * r.NormFloat64())
	}
	return m.NRGBA()
}

// paletteIDs draws train ids as a picture whose palette indices are raw ids.
func paletteIDs(m *LabelMap, l *raster.Labels) *image.Paletted {
	palette := make(color.Palette, 256)
	for i := range palette {
		palette[i] = color.NRGBA{uint8(i), uint8(7 * i), uint8(29 * i), 255}
	}
	var raw [256]uint8
	for id := range raw {
		if ids := m.IDs(uint8(id)); len(ids) > 0 {
			raw[id] = uint8(ids[0])
		}
	}
	img := image.NewPaletted(image.Rect(0, 0, l.W, l.H), palette)
	for i, id := range l.Pix {
		img.Pix[i] = raw[id]
	}
	return img
}

// pictures are the sources of genuine pairs: rendered ones and, with
// T2SDA_REAL_DATA, photographs.
func pictures() map[string]string {
	sources := map[string]string{"rendered": ""}
	if root := os.Getenv("T2SDA_REAL_DATA"); root != "" {
		sources["photographs"] = root
	}
	return sources
}

// BenchmarkGenuine measures batches of 2 source and 2 target images as the
// paper's recipe reads them: rare class sampling over GTA5's sizes, resized to
// 1280×720, FDA towards a Cityscapes image, crops of 512×512; decoded each time
// and from a full disk cache.
func BenchmarkGenuine(b *testing.B) {
	for name, root := range pictures() {
		so, to := genuinePairs(b, 3, root)
		for _, cached := range []bool{false, true} {
			reading := "decoded"
			if cached {
				reading = "cached"
				so.Disk = openCache(b, b.TempDir())
				to.Disk = so.Disk
			}
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%s/workers=%d", name, reading, workers), func(b *testing.B) {
					benchmarkGenuine(b, so, to, workers)
					b.ReportMetric(bytesPerPixel(b, so, to), "B/px")
				})
			}
		}
	}
}

// bytesPerPixel is what the images of both data sets take on average: their
// files or, where there is a cache, the entries in it.
func bytesPerPixel(b *testing.B, so, to Options) float64 {
	var bytes, pixels float64
	for _, o := range []Options{so, to} {
		d := mustOpen(b, o)
		for i := range d.Len() {
			name := d.Item(i).Image
			w, h, err := imageSize(fromDisk, name)
			if err != nil {
				b.Fatal(err)
			}
			info, err := os.Stat(name)
			if err == nil && o.Disk != nil {
				w, h = o.Width, o.Height
				info, err = os.Stat(o.Disk.file(name, info, entryKind{w: w, h: h, bytes: 3}))
			}
			if err != nil {
				b.Fatal(err)
			}
			bytes += float64(info.Size())
			pixels += float64(w * h)
		}
	}
	return bytes / pixels
}

func benchmarkGenuine(b *testing.B, so, to Options, workers int) {
	source, target := mustOpen(b, so), mustOpen(b, to)
	stats, err := source.Stats(b.Context(), 0, "")
	if err != nil {
		b.Fatal(err)
	}
	for i := range source.Len() { // into the cache, if there is one
		mustLoad(b, source, i)
		mustLoad(b, target, i)
	}
	rcs := DefaultRCS(stats)
	engine, err := translate.New(translate.DefaultOptions())
	if err != nil {
		b.Fatal(err)
	}
	l := mustLoader(b, LoaderOptions{
		Seed: 1, Batch: 2, Source: source, Target: target, CropW: 512, CropH: 512,
		Flip: true, CatMaxRatio: 0.75, RCS: &rcs, Translate: engine, Workers: workers,
	})
	s := l.Stream(b.Context(), 0)
	defer s.Close()
	if _, err := s.Next(b.Context()); err != nil { // the pools are filled
		b.Fatal(err)
	}
	b.ReportAllocs()
	before := cpuSeconds(b)
	for b.Loop() {
		if _, err := s.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	reportImages(b, 4*b.N, before)
}

// reportImages reports how many images a second of the clock has seen and, which
// other processes disturb less, how many a second of one core.
func reportImages(b *testing.B, n int, before float64) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "images/s")
	b.ReportMetric(float64(n)/(cpuSeconds(b)-before), "images/core-s")
}

// cpuSeconds is what this process has had of the cores so far.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// BenchmarkCommands measures what `t2sda data` does to pairs of GTA5's size, on
// all cores: counting labels, checking images and labels, converting labels.
func BenchmarkCommands(b *testing.B) {
	for name, root := range pictures() {
		o, _ := genuinePairs(b, 8, root)
		d := mustOpen(b, o)
		out := b.TempDir()
		for command, run := range map[string]func() error{
			"stats":   func() error { _, err := d.Stats(b.Context(), 0, ""); return err },
			"check":   func() error { _, err := Check(b.Context(), o, CheckOptions{}); return err },
			"convert": func() error { _, err := d.Convert(b.Context(), ConvertOptions{Out: out}); return err },
		} {
			b.Run(name+"/"+command, func(b *testing.B) {
				before := cpuSeconds(b)
				for b.Loop() {
					if err := run(); err != nil {
						b.Fatal(err)
					}
				}
				reportImages(b, d.Len()*b.N, before)
			})
		}
	}
}
