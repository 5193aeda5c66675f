package datasets

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"t2sda/datasets/streets"
	"t2sda/internal/raster"
)

// labelFiles are pictures of every kind that holds ids, with the channel that
// holds them. Ids are below 16, or beyond 256 in wide files.
func labelFiles(r *rand.Rand) map[string]struct {
	img     image.Image
	channel string
} {
	rect := image.Rect(0, 0, 29, 17)
	fill := func(p []byte, limit int) {
		for i := range p {
			if i > 0 && r.IntN(4) > 0 {
				p[i] = p[i-1] // runs, as labels have
			} else {
				p[i] = byte(r.IntN(limit))
			}
		}
	}
	gray, deep, index := image.NewGray(rect), image.NewGray16(rect), paletted(29, 17, 0)
	rgb, rgba, wide := image.NewRGBA(rect), image.NewNRGBA(rect), image.NewNRGBA64(rect)
	red := image.NewPaletted(rect, nil)
	for i := range 16 {
		red.Palette = append(red.Palette, color.NRGBA{uint8(15 - i), 200, 100, 255})
	}
	fill(gray.Pix, 16)
	fill(deep.Pix, 3)
	fill(index.Pix, 16)
	fill(red.Pix, 16)
	fill(rgb.Pix, 16)
	for i := 3; i < len(rgb.Pix); i += 4 {
		rgb.Pix[i] = 255
	}
	fill(rgba.Pix, 16)
	fill(wide.Pix, 3)
	return map[string]struct {
		img     image.Image
		channel string
	}{
		"8-bit gray PNG":               {gray, ""},
		"16-bit gray PNG":              {deep, ""},
		"8-bit palette PNG":            {index, ""},
		"4-bit palette PNG":            {red, "red"},
		"8-bit colour PNG":             {rgb, "green"},
		"8-bit colour and alpha PNG":   {rgba, "blue"},
		"16-bit colour and alpha PNG":  {wide, "red"},
		"16-bit colour and alpha PNG ": {wide, "blue"},
	}
}

// Counting rows gives what counting the decoded labels gives.
func TestCountRows(t *testing.T) {
	m := &LabelMap{table: make([]int16, 1<<16)}
	for id := range m.table {
		m.table[id] = int16(id % 251) // wide ids fold into 8 bits
	}
	for name, test := range labelFiles(rand.New(rand.NewPCG(7, 8))) {
		t.Run(name, func(t *testing.T) {
			file := writePicture(t, filepath.Join(t.TempDir(), "l.png"), test.img)
			channel := channelIndex(test.channel)
			n, err := countRows(fromDisk, file, channel)
			if err != nil {
				t.Fatal(err)
			}
			l, err := decodeLabels(fromDisk, file, m, channel)
			if err != nil {
				t.Fatal(err)
			}
			if len(name) > len(n.kind)+1 || name[:len(n.kind)] != n.kind || n.w != l.W || n.h != l.H {
				t.Errorf("a %q of %d×%d", n.kind, n.w, n.h)
			}
			var have [256]int64
			for id, count := range n.pixels {
				have[id%251] += count
			}
			if want := histogram(l, image.Rect(0, 0, l.W, l.H)); have != *want {
				t.Errorf("counted %v, want %v", have, *want)
			}
		})
	}
	file := writeFile(t, filepath.Join(t.TempDir(), "low.png"), lowDepthGray(0, 1, 7, 7, 15))
	n, err := countRows(fromDisk, file, noChannel)
	if err != nil || n.pixels[7] != 2 || n.pixels[15] != 1 || n.kind != "4-bit gray PNG" {
		t.Errorf("4 bits: %+v, %v", n, err)
	}
}

// What rows cannot be counted of is left to the decoder, with its errors.
func TestCountSlowly(t *testing.T) {
	dir := t.TempDir()
	interlaced := lowDepthGray(3)
	// A single pixel is the same in Adam7's first pass; the header's last byte
	// says so, and the header's checksum must follow.
	head := append(append([]byte(nil), interlaced[16:28]...), 1)
	file := writeFile(t, filepath.Join(dir, "i.png"), append(pngChunk(append([]byte(nil), interlaced[:8]...), "IHDR", head), interlaced[33:]...))
	n, err := countRaw(fromDisk, file, noChannel)
	if err != nil || n.pixels[3] != 1 || n.kind != "interlaced 4-bit gray PNG" {
		t.Errorf("interlaced: %+v, %v", n, err)
	}
	colours := writePicture(t, filepath.Join(dir, "c.png"), photo(1, 70, 70))
	_, err = countRaw(fromDisk, colours, noChannel)
	wantError(t, err, colours, "holds more than 4096 colours: a picture, not labels", "channel: red")
	truncate(t, colours, 50)
	_, err = countRaw(fromDisk, colours, 0)
	wantError(t, err, colours, "truncated or damaged?")
	_, err = countRaw(fromDisk, filepath.Join(dir, "none.png"), noChannel)
	wantError(t, err, "none.png", "no such file")
}

// paletteLabels writes n labels as GTA5 distributes them: street scenes of
// 1914×1052 as palette files whose indices are ids.
func paletteLabels(t testing.TB, n int) Options {
	t.Helper()
	root := t.TempDir()
	m, err := LoadLabelMap("gta5")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		_, labels := streets.Render(1, i, streets.Game, 1914, 1052)
		img := paletted(labels.W, labels.H, 0)
		for p, id := range labels.Pix {
			if id != raster.Void {
				img.Pix[p] = uint8(m.IDs(id)[0])
			}
		}
		name := fmt.Sprintf("%05d.png", i+1)
		writePicture(t, filepath.Join(root, "images", name), photo(1, 1, 1)) // not looked at
		writePicture(t, filepath.Join(root, "labels", name), img)
	}
	return Options{Layout: "gta5", Root: root, RequireLabels: true}
}

// BenchmarkStatsGTA5 measures counting labels of GTA5's size and kind: its
// 24,966 files take 24966 / (images/s) seconds.
func BenchmarkStatsGTA5(b *testing.B) {
	const files = 8
	o := paletteLabels(b, files)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			d := mustOpen(b, o)
			for b.Loop() {
				if _, err := d.Stats(b.Context(), workers, ""); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(files*float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
