package neural

import (
	"context"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/pad"
	"t2sda/internal/raster"
	"t2sda/internal/translator"
)

const (
	float = 1 // TensorProto.DataType
	bytes = 2
)

// affine gives a·x + b, for images of any number and size.
func affine(a, b float32) *onnxtest.Model {
	return onnxtest.New().In("image", float, -1, 3, -1, -1).Out("out", float, -1, 3, -1, -1).
		Floats("a", []float32{a}, 1).Floats("b", []float32{b}, 1).
		Node("scale", "Mul", "image a", "ax").Node("shift", "Add", "ax b", "out")
}

// blocks replaces blocks of n×n pixels by their means: a network of stride n,
// which gives another size where the image is no multiple of it.
func blocks(n int) *onnxtest.Model {
	ones := make([]float32, 3*n*n)
	for i := range ones {
		ones[i] = 1
	}
	return onnxtest.New().In("image", float, -1, 3, -1, -1).Out("out", float, -1, 3, -1, -1).
		Floats("w", ones, 3, 1, n, n).
		Node("down", "AveragePool", "image", "small", "kernel_shape", []int{n, n}, "strides", []int{n, n}).
		Node("up", "ConvTranspose", "small w", "out", "group", 3, "kernel_shape", []int{n, n}, "strides", []int{n, n})
}

// means moves the image's channel means to the reference's, half of AdaIN.
func means(first, second string) *onnxtest.Model {
	m := onnxtest.New()
	for _, name := range []string{first, second} {
		m.In(name, float, -1, 3, -1, -1)
	}
	return m.Out("out", float, -1, 3, -1, -1).
		Node("own", "ReduceMean", "content", "own", "axes", []int{2, 3}).
		Node("theirs", "ReduceMean", "style", "theirs", "axes", []int{2, 3}).
		Node("centre", "Sub", "content own", "centred").Node("move", "Add", "centred theirs", "out")
}

func save(t *testing.T, m *onnxtest.Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, m.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, m *onnxtest.Model, values string) *Translator {
	t.Helper()
	e := enginetest.Open(t, engine.Options{})
	n, err := Open(e, Options{Model: save(t, m), Range: values})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// picture has values of 40–199.
func picture(seed uint64, w, h int) *raster.Image {
	r := rand.New(rand.NewPCG(seed, 1))
	m := raster.NewImage(w, h)
	for i := range m.Pix {
		m.Pix[i] = float32(40 + r.IntN(160))
	}
	return m
}

func translate(t *testing.T, n *Translator, source, target *raster.Image) *raster.Image {
	t.Helper()
	out, err := n.Translate(nil, source, target)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// expect compares an image with what a function of channel and position gives.
func expect(t *testing.T, m *raster.Image, want func(c, i int) float32) {
	t.Helper()
	for c := range 3 {
		for i, v := range m.Plane(c) {
			if d := math.Abs(float64(v - want(c, i))); d > 1e-3 {
				t.Fatalf("channel %d, pixel %d: %v, want %v", c, i, v, want(c, i))
			}
		}
	}
}

// One model a·x + b means something else in each range: the shift b is a share
// of the range's width, and 0–255 is its own.
func TestRanges(t *testing.T) {
	source := picture(1, 17, 9)
	for values, c := range map[string]struct{ a, b, slope, offset float32 }{
		"":          {0.5, 0.1, 0.5, 25.5}, // v/255 → 0.5·v/255 + 0.1
		RangeUnit:   {0.5, 0.1, 0.5, 25.5},
		RangeBytes:  {0.5, 10, 0.5, 10},
		RangeSigned: {0.5, 0, 0.5, 63.75}, // 2v/255 − 1 → v/255 − 1/2 = 2(v/2 + 63.75)/255 − 1
	} {
		out := translate(t, open(t, affine(c.a, c.b), values), source, nil)
		expect(t, out, func(ch, i int) float32 { return c.slope*source.Plane(ch)[i] + c.offset })
	}
	out := translate(t, open(t, affine(3, -1), RangeUnit), source, nil) // clipped
	expect(t, out, func(ch, i int) float32 { return min(max(3*source.Plane(ch)[i]-255, 0), 255) })
}

func TestBytesInAndOut(t *testing.T) {
	m := onnxtest.New().In("image", bytes, 1, 3, -1, -1).Out("out", bytes, 1, 3, -1, -1).
		Ints("order", 2, 1, 0).Node("swap", "Gather", "image order", "out", "axis", 1)
	source := picture(2, 8, 5)
	source.Pix[0] = 40.6 // rounded
	out := translate(t, open(t, m, ""), source, nil)
	expect(t, out, func(c, i int) float32 { return float32(math.Round(float64(source.Plane(2 - c)[i]))) })
}

// The reference is the second input, unless a name says otherwise.
func TestReference(t *testing.T) {
	source, target := picture(3, 16, 8), picture(4, 16, 8)
	for i := range target.Pix {
		target.Pix[i] /= 2
	}
	for _, inputs := range [][2]string{{"content", "style"}, {"style", "content"}} {
		n := open(t, means(inputs[0], inputs[1]), "")
		if !n.NeedsTarget() {
			t.Error("it has two inputs, but needs no target")
		}
		out := translate(t, n, source, target)
		expect(t, out, func(c, i int) float32 {
			return min(max(source.Plane(c)[i]-mean(source.Plane(c))+mean(target.Plane(c)), 0), 255)
		})
		if _, err := n.Translate(nil, source, nil); err == nil || !strings.Contains(err.Error(), `input "style" takes a reference image, and there is no target image`) {
			t.Errorf("without a target: %v", err)
		}
	}
	// A reference of a fixed size: the target is brought to it, and of one colour
	// it stays that.
	n := open(t, onnxtest.New().In("content", float, 1, 3, -1, -1).In("style", float, 1, 3, 4, 4).Out("out", float, 1, 3, -1, -1).
		Node("theirs", "ReduceMean", "style", "theirs", "axes", []int{2, 3}).
		Node("centre", "Sub", "content content", "none").Node("move", "Add", "none theirs", "out"), "")
	for i := range target.Pix {
		target.Pix[i] = 77
	}
	expect(t, translate(t, n, source, target), func(int, int) float32 { return 77 })
}

func mean(plane []float32) float32 {
	var sum float64
	for _, v := range plane {
		sum += float64(v)
	}
	return float32(sum / float64(len(plane)))
}

// A stride of 4 on 18×11 pixels: continued to 20×12 by reflection, so that the
// last block holds columns 16 and 17 and their mirror images 16 and 15.
func TestStridesArePadded(t *testing.T) {
	n := open(t, blocks(4), RangeBytes)
	source := picture(5, 18, 11)
	out := translate(t, n, source, nil)
	if out.W != 18 || out.H != 11 {
		t.Fatalf("the result has %d×%d pixels", out.W, out.H)
	}
	column := []int{16, 17, 16, 15}
	row := []int{8, 9, 10, 9}
	var sum float32
	for _, y := range row {
		for _, x := range column {
			sum += source.Plane(1)[y*18+x] / 16
		}
	}
	if have := out.Plane(1)[10*18+17]; math.Abs(float64(have-sum)) > 1e-3 {
		t.Errorf("the corner's block is %v, want %v", have, sum)
	}
	again := translate(t, n, source, nil) // by the size remembered
	if !slices.Equal(out.Pix, again.Pix) || n.padded[pad.Size{W: 18, H: 11}] != (pad.Size{W: 20, H: 12}) {
		t.Errorf("continued to %v", n.padded)
	}
	whole := translate(t, n, picture(5, 16, 8), nil)
	if whole.W != 16 || n.padded[pad.Size{W: 16, H: 8}] != (pad.Size{W: 16, H: 8}) {
		t.Errorf("a multiple of the stride was continued to %v", n.padded)
	}
}

// Batches give what single images give, whatever their sizes.
func TestBatches(t *testing.T) {
	n := open(t, means("content", "style"), "")
	if !n.batches {
		t.Fatal("the model takes any number of images, but is run one by one")
	}
	var jobs []translator.Job
	for i := range 6 {
		w, h := 16, 8
		if i%3 == 1 {
			w, h = 12, 10
		}
		jobs = append(jobs, translator.Job{
			File: "f", Source: picture(uint64(10+i), w, h), Target: picture(uint64(20+i), w, h), Crop: image.Rect(2, 1, 9, 7),
		})
	}
	if g := n.group(jobs); len(g) != 2 || !slices.Equal(g[0], []int{0, 2, 3, 5}) || !slices.Equal(g[1], []int{1, 4}) {
		t.Errorf("runs of %v", g)
	}
	together, err := translator.All(t.Context(), n, jobs)
	if err != nil {
		t.Fatal(err)
	}
	for i, j := range jobs {
		whole := translate(t, n, j.Source, j.Target)
		if !slices.Equal(together[i].Pix, whole.Crop(2, 1, 7, 6).Pix) {
			t.Errorf("job %d differs from the image alone", i)
		}
	}
}

func TestFixedSizes(t *testing.T) {
	m := func(w, h int) *onnxtest.Model {
		return onnxtest.New().In("image", float, 1, 3, h, w).Out("out", float, 1, 3, h, w).
			Floats("a", []float32{0.5}, 1).Node("scale", "Mul", "image a", "out")
	}
	source := picture(6, 30, 20)
	half := func(c, i int) float32 { return source.Plane(c)[i] / 2 }
	expect(t, translate(t, open(t, m(30, 20), ""), source, nil), half)
	expect(t, translate(t, open(t, m(32, 32), ""), source, nil), half) // continued, and cut back
	expect(t, translate(t, open(t, m(-1, 32), ""), source, nil), half) // one side fixed
	expect(t, translate(t, open(t, m(30, -1), ""), source, nil), half)
	for _, s := range [][2]int{{29, 20}, {30, 19}, {94, 20}, {512, 512}} {
		_, err := open(t, m(s[0], s[1]), "").Translate(nil, source, nil)
		if err == nil || !strings.Contains(err.Error(), "it has 30×20 pixels, but input \"image\" takes") {
			t.Errorf("a model of %v: %v", s, err)
		}
	}
}

func TestBadModels(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	same := func(dtype int, dims ...int) *onnxtest.Model {
		return onnxtest.New().In("x", dtype, dims...).Out("y", dtype, dims...).Node("n", "Identity", "x", "y")
	}
	for name, c := range map[string]struct {
		model *onnxtest.Model
		o     Options
		want  string
	}{
		"dtype":    {same(7, 1, 3, -1, -1), Options{}, `input "x" holds int64, want float32 or uint8`},
		"rank":     {same(float, 3, -1, -1), Options{}, `input "x" has shape [3,?,?], want RGB images [N,3,height,width]`},
		"channels": {same(float, 1, 4, -1, -1), Options{}, `input "x" has shape [1,4,?,?]`},
		"last":     {same(float, 1, 32, 32, 3), Options{}, `input "x" has shape [1,32,32,3]`},
		"batch":    {same(float, 8, 3, -1, -1), Options{}, `input "x" takes 8 images at once`},
		"range":    {affine(1, 0), Options{Range: "0-1"}, `range "0-1" is unknown; there are 0..1, -1..1, 0..255`},
		"bytes":    {same(bytes, 1, 3, -1, -1), Options{Range: RangeUnit}, "range 0..1 does not apply: its images are of uint8"},
		"inputs": {
			onnxtest.New().In("x", float, 1, 3, 8, 8).In("z", float, 1, 3, 8, 8).In("w", float, 1, 3, 8, 8).Out("y", float, 1, 3, 8, 8).
				Node("n", "Sum", "x z w", "y"), Options{}, "it has 3 inputs (x float32 [1,3,8,8], z float32",
		},
		"outputs": {
			onnxtest.New().In("x", float, 1, 3, 8, 8).Out("y", float, 1, 3, 8, 8).Out("z", float, 1, 3, 8, 8).
				Node("n", "Identity", "x", "y").Node("m", "Neg", "x", "z"), Options{}, "it has 2 outputs",
		},
		"output's dtype": {
			onnxtest.New().In("x", float, 1, 3, -1, -1).Out("y", 6, 1, 3, -1, -1).Node("n", "Cast", "x", "y", "to", 6),
			Options{},
			`output "y" holds int32`,
		},
		"logits": {
			onnxtest.New().In("x", float, 1, 3, 8, 8).Out("y", float, 1, 6, 8, 8).Node("n", "Concat", "x x", "y", "axis", 1),
			Options{},
			`output "y" has shape [1,6,8,8], want RGB images`,
		},
		"double": {
			onnxtest.New().In("x", float, 1, 3, 8, 8).Out("y", float, 1, 3, 8, 16).Node("n", "Concat", "x x", "y", "axis", 3),
			Options{},
			"want the image's size, 8×8",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Model = save(t, c.model)
			n, err := Open(e, c.o)
			if err == nil || n != nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.o.Model) {
				t.Errorf("have %v, want … %s", err, c.want)
			}
		})
	}
	if _, err := Open(e, Options{}); err == nil || !strings.Contains(err.Error(), "needs a model file") {
		t.Errorf("no file: %v", err)
	}
	if _, err := Open(e, Options{Model: "/no/such.onnx"}); err == nil || !strings.Contains(err.Error(), "/no/such.onnx") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestBadOutputs(t *testing.T) {
	free := func() *onnxtest.Model {
		return onnxtest.New().In("x", float, -1, 3, -1, -1).Out("y", float, -1, -1, -1, -1)
	}
	for name, c := range map[string]struct {
		model  *onnxtest.Model
		values string
		want   string
	}{
		"NaN":      {free().Floats("m", []float32{-2}, 1).Node("a", "Mul", "x m", "n").Node("b", "Sqrt", "n", "y"), "", `output "y" holds NaN`},
		"infinite": {free().Floats("z", []float32{0}, 1).Node("a", "Mul", "x z", "n").Node("b", "Reciprocal", "n", "y"), "", `output "y" holds +Inf`},
		"double":   {free().Node("a", "Concat", "x x", "y", "axis", 3), "", `output "y" has shape [1,3,6,16] for an image of shape [1,3,6,8], want the same`},
		"channels": {free().Node("a", "Concat", "x x", "y", "axis", 1), "", `has shape [1,6,6,8]`},
		"bytes":    {free().Floats("m", []float32{255}, 1).Node("a", "Mul", "x m", "y"), "", "does not look like an image of the range 0..1"},
		"unit":     {free().Floats("m", []float32{1. / 255}, 1).Node("a", "Mul", "x m", "y"), RangeBytes, "does not look like an image of the range 0..255"},
	} {
		t.Run(name, func(t *testing.T) {
			n := open(t, c.model, c.values)
			_, err := translator.All(t.Context(), n, []translator.Job{{File: "/data/a.png", Source: picture(1, 8, 6), Crop: image.Rect(0, 0, 8, 6)}})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), n.path) || !strings.Contains(err.Error(), "/data/a.png") {
				t.Errorf("have %v, want … %s", err, c.want)
			}
		})
	}
}

func TestCancelledAndClosed(t *testing.T) {
	n := open(t, affine(1, 0), "")
	job := []translator.Job{{File: "f", Source: picture(1, 8, 6), Crop: image.Rect(0, 0, 8, 6)}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.TranslateBatch(ctx, job); !errors.Is(err, context.Canceled) {
		t.Errorf("have %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.TranslateBatch(t.Context(), job); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

// Images of float16 go through as they are: whole numbers up to 2048 have one.
func TestHalfPrecision(t *testing.T) {
	const float16 = 10
	source := picture(8, 9, 5)
	for _, dims := range [][]int{{1, 3, 5, 9}, {-1, 3, -1, -1}} {
		n := open(t, onnxtest.New().In("image", float16, dims...).Out("out", float16, dims...).Node("n", "Identity", "image", "out"), RangeBytes)
		expect(t, translate(t, n, source, nil), func(c, i int) float32 { return source.Plane(c)[i] })
	}
}
