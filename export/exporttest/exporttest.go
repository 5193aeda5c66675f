// Package exporttest holds what the tests of the export packages share: a small
// model on random weights, images, and data sets in a test's folder.
package exporttest

import (
	"errors"
	"image"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/datasets"
	"t2sda/export"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/nets"
	"t2sda/internal/raster"
)

// NanoOptions describe a small model for 64×32 images of 5 classes.
func NanoOptions(head string) export.ModelOptions {
	miou := 0.25
	return export.ModelOptions{
		Arch: nets.Arch{
			Encoder: "mit_nano", Head: head, Classes: 5, HeadWidth: 16, DropPath: 0.1, Dropout: 0.1,
			Mean: [3]float32{123.675, 116.28, 103.53}, Std: [3]float32{58.395, 57.12, 57.375},
		},
		Space: FiveClasses(), Width: 64, Height: 32,
		Info: predict.ModelInfo{Version: "1.2.3", ConfigHash: "cafe", CropW: 64, CropH: 32, MIoU: &miou},
	}
}

// FiveClasses are the first five of Cityscapes.
func FiveClasses() datasets.Space {
	s := datasets.Cityscapes19()
	return datasets.Space{Name: "five", Classes: s.Classes[:5]}
}

// RandomWeights draws parameters by their initialisers, scaled up and with
// statistics that are neither 0 nor 1, so that nothing is folded by luck.
func RandomWeights(t testing.TB, a nets.Arch) func(string) ([]float32, error) {
	t.Helper()
	const seed = 11
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	all := map[string][]float32{}
	params, err := a.Params()
	if err != nil {
		t.Fatal(err)
	}
	fixed, err := a.Fixed()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.Concat(params, fixed) {
		w := make([]float32, p.Shape.Size())
		p.Init(r, w)
		for i := range w {
			w[i] = 2*w[i] + 0.05*float32(r.NormFloat64())
		}
		all[p.Name] = w
	}
	buffers, err := a.Buffers()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range buffers {
		w := make([]float32, b.Len)
		for i := range w {
			w[i] = 0.3 * float32(r.NormFloat64())
			if strings.HasSuffix(b.Name, "var") {
				w[i] = 0.5 + r.Float32()
			}
		}
		all[b.Name] = w
	}
	return func(name string) ([]float32, error) {
		if w, ok := all[name]; ok {
			return w, nil
		}
		return nil, errors.New("no weight called " + name)
	}
}

// RandomImages draws pictures with regions and noise, whole numbers 0–255.
func RandomImages(r *rand.Rand, n, w, h int) []*raster.Image {
	images := make([]*raster.Image, n)
	for i := range images {
		images[i] = raster.NewImage(w, h)
		for c := range 3 {
			fx, fy := r.Float64(), r.Float64()
			for j := range images[i].Plane(c) {
				v := 128 + 90*math.Sin(fx*float64(j%w)+fy*float64(j/w)) + 20*r.NormFloat64()
				images[i].Plane(c)[j] = float32(math.Round(min(max(v, 0), 255)))
			}
		}
	}
	return images
}

// Predictor writes the model into a folder of the test and opens it.
func Predictor(t testing.TB, e *engine.Engine, o export.ModelOptions, weights func(string) ([]float32, error)) *predict.Predictor {
	t.Helper()
	model, err := export.Build(o, weights)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, model, 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(t, e, path, predict.Options{})
}

// Open opens a model file for the time of the test.
func Open(t testing.TB, e *engine.Engine, path string, o predict.Options) *predict.Predictor {
	t.Helper()
	p, err := predict.OpenWith(e, path, o)
	return Opened(t, p, err)
}

// Opened returns what was opened for the time of the test, if it was.
func Opened[T io.Closer](t testing.TB, c T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// FiveMap is the label map of the data sets made here: ids are train ids.
const FiveMap = `classes:
  - {name: road, ids: [0]}
  - {name: sidewalk, ids: [1]}
  - {name: building, ids: [2]}
  - {name: wall, ids: [3]}
  - {name: fence, ids: [4]}
ignore: [255]
`

// Set is a data set in a test's folder.
type Set struct {
	t    testing.TB
	Root string
}

// NewSet makes an empty data set whose label map is [FiveMap].
func NewSet(t testing.TB) Set {
	s := Set{t, t.TempDir()}
	for _, dir := range []string{"images", "labels"} {
		if err := os.Mkdir(filepath.Join(s.Root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.File("map.yaml", []byte(FiveMap))
	return s
}

// File writes a file below the root.
func (s Set) File(name string, data []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.Root, name), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// PNG writes a picture below the root.
func (s Set) PNG(name string, picture image.Image) {
	s.t.Helper()
	if err := raster.WritePNG(filepath.Join(s.Root, name), picture); err != nil {
		s.t.Fatal(err)
	}
}

// Add writes an image and its labels (nil: none).
func (s Set) Add(id string, img *raster.Image, l *raster.Labels) {
	s.t.Helper()
	s.PNG("images/"+id+".png", img.NRGBA())
	if l != nil {
		s.PNG("labels/"+id+".png", l.Gray())
	}
}

// Open reads images at the size of the nano model.
func (s Set) Open() *datasets.Dataset {
	s.t.Helper()
	d, err := datasets.Open(datasets.Options{Root: s.Root, Images: "images", Labels: "labels", Map: filepath.Join(s.Root, "map.yaml"), Width: 64, Height: 32})
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// NanoPredictor serves the SegFormer model of [NanoOptions] on random weights.
func NanoPredictor(t testing.TB) *predict.Predictor {
	o := NanoOptions("segformer")
	return Predictor(t, enginetest.Open(t, engine.Options{}), o, RandomWeights(t, o.Arch))
}

// Predicted returns n images of 96×48 pixels and what the model says to them.
func Predicted(t testing.TB, p *predict.Predictor, n int) ([]*raster.Image, []*raster.Labels) {
	t.Helper()
	images := RandomImages(rand.New(rand.NewPCG(8, 8)), n, 96, 48)
	labels := make([]*raster.Labels, n)
	for i, img := range images {
		var err error
		if labels[i], err = p.Predict(t.Context(), img); err != nil {
			t.Fatal(err)
		}
	}
	return images, labels
}
