package predict_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/export"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/raster"
)

// enlarging is a model of three classes, whose logits are the means of 4 × 4 pixels' colours,
// enlarged by a Resize of those attributes and then by what last says.
func enlarging(last func(m *onnxtest.Model), dtype int, dims []int, attrs ...any) []byte {
	return enlargingFrom([]int{1, 3, 24, 32}, last, dtype, dims, attrs...)
}

// enlargingFrom is enlarging for images of that shape.
func enlargingFrom(image []int, last func(m *onnxtest.Model), dtype int, dims []int, attrs ...any) []byte {
	m := onnxtest.New().In("x", 1, image...).Out("y", dtype, dims...)
	m.Node("pool", "AveragePool", "x", "small", "kernel_shape", []int{4, 4}, "strides", []int{4, 4})
	m.Floats("four", []float32{1, 1, 4, 4}, 4).Floats("none", nil, 0)
	m.Node("enlarge", "Resize", "small none four", "large", attrs...)
	last(m)
	return m.Bytes()
}

// TestUnenlarged: a model that ends with a bilinear enlargement to its input's size is run without
// it, where an image is one run only if labels and confidences can be those of the model; any other is
// run as it is.
func TestUnenlarged(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	three := predict.Form{Space: exporttest.FiveClasses()}
	three.Space.Classes = three.Space.Classes[:3]
	copied := func(m *onnxtest.Model) { m.Node("copy", "Identity", "large", "y") }
	uneven := []string{"by broken factors", "to other proportions"} // the mirror image's positions lie elsewhere
	full, linear := []int{1, 3, 24, 32}, []any{"mode", "linear"}
	for _, tt := range []struct {
		name  string
		model []byte
		small bool // of several runs
		alone bool // of one
	}{
		{"half_pixel", enlarging(copied, 1, full, linear...), true, true},
		{"PyTorch's", enlarging(copied, 1, full, "mode", "linear", "coordinate_transformation_mode", "pytorch_half_pixel"), true, true},
		{"float16", enlarging(func(m *onnxtest.Model) { m.Node("narrow", "Cast", "large", "y", "to", exporttest.Float16) }, exporttest.Float16, full, linear...), true, false},
		{"two outputs", enlarging(func(m *onnxtest.Model) {
			copied(m)
			m.Node("largest", "ArgMax", "large", "ids", "axis", 1).Out("ids", 7, 1, 1, 24, 32)
		}, 1, full, linear...), true, true},
		{"corners", enlarging(copied, 1, full, "mode", "linear", "coordinate_transformation_mode", "align_corners"), false, false},
		{"nearest", enlarging(copied, 1, full), false, false},
		{"softmax", enlarging(func(m *onnxtest.Model) { m.Node("softmax", "Softmax", "large", "y", "axis", 1) }, 1, full, linear...), false, false},
		{"free sides of one name", enlargingFrom([]int{1, 3, -1, -1}, copied, 1, []int{1, 3, -1, -1}, linear...), true, false},
		{"by broken factors", resizing(4, func(m *onnxtest.Model) *onnxtest.Model {
			return m.Floats("s", []float32{1, 1, 4.1, 4.1}, 4).Node("enlarge", "Resize", "small none s", "y", linear...)
		}), true, false},
		{"by sizes", resizing(4, func(m *onnxtest.Model) *onnxtest.Model {
			return m.Ints("s", full...).Node("enlarge", "Resize", "small none none s", "y", linear...)
		}), true, true},
		{"to other proportions", resizing(5, func(m *onnxtest.Model) *onnxtest.Model {
			return m.Ints("s", full...).Node("enlarge", "Resize", "small none none s", "y", linear...)
		}), true, true},
		{"to a smaller size", resizing(4, func(m *onnxtest.Model) *onnxtest.Model {
			m.Floats("ten", []float32{1, 1, 10, 10}, 4).Node("grow", "Resize", "small none ten", "large", "mode", "nearest")
			return m.Ints("s", full...).Node("shrink", "Resize", "large none none s", "y", linear...)
		}), true, true},
		{"free sides in the output alone", enlarging(copied, 1, []int{-1, -1, -1, -1}, linear...), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.onnx")
			if err := os.WriteFile(path, tt.model, 0o600); err != nil {
				t.Fatal(err)
			}
			three := three
			three.Output = "y"
			img := exporttest.RandomImages(rand.New(rand.NewPCG(3, 8)), 1, 32, 24)[0]
			alone := exporttest.Open(t, e, path, predict.Options{Form: three})
			unedited := openUnedited(t, e, path, predict.Options{Form: three})
			for _, size := range [][2]int{{32, 24}, {64, 48}, {77, 50}, {128, 96}, {20, 9}} {
				have, confidence := labelsAt(t, alone, img, size[0], size[1])
				want, wantConfidence := labelsAt(t, unedited, img, size[0], size[1])
				wantLabels(t, have, want)
				wantConfidences(t, confidence, wantConfidence)
			}
			if small := predict.Size(alone) != predict.Size(unedited); small != tt.alone {
				t.Errorf("a single run gives %v positions", predict.Size(alone))
			}
			both := exporttest.Open(t, e, path, predict.Options{Form: three, Inference: predict.Inference{Flip: true}})
			have, want := predictOf(t, both, img), predictOf(t, alone, img)
			if small := predict.Size(both) != predict.Size(unedited); small != tt.small {
				t.Errorf("runs give %v positions", predict.Size(both))
			}
			if slices.Contains(uneven, tt.name) {
				return
			}
			differ := 0
			for i, id := range have.Pix {
				if id != want.Pix[i] {
					differ++
				}
			}
			if differ > len(want.Pix)/100 { // a mirrored picture has mirrored means
				t.Errorf("%d of %d pixels have other labels than in a single run", differ, len(want.Pix))
			}
		})
	}
}

// resizing is a model of three classes, the means of n × n pixels' colours, of which last makes the output.
func resizing(n int, last func(m *onnxtest.Model) *onnxtest.Model) []byte {
	m := onnxtest.New().In("x", 1, 1, 3, 24, 32).Out("y", 1, 1, 3, 24, 32).Floats("none", nil, 0)
	return last(m.Node("pool", "AveragePool", "x", "small", "kernel_shape", []int{n, n}, "strides", []int{n, n})).Bytes()
}

// openUnedited opens a model that is run as it is.
func openUnedited(t *testing.T, e *engine.Engine, path string, o predict.Options) *predict.Predictor {
	t.Helper()
	s, err := e.OpenModelWith(path, engine.SessionOptions{Outputs: []string{o.Output}})
	p, err := predict.NewAs(exporttest.Opened(t, s, err), o)
	return exporttest.Opened(t, p, err)
}

// wantConfidences: they are equal but for rounding, which is ONNX Runtime's own way after convolutions.
func wantConfidences(t *testing.T, have, want *predict.Confidence) {
	t.Helper()
	for i, p := range want.Pix {
		if off := int(have.Pix[i]) - int(p); off < -1 || off > 1 {
			t.Fatalf("the confidence at %d is %d, want %d", i, have.Pix[i], p)
		}
	}
}

// TestUnenlargedContinued: images that are no multiples of what a model of free size takes are
// continued all the same; its factors tell what it would have given.
func TestUnenlargedContinued(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	copied := func(m *onnxtest.Model) { m.Node("copy", "Identity", "large", "y") }
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, enlargingFrom([]int{1, 3, -1, -1}, copied, 1, []int{1, 3, -1, -1}, "mode", "linear"), 0o600); err != nil {
		t.Fatal(err)
	}
	three := predict.Form{Space: exporttest.FiveClasses()}
	three.Space.Classes = three.Space.Classes[:3]
	three.Output = "y"
	img := exporttest.RandomImages(rand.New(rand.NewPCG(3, 8)), 1, 35, 34)[0]
	for flip, want := range map[bool][2]int{false: {36, 36}, true: {9, 9}} {
		p := exporttest.Open(t, e, path, predict.Options{Form: three, Inference: predict.Inference{Flip: flip}})
		predictOf(t, p, img)
		if have := predict.Size(p); have != want {
			t.Errorf("mirrored: %t: runs give %v positions, want %v", flip, have, want)
		}
	}
}

// TestEnlargedIDs: an enlarged map of ids is none, however often an image is run.
func TestEnlargedIDs(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	m := onnxtest.New().In("x", 1, 1, 3, 24, 32).Out("y", 1, 1, 1, 24, 32).Floats("none", nil, 0).Floats("four", []float32{1, 1, 4, 4}, 4)
	m.Node("pool", "AveragePool", "x", "small", "kernel_shape", []int{4, 4}, "strides", []int{4, 4})
	m.Node("one", "ReduceMean", "small", "mean", "axes", []int{1}).Node("ids", "Floor", "mean", "whole")
	m.Node("enlarge", "Resize", "whole none four", "y", "mode", "linear")
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, m.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	img := exporttest.RandomImages(rand.New(rand.NewPCG(3, 8)), 1, 32, 24)[0]
	for i := range img.Pix {
		img.Pix[i] = float32(int(img.Pix[i]) % 5)
	}
	for _, flip := range []bool{false, true} {
		p := exporttest.Open(t, e, path, predict.Options{Form: predict.Form{Space: exporttest.FiveClasses()}, Inference: predict.Inference{Flip: flip}})
		if _, err := p.Predict(t.Context(), img); err == nil || !strings.Contains(err.Error(), "which is no id") {
			t.Errorf("mirrored: %t: %v", flip, err)
		}
	}
}

// labelsAt returns an image's labels and confidences at w × h pixels.
func labelsAt(t *testing.T, p *predict.Predictor, img *raster.Image, w, h int) (*raster.Labels, *predict.Confidence) {
	t.Helper()
	task := p.NewTask()
	defer task.Close()
	if err := task.Fill(img); err != nil {
		t.Fatal(err)
	}
	if err := task.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := task.Labels(w, h)
	if err != nil {
		t.Fatal(err)
	}
	return l, task.Confidence(w, h)
}

// TestOwnUnenlarged: a model of t2sda's of a fixed size is run at its stride, from a file and from
// memory, in windows or not. Labels of a single run are those of the model with its enlargement;
// a window as large as the picture gives them, too.
func TestOwnUnenlarged(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	o := exporttest.NanoOptions("segformer")
	weights := exporttest.RandomWeights(t, o.Arch)
	path := exporttest.Predictor(t, e, o, weights).Name()
	r := rand.New(rand.NewPCG(4, 2))
	img := exporttest.RandomImages(r, 1, o.Width, o.Height)[0]
	own := predict.Options{Form: predict.Form{Output: predict.OutputLogits}}
	for _, size := range [][2]int{{o.Width, o.Height}, {2 * o.Width, 2 * o.Height}, {3*o.Width + 1, o.Height + 7}} {
		have, confidence := labelsAt(t, exporttest.Open(t, e, path, predict.Options{}), img, size[0], size[1])
		want, wantConfidence := labelsAt(t, openUnedited(t, e, path, own), img, size[0], size[1])
		wantLabels(t, have, want)
		wantConfidences(t, confidence, wantConfidence)
	}
	whole := predictOf(t, exporttest.Open(t, e, path, predict.Options{}), img)
	asWindow := predict.Inference{WindowWidth: o.Width, WindowHeight: o.Height, Width: o.Width, Height: o.Height}
	p := exporttest.Open(t, e, path, predict.Options{Inference: asWindow})
	wantLabels(t, predictOf(t, p, img), whole)
	if stride := [2]int{o.Width / 4, o.Height / 4}; predict.Size(p) != stride {
		t.Errorf("runs give %v positions, want %v", predict.Size(p), stride)
	}

	large := exporttest.RandomImages(r, 1, 2*o.Width, o.Height)[0]
	o.Windows = predict.Windows{Width: 2 * o.Width, Height: o.Height, Overlap: 0.5}
	model, err := export.Build(o, weights)
	if err != nil {
		t.Fatal(err)
	}
	memory, err := predict.OpenBytes(e, "in memory", model)
	memory = exporttest.Opened(t, memory, err)
	asWindow.Width, asWindow.Overlap = o.Windows.Width, o.Windows.Overlap
	p = exporttest.Open(t, e, path, predict.Options{Inference: asWindow})
	wantLabels(t, predictOf(t, memory, large), predictOf(t, p, large))
	if stride := [2]int{o.Width / 4, o.Height / 4}; predict.Size(memory) != stride {
		t.Errorf("runs in memory give %v positions, want %v", predict.Size(memory), stride)
	}
}

// TestUnenlargedIsChecked: what is wrong with a model's output is said when it is opened, by the
// shape that the file has, whether or not it is run so.
func TestUnenlargedIsChecked(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	copied := func(m *onnxtest.Model) { m.Node("copy", "Identity", "large", "y") }
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, enlarging(copied, 1, []int{1, 3, 24, 32}, "mode", "linear"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flip := range []bool{false, true} {
		o := predict.Options{Form: predict.Form{Space: exporttest.FiveClasses()}, Inference: predict.Inference{Flip: flip}}
		_, err := predict.OpenWith(e, path, o)
		if err == nil || !strings.Contains(err.Error(), "[1,3,24,32]") {
			t.Errorf("mirrored: %t: %v", flip, err)
		}
	}
}
