package reel_test

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/datasets"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/export/reel"
	"t2sda/internal/raster"
)

// readPNG decodes a file.
func readPNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func TestPictures(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	s := exporttest.NewSet(t)
	images, labels := exporttest.Predicted(t, p, 2)
	s.Add("a", images[0], nil)
	if err := os.Mkdir(filepath.Join(s.Root, "images", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.PNG("images/sub/b.png", images[1].NRGBA())
	s.File("map.yaml", []byte(strings.NewReplacer("[0]", "[9, 7]", "[1]", "[8]", "[2]", "[11]", "[3]", "[12]", "[4]", "[13]").Replace(exporttest.FiveMap)))
	m, err := datasets.LoadLabelMap(filepath.Join(s.Root, "map.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	rawIDs := []uint8{7, 8, 11, 12, 13}
	at := func(l *raster.Labels) (uint8, datasets.Class) {
		id := l.Pix[5*l.W+7]
		return id, p.Metadata().Space.Classes[id]
	}
	for _, format := range predict.Formats() {
		t.Run(format, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "new", "folder")
			steps := 0
			sum, err := reel.Run(t.Context(), p, []string{filepath.Join(s.Root, "images")}, out, reel.Options{
				Formats: []string{format}, Overlay: reel.Overlay{Opacity: 0.5}, Map: m, Progress: func(int, int) { steps++ },
			})
			if err != nil {
				t.Fatal(err)
			}
			if sum.Frames != 2 || sum.Files != 2 || sum.Passed != 0 || steps != 2 {
				t.Fatalf("%+v with %d steps", sum, steps)
			}
			for i, path := range []string{filepath.Join(out, "a.png"), filepath.Join(out, "sub", "b.png")} {
				id, class := at(labels[i])
				picture := readPNG(t, path)
				if picture.Bounds() != image.Rect(0, 0, 96, 48) {
					t.Fatalf("%s has bounds %v", path, picture.Bounds())
				}
				got := picture.At(7, 5)
				var want color.Color
				switch format {
				case predict.FormatTrainIDs:
					want = color.Gray{Y: id}
				case predict.FormatLabelIDs:
					want = color.Gray{Y: rawIDs[id]}
				case predict.FormatColor:
					want = color.RGBA{class.Color[0], class.Color[1], class.Color[2], 255}
				case predict.FormatOverlay:
					c := images[i].NRGBA().NRGBAAt(7, 5)
					half := func(a, b uint8) uint8 { return uint8((int(a) + int(b) + 1) / 2) }
					want = color.RGBA{half(c.R, class.Color[0]), half(c.G, class.Color[1]), half(c.B, class.Color[2]), 255}
				}
				if got != want {
					t.Errorf("%s: pixel is %v, want %v", path, got, want)
				}
			}
		})
	}
}

// With KeepGoing, files that cannot be read are listed and the others predicted;
// linked folders are followed.
func TestKeepGoing(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	s := exporttest.NewSet(t)
	images, _ := exporttest.Predicted(t, p, 2)
	s.Add("a", images[0], nil)
	s.File("images/b.png", []byte("no picture"))
	s.Add("c", images[1], nil)
	link, out := filepath.Join(t.TempDir(), "link"), t.TempDir()
	if err := os.Symlink(filepath.Join(s.Root, "images"), link); err != nil {
		t.Fatal(err)
	}
	sum, err := reel.Run(t.Context(), p, []string{link}, out, reel.Options{KeepGoing: true})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Frames != 2 || sum.Files != 2 || sum.Passed != 1 || len(sum.Faults) != 1 || !strings.Contains(sum.Faults[0].Error(), "b.png cannot be decoded") {
		t.Errorf("%+v", sum)
	}
	readPNG(t, filepath.Join(out, "c.png"))
}

func TestErrors(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	s := exporttest.NewSet(t)
	img := raster.NewImage(8, 8)
	s.Add("a", img, nil)
	s.PNG("labels/a.jpg", img.NRGBA())
	s.File("broken.png", []byte("no picture"))
	out, file := t.TempDir(), func(name string) string { return filepath.Join(s.Root, name) }
	if err := os.Mkdir(file("empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		paths []string
		out   string
		opts  reel.Options
		want  string
	}{
		{"format", []string{file("images")}, out, reel.Options{Formats: []string{"jpeg"}}, `format "jpeg" is none of overlay, color, trainids, labelids, confidence, probabilities, rle, panoptic, video`},
		{"missing", []string{file("nowhere.png")}, out, reel.Options{}, "nowhere.png"},
		{"broken", []string{file("broken.png")}, out, reel.Options{}, "broken.png cannot be decoded: it is no picture"},
		{"no images", []string{file("empty")}, out, reel.Options{}, "no images in"},
		{"same name", []string{file("images"), file("labels")}, out, reel.Options{}, "would both become"},
		{"overwrite", []string{file("images")}, file("images"), reel.Options{}, "is one of the inputs"},
		{"map", []string{file("images")}, out, reel.Options{Formats: []string{predict.FormatLabelIDs}}, "has other classes than the model"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := reel.Run(t.Context(), p, tt.paths, tt.out, tt.opts)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
