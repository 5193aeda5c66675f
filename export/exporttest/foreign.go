package exporttest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/raster"
)

// Foreign describes a model as another program might have exported it, without
// metadata. It reads the class off the image: an amount of red of Step·class is
// that class, in between the nearest. The logits are
//
//	class·red/Step − class²/2 + Position[class]
type Foreign struct {
	Classes int
	Step    float64 // of red, 0–255
	W, H    int     // of the input; 0: free

	NHWC, BGR            bool    // of the input
	Scale, Mean, Std     float64 // that red comes in with; 0: 255, 0, 1
	LogitsLast           bool    // logits [1,H,W,C]
	Stride               int     // of the logits; 0: 1
	Labels               engine.DType
	Squeeze              bool      // labels [1,H,W], not [1,1,H,W]
	Position             []float32 // [C,H,W] added to the logits of a model of fixed size
	FreeBatch, FreeShape bool      // batch, or all dimensions of the output, are free
	Spare                bool      // a second output

	Half     bool // input and logits are of float16
	Multiple int  // that width and height must be of, as in U-shaped networks; 0: of 1
	Blocks   int  // that scores are the means of; what is left at right and below is cut off; 0: of 1
	Single   bool // instead of two classes one channel, above 0 for the second
	Sigmoid  bool // of that channel: above 0.5
}

// Float16 is TensorProto.DataType of 16 bits.
const Float16 = 10

// Bytes returns the model's file.
func (f Foreign) Bytes() []byte {
	m := onnxtest.New()
	at := f.input(m)
	if f.Stride > 1 {
		m.Node("pool", "AveragePool", at, "pooled", "kernel_shape", []int{f.Stride, f.Stride}, "strides", []int{f.Stride, f.Stride})
		at = "pooled"
	}
	weight, bias := f.weights()
	m.Floats("weight", weight, len(bias), 3, 1, 1).Floats("bias", bias, len(bias))
	m.Node("conv", "Conv", at+" weight bias", "scores")
	at = "scores"
	if n := f.Multiple; n > 1 {
		m.Node("down", "AveragePool", at, "small", "kernel_shape", []int{n, n}, "strides", []int{n, n})
		m.Floats("zero", make([]float32, len(bias)*n*n), len(bias), 1, n, n)
		m.Node("up", "ConvTranspose", "small zero", "large", "group", len(bias), "kernel_shape", []int{n, n}, "strides", []int{n, n})
		m.Node("skip", "Add", at+" large", "summed")
		at = "summed"
	}
	if n := f.Blocks; n > 1 {
		m.Node("means", "AveragePool", at, "blocks", "kernel_shape", []int{n, n}, "strides", []int{n, n})
		m.Floats("one", slices.Repeat([]float32{1}, len(bias)*n*n), len(bias), 1, n, n)
		m.Node("paint", "ConvTranspose", "blocks one", "painted", "group", len(bias), "kernel_shape", []int{n, n}, "strides", []int{n, n})
		at = "painted"
	}
	if f.Sigmoid {
		m.Node("sigmoid", "Sigmoid", at, "probability")
		at = "probability"
	}
	if f.Position != nil {
		m.Floats("position", f.Position, 1, f.Classes, f.H, f.W).Node("place", "Add", at+" position", "placed")
		at = "placed"
	}
	f.output(m, at)
	if f.Spare {
		m.Node("spare", "Neg", "scores", "spare").Out("spare", int(engine.Float32), -1, -1, -1, -1)
	}
	return m.Bytes()
}

// input declares the input and returns the name of what is planar.
func (f Foreign) input(m *onnxtest.Model) string {
	free := func(n int) int {
		if n == 0 {
			return -1
		}
		return n
	}
	batch := 1
	if f.FreeBatch {
		batch = -1
	}
	if f.Half {
		m.In("x", Float16, batch, 3, free(f.H), free(f.W)).Node("wide", "Cast", "x", "single", "to", int(engine.Float32))
		return "single"
	}
	if !f.NHWC {
		m.In("x", int(engine.Float32), batch, 3, free(f.H), free(f.W))
		return "x"
	}
	m.In("x", int(engine.Float32), batch, free(f.H), free(f.W), 3)
	m.Node("planar", "Transpose", "x", "planar", "perm", []int{0, 3, 1, 2})
	return "planar"
}

func (f Foreign) weights() (weight, bias []float32) {
	scale, std, red := f.Scale, f.Std, 0
	if scale == 0 {
		scale = 255
	}
	if std == 0 {
		std = 1
	}
	if f.BGR {
		red = 2
	}
	weight, bias = make([]float32, 3*f.Classes), make([]float32, f.Classes)
	if f.Single {
		k := 255 / f.Step / scale
		weight, bias = make([]float32, 3), []float32{float32(k*f.Mean - 0.5)}
		weight[red] = float32(k * std)
		return weight, bias
	}
	for c := range f.Classes {
		k := float64(c) / f.Step * 255 / scale
		weight[3*c+red] = float32(k * std)
		bias[c] = float32(k*f.Mean - float64(c*c)/2)
	}
	return weight, bias
}

// output adds the nodes from logits to the output.
func (f Foreign) output(m *onnxtest.Model, at string) {
	stride, c := max(f.Stride, 1), f.Classes
	if f.Single {
		c = 1
	}
	w, h := f.W/stride, f.H/stride
	if f.W == 0 || f.H == 0 {
		w, h = -1, -1
	}
	declare := func(name string, t engine.DType, dims ...int) {
		if f.FreeShape {
			for i := range dims {
				dims[i] = -1
			}
		}
		m.Out(name, int(t), dims...)
	}
	switch {
	case f.Labels != 0:
		m.Node("argmax", "ArgMax", at, "ids", "axis", 1, "keepdims", map[bool]int{false: 1, true: 0}[f.Squeeze])
		m.Node("cast", "Cast", "ids", "y", "to", int(f.Labels))
		if f.Squeeze {
			declare("y", f.Labels, 1, h, w)
		} else {
			declare("y", f.Labels, 1, 1, h, w)
		}
	case f.Half:
		m.Node("narrow", "Cast", at, "y", "to", Float16)
		declare("y", Float16, 1, c, h, w)
	case f.LogitsLast:
		m.Node("last", "Transpose", at, "y", "perm", []int{0, 2, 3, 1})
		declare("y", engine.Float32, 1, h, w, c)
	default:
		m.Node("copy", "Identity", at, "y")
		declare("y", engine.Float32, 1, c, h, w)
	}
}

// File writes the model into a folder of the test.
func (f Foreign) File(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.onnx")
	if err := os.WriteFile(path, f.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Paint returns the image in which a model of that Step sees the labels.
func Paint(l *raster.Labels, step int) *raster.Image {
	img := raster.NewImage(l.W, l.H)
	for i, id := range l.Pix {
		img.Pix[i] = float32(step * int(id))
		img.Plane(1)[i], img.Plane(2)[i] = 90, 200
	}
	return img
}
