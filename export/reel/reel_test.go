package reel_test

import (
	"archive/zip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/export/reel"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/ffmpeg/ffmpegtest"
	"t2sda/internal/npy"
	"t2sda/internal/raster"
)

const step = 40 // of red per class

// open serves a model that reads the class off the image, of any number of images of any size.
func open(t testing.TB, m exporttest.Foreign) *predict.Predictor {
	t.Helper()
	m.Classes, m.Step, m.FreeBatch, m.FreeShape = 5, step, true, true
	return exporttest.Open(t, enginetest.Open(t, engine.Options{}), m.File(t), predict.Options{Form: predict.Form{Space: exporttest.FiveClasses()}})
}

// halves are labels of w × h pixels, a on the left and b on the right.
func halves(w, h int, a, b uint8) *raster.Labels {
	l := raster.NewLabels(w, h)
	for i := range l.Pix {
		if l.Pix[i] = a; i%w >= w/2 {
			l.Pix[i] = b
		}
	}
	return l
}

// images makes a folder of numbered images, of two sizes by turns where they are mixed.
func images(t testing.TB, n int, mixed bool) string {
	t.Helper()
	dir := t.TempDir()
	for k := range n {
		w, h := 12, 8
		if mixed && k%3 == 2 {
			w, h = 8, 10
		}
		l := halves(w, h, uint8(k%5), uint8((k+1)%5))
		write(t, filepath.Join(dir, fmt.Sprintf("f_%d.png", k)), exporttest.Paint(l, step).NRGBA())
	}
	return dir
}

func write(t testing.TB, path string, picture image.Image) {
	t.Helper()
	if err := raster.WritePNG(path, picture); err != nil {
		t.Fatal(err)
	}
}

// tree reads all files below a folder.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path) // below it
		all[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func run(t testing.TB, p *predict.Predictor, paths []string, o reel.Options) (string, reel.Summary) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	sum, err := reel.Run(t.Context(), p, paths, out, o)
	if err != nil {
		t.Fatal(err)
	}
	return out, sum
}

var everyFile = []string{"overlay", "color", "trainids", "confidence", "probabilities", "rle", "panoptic"}

// What is written depends neither on how many frames share a run, nor on how many are under
// way.
func TestSameInAnyBatch(t *testing.T) {
	p, dir := open(t, exporttest.Foreign{Stride: 4}), images(t, 11, true)
	out, _ := run(t, p, []string{dir}, reel.Options{Formats: everyFile, Overlay: reel.Overlay{Opacity: 0.3, Contours: 1}, Workers: 1})
	want := tree(t, out)
	if len(want) != 6*11+2 {
		t.Fatalf("%d files", len(want))
	}
	for _, o := range []reel.Options{{Batch: 4, Workers: 3}, {Batch: 3, Workers: 1}, {Batch: 20, Workers: 8}} {
		o.Formats, o.Overlay = everyFile, reel.Overlay{Opacity: 0.3, Contours: 1}
		out, sum := run(t, p, []string{dir}, o)
		if diff := cmp.Diff(want, tree(t, out)); diff != "" {
			t.Errorf("batch %d, %d workers: other files", o.Batch, o.Workers)
		}
		if sum.Frames != 11 || sum.Files != len(want) || sum.Apart {
			t.Errorf("%+v", sum)
		}
	}
}

// Frames are under way a few at a time, however many there are, and what they leave behind
// is none of the memory.
func TestBounded(t *testing.T) {
	p := open(t, exporttest.Foreign{})
	const w, h = 48, 32
	// The least of the second half: others allocate while memory is looked at, and what
	// stays is seen all the same.
	heap := func(n int) uint64 {
		least, dir := uint64(math.MaxUint64), t.TempDir()
		for k := range n {
			write(t, filepath.Join(dir, fmt.Sprintf("%d.png", k)), exporttest.Paint(halves(w, h, uint8(k%5), 1), step).NRGBA())
		}
		run(t, p, []string{dir}, reel.Options{Formats: []string{"trainids", "rle", "panoptic"}, Batch: 2, Workers: 2, Progress: func(done, _ int) {
			if done > n/2 && done%10 == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				least = min(least, m.HeapAlloc)
			}
		}})
		return least
	}
	const few, many = 100, 400
	heap(few) // fills pools
	a, b := heap(few), heap(many)
	// An image and its scores are 8 numbers of 4 bytes a pixel. If a quarter of them stayed,
	// there would be those of (many-few)/8 frames more from the middle on.
	t.Logf("%d bytes with %d frames, %d with %d", a, few, b, many)
	if b > a+(many-few)*8*4*w*h/8 {
		t.Errorf("%d bytes with %d frames, %d with %d", a, few, b, many)
	}
}

// A panoptic JSON and its PNGs say which class is where; masks likewise, by ids of a map.
func TestAnnotations(t *testing.T) {
	p := open(t, exporttest.Foreign{})
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.png"), exporttest.Paint(halves(4, 2, 0, 3), step).NRGBA())
	write(t, filepath.Join(dir, "b.png"), exporttest.Paint(halves(2, 2, 1, 1), step).NRGBA())
	t.Chdir(filepath.Dir(dir))
	rel := filepath.Base(dir)
	out, _ := run(t, p, []string{rel}, reel.Options{Formats: []string{"panoptic", "rle"}})
	images := `{"images":[
{"id":1,"file_name":"` + rel + `/a.png","width":4,"height":2},
{"id":2,"file_name":"` + rel + `/b.png","width":2,"height":2}],
"annotations":[
`
	categories := `],
"categories":[{"id":1,"name":"road","isthing":0,"color":[128,64,128],"supercategory":"road"},{"id":2,"name":"sidewalk","isthing":0,"color":[244,35,232],"supercategory":"sidewalk"},{"id":3,"name":"building","isthing":0,"color":[70,70,70],"supercategory":"building"},{"id":4,"name":"wall","isthing":0,"color":[102,102,156],"supercategory":"wall"},{"id":5,"name":"fence","isthing":0,"color":[190,153,153],"supercategory":"fence"}]}
`
	files := tree(t, out)
	want := map[string]string{
		"panoptic.json": images + `{"image_id":1,"file_name":"a.png","segments_info":[{"id":1,"category_id":1,"area":4,"bbox":[0,0,2,2],"iscrowd":0},{"id":4,"category_id":4,"area":4,"bbox":[2,0,2,2],"iscrowd":0}]},
{"image_id":2,"file_name":"b.png","segments_info":[{"id":2,"category_id":2,"area":4,"bbox":[0,0,2,2],"iscrowd":0}]}` + categories,
		"rle.json": images + `{"id":1,"image_id":1,"category_id":1,"area":4,"bbox":[0,0,2,2],"iscrowd":0,"segmentation":{"size":[2,4],"counts":"044"}},
{"id":2,"image_id":1,"category_id":4,"area":4,"bbox":[2,0,2,2],"iscrowd":0,"segmentation":{"size":[2,4],"counts":"44"}},
{"id":3,"image_id":2,"category_id":2,"area":4,"bbox":[0,0,2,2],"iscrowd":0,"segmentation":{"size":[2,2],"counts":"04"}}` + categories,
	}
	for name, text := range want {
		if diff := cmp.Diff(text, files[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if !json.Valid([]byte(files[name])) {
			t.Errorf("%s is no JSON", name)
		}
	}
	segments := readPNG(t, filepath.Join(out, "panoptic", "a.png"))
	if have := [2]color.Color{segments.At(0, 1), segments.At(3, 0)}; have != [2]color.Color{color.RGBA{1, 0, 0, 255}, color.RGBA{4, 0, 0, 255}} {
		t.Errorf("segments %v", have)
	}
}

// Arrays hold what the confidence and the labels come of. Red 40 (class 1) has the logits
// k − k²/2 of the classes k = 0…4: 0, ½, 0, −3/2, −4.
func TestProbabilities(t *testing.T) {
	p, dir := open(t, exporttest.Foreign{}), t.TempDir()
	write(t, filepath.Join(dir, "a.png"), exporttest.Paint(halves(4, 3, 1, 1), step).NRGBA())
	sum := 0.0
	logits := []float64{0, 0.5, 0, -1.5, -4}
	for _, l := range logits {
		sum += math.Exp(l)
	}
	for _, o := range []reel.Options{{}, {Type: npy.Float16}, {Archive: true}} {
		o.Formats = []string{"probabilities"}
		out, _ := run(t, p, []string{dir}, o)
		data := []byte(tree(t, out)["a.npy"])
		if o.Archive {
			data = unzipped(t, filepath.Join(out, "a.npz"))
		}
		if !strings.Contains(string(data[:128]), "'shape': (5, 3, 4)") {
			t.Fatalf("%q", data[:128])
		}
		size := (len(data) - 128) / (5 * 3 * 4)
		for k, l := range logits {
			at := data[128+k*3*4*size:]
			have := float64(math.Float32frombits(binary.LittleEndian.Uint32(at)))
			if o.Type == npy.Float16 { // of 2⁻¹⁵ to 1
				bits := binary.LittleEndian.Uint16(at)
				have = math.Ldexp(1+float64(bits&0x3ff)/1024, int(bits>>10)-15)
			}
			if want := math.Exp(l) / sum; math.Abs(have-want) > 5e-4*want {
				t.Errorf("%+v: class %d: %v, want %v", o, k, have, want)
			}
		}
	}
	labelled := open(t, exporttest.Foreign{Labels: engine.Uint8})
	for _, format := range []string{"confidence", "probabilities"} {
		_, err := reel.Run(t.Context(), labelled, []string{dir}, t.TempDir(), reel.Options{Formats: []string{format}})
		if err == nil || !strings.Contains(err.Error(), "format "+format+": the model gives labels") {
			t.Error(err)
		}
	}
}

func unzipped(t *testing.T, path string) []byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	data, err := fs.ReadFile(z, "probabilities.npy")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Nothing that is there is replaced, unless it is to be; neither is an input.
func TestKept(t *testing.T) {
	p, dir := open(t, exporttest.Foreign{}), images(t, 3, false)
	out := t.TempDir()
	o := reel.Options{Formats: []string{"trainids", "rle"}}
	old := filepath.Join(out, "trainids", "f_1.png")
	if err := os.MkdirAll(filepath.Dir(old), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := reel.Run(t.Context(), p, []string{dir}, out, o)
	if err == nil || !strings.Contains(err.Error(), "f_1.png is there already: --force replaces it") {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]string{filepath.Join("trainids", "f_1.png"): "mine"}, tree(t, out)); diff != "" {
		t.Error(diff)
	}
	o.Force = true
	if _, err := reel.Run(t.Context(), p, []string{dir}, out, o); err != nil || len(tree(t, out)) != 4 || tree(t, out)[filepath.Join("trainids", "f_1.png")] == "mine" {
		t.Errorf("%v", err)
	}
	o.Formats = []string{"trainids"}
	if _, err := reel.Run(t.Context(), p, []string{dir}, dir, o); err == nil || !strings.Contains(err.Error(), "is one of the inputs") {
		t.Error(err)
	}
}

// The first frame that fails, in order, is the one that is named, and what was before it is
// written, however many are under way.
func TestFirstFault(t *testing.T) {
	p, dir := open(t, exporttest.Foreign{}), images(t, 9, false)
	for _, name := range []string{"f_3.png", "f_4.png", "f_7.png"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("no picture"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		out := t.TempDir()
		_, err := reel.Run(t.Context(), p, []string{dir}, out, reel.Options{Formats: []string{"trainids"}, Workers: 8})
		if err == nil || !strings.Contains(err.Error(), "f_3.png cannot be decoded") {
			t.Fatal(err)
		}
		files := tree(t, out)
		for k := range 3 {
			if files[fmt.Sprintf("f_%d.png", k)] == "" {
				t.Errorf("frame %d is not written", k)
			}
		}
	}
	out, sum := run(t, p, []string{dir}, reel.Options{Formats: []string{"trainids", "rle"}, KeepGoing: true, Batch: 4})
	if sum.Frames != 6 || sum.Passed != 3 || len(sum.Faults) != 3 || !strings.Contains(sum.Faults[1].Error(), "f_4.png") || len(tree(t, out)) != 7 {
		t.Errorf("%+v, %d files", sum, len(tree(t, out)))
	}
}

// An interrupt leaves whole files only: no videos, no annotations, nothing temporary.
func TestInterrupted(t *testing.T) {
	ffmpegtest.Fake{}.Use(t)
	p, dir := open(t, exporttest.Foreign{}), images(t, 40, false)
	ctx, cancel := context.WithCancel(t.Context())
	out := t.TempDir()
	_, err := reel.Run(ctx, p, []string{dir}, out, reel.Options{Formats: []string{"trainids", "rle", "video"}, Progress: func(done, _ int) {
		if done == 5 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped after 5 frames; what lies in "+out+" is whole") {
		t.Error(err)
	}
	files := tree(t, out)
	if len(files) < 5 || len(files) > 20 {
		t.Errorf("%d files", len(files))
	}
	for name := range files {
		if filepath.Dir(name) != "trainids" || strings.HasPrefix(filepath.Base(name), ".") {
			t.Errorf("%s is left", name)
		}
		readPNG(t, filepath.Join(out, name))
	}
}

// An image may come by standard input.
func TestStandardInput(t *testing.T) {
	p, dir := open(t, exporttest.Foreign{}), images(t, 1, false)
	f, err := os.Open(filepath.Join(dir, "f_0.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, _ := run(t, p, []string{"-"}, reel.Options{Formats: []string{"trainids"}, Stdin: f})
	want, _ := run(t, p, []string{dir}, reel.Options{Formats: []string{"trainids"}})
	if have := tree(t, out); len(have) != 1 || have["stdin.png"] != tree(t, want)["f_0.png"] {
		t.Errorf("%d files", len(have))
	}
	for text, want := range map[string]string{
		"\x89PNG\r\n\x1a\n\x00\x00":     "standard input cannot be decoded",
		"\x00\x00\x00\x18ftypisom":      "standard input is a video: want an image",
		"nowhere.png\n":                 "nowhere.png",
		"\xff\xd8\xff\xe0\x00\x10JFIF":  "standard input cannot be decoded",
		"%PDF-1.7 and so on and so on.": "standard input is a PDF",
	} {
		if _, err := reel.Run(t.Context(), p, []string{"-"}, t.TempDir(), reel.Options{Stdin: strings.NewReader(text)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Options that make no sense say so.
func TestOptions(t *testing.T) {
	p, dir := open(t, exporttest.Foreign{}), images(t, 1, false)
	fixed := exporttest.Open(t, enginetest.Open(t, engine.Options{}), exporttest.Foreign{Classes: 5, Step: step}.File(t), predict.Options{Form: predict.Form{Space: exporttest.FiveClasses()}})
	flipped := exporttest.Open(t, enginetest.Open(t, engine.Options{}), exporttest.Foreign{Classes: 5, Step: step, FreeBatch: true, FreeShape: true}.File(t),
		predict.Options{Form: predict.Form{Space: exporttest.FiveClasses()}, Inference: predict.Inference{Flip: true}})
	for want, c := range map[string]struct {
		p *predict.Predictor
		o reel.Options
	}{
		"format rle is given twice":                   {p, reel.Options{Formats: []string{"rle", "rle"}}},
		"opacity 1.5: want 0 to 1":                    {p, reel.Options{Overlay: reel.Overlay{Opacity: 1.5}}},
		"contours of 100 pixels":                      {p, reel.Options{Overlay: reel.Overlay{Contours: 100}}},
		"a batch of less than one":                    {p, reel.Options{Batch: -1}},
		"less than one worker":                        {p, reel.Options{Workers: -1}},
		"frames a second":                             {p, reel.Options{FPS: math.NaN()}},
		"takes one image at a time (export --dynamic": {fixed, reel.Options{Batch: 2}},
		"make several runs of each image":             {flipped, reel.Options{Batch: 2}},
	} {
		if _, err := reel.Run(t.Context(), c.p, []string{dir}, t.TempDir(), c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// noise draws pictures that no class is sure in.
func noise(n, w, h int) []*raster.Image {
	return exporttest.RandomImages(rand.New(rand.NewPCG(8, 2)), n, w, h)
}
