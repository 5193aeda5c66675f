package predict_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

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
	m := onnxtest.New().In("x", 1, 1, 3, 24, 32).Out("y", dtype, dims...)
	m.Node("pool", "AveragePool", "x", "small", "kernel_shape", []int{4, 4}, "strides", []int{4, 4})
	m.Floats("four", []float32{1, 1, 4, 4}, 4).Floats("none", nil, 0)
	m.Node("enlarge", "Resize", "small none four", "large", attrs...)
	last(m)
	return m.Bytes()
}

// TestUnenlarged: a model that ends with a bilinear enlargement to its input's size is run without
// it where an image takes several runs, and only there; any other is run as it is.
func TestUnenlarged(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	three := predict.Form{Space: exporttest.FiveClasses()}
	three.Space.Classes = three.Space.Classes[:3]
	copied := func(m *onnxtest.Model) { m.Node("copy", "Identity", "large", "y") }
	full, linear := []int{1, 3, 24, 32}, []any{"mode", "linear"}
	for _, tt := range []struct {
		name  string
		model []byte
		small bool
	}{
		{"half_pixel", enlarging(copied, 1, full, linear...), true},
		{"PyTorch's", enlarging(copied, 1, full, "mode", "linear", "coordinate_transformation_mode", "pytorch_half_pixel"), true},
		{"float16", enlarging(func(m *onnxtest.Model) { m.Node("narrow", "Cast", "large", "y", "to", exporttest.Float16) }, exporttest.Float16, full, linear...), true},
		{"two outputs", enlarging(func(m *onnxtest.Model) {
			copied(m)
			m.Node("largest", "ArgMax", "large", "ids", "axis", 1).Out("ids", 7, 1, 1, 24, 32)
		}, 1, full, linear...), true},
		{"corners", enlarging(copied, 1, full, "mode", "linear", "coordinate_transformation_mode", "align_corners"), false},
		{"nearest", enlarging(copied, 1, full), false},
		{"softmax", enlarging(func(m *onnxtest.Model) { m.Node("softmax", "Softmax", "large", "y", "axis", 1) }, 1, full, linear...), false},
		{"sides unknown", enlarging(copied, 1, []int{-1, -1, -1, -1}, linear...), false},
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
			want := predictOf(t, alone, img)
			if predict.Size(alone) != [2]int{32, 24} {
				t.Errorf("a single run gives %v positions", predict.Size(alone))
			}
			both := exporttest.Open(t, e, path, predict.Options{Form: three, Inference: predict.Inference{Flip: true}})
			have := predictOf(t, both, img)
			if small := predict.Size(both) == [2]int{8, 6}; small != tt.small {
				t.Errorf("runs give %v positions", predict.Size(both))
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

// TestOwnUnenlarged: models of t2sda's of a fixed size are run at their stride, in windows and
// mirrored, from files and from memory, and say nothing else of a picture that is its own mirror
// image.
func TestOwnUnenlarged(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	o := exporttest.NanoOptions("segformer")
	path := exporttest.Predictor(t, e, o, exporttest.RandomWeights(t, o.Arch)).Name()
	img := exporttest.RandomImages(rand.New(rand.NewPCG(4, 2)), 1, o.Width, o.Height)[0]
	p := exporttest.Open(t, e, path, predict.Options{Inference: predict.Inference{Flip: true}})
	mirrored := raster.NewImage(img.W, img.H)
	for i := range img.Pix {
		mirrored.Pix[i] = img.Pix[i-i%img.W+img.W-1-i%img.W]
	}
	have, other := predictOf(t, p, img), predictOf(t, p, mirrored)
	if predict.Size(p) != [2]int{o.Width / 4, o.Height / 4} {
		t.Errorf("runs give %v positions", predict.Size(p))
	}
	for i := 0; i < len(other.Pix); i += other.W {
		slices.Reverse(other.Pix[i : i+other.W])
	}
	wantLabels(t, other, have)
}
