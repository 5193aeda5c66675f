package predict_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/datasets"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
)

const step = 40 // of red per class

// five is the form of a model of five classes.
func five() predict.Form { return predict.Form{Space: exporttest.FiveClasses()} }

func predictOf(t testing.TB, p *predict.Predictor, img *raster.Image) *raster.Labels {
	t.Helper()
	l, err := p.Predict(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// noise draws a class per pixel.
func noise(r *rand.Rand, w, h, classes int) *raster.Labels {
	l := raster.NewLabels(w, h)
	for i := range l.Pix {
		l.Pix[i] = uint8(r.IntN(classes))
	}
	return l
}

// checker alternates two neighbouring classes in blocks, whose borders stay where
// they are when logits are resized.
func checker(w, h, block int) *raster.Labels {
	l := raster.NewLabels(w, h)
	for i := range l.Pix {
		l.Pix[i] = uint8(2 + (i%w/block+i/w/block)%2)
	}
	return l
}

func wantLabels(t testing.TB, got, want *raster.Labels) {
	t.Helper()
	if got.W != want.W || got.H != want.H {
		t.Fatalf("labels of %d×%d pixels, want %d×%d", got.W, got.H, want.W, want.H)
	}
	for i := range want.Pix {
		if got.Pix[i] != want.Pix[i] {
			t.Fatalf("column %d, row %d: class %d, want %d", i%want.W, i/want.W, got.Pix[i], want.Pix[i])
		}
	}
}

// A model that reads the class off the image says the same in every form.
func TestForms(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	tests := []struct {
		name  string
		model exporttest.Foreign
		form  func(*predict.Form)
	}{
		{"plain", exporttest.Foreign{}, nil},
		{"fixed", exporttest.Foreign{W: 32, H: 24}, nil},
		{"channels last", exporttest.Foreign{NHWC: true}, nil},
		{"channels last, said", exporttest.Foreign{NHWC: true}, func(f *predict.Form) { f.Layout = predict.NHWC }},
		{"all last", exporttest.Foreign{NHWC: true, LogitsLast: true}, nil},
		{"blue first", exporttest.Foreign{BGR: true}, func(f *predict.Form) { f.BGR = true }},
		{"normalised", exporttest.Foreign{Scale: 1, Mean: 0.485, Std: 0.229}, func(f *predict.Form) {
			f.Scale, f.Mean, f.Std = 1, []float64{0.485, 0.456, 0.406}, []float64{0.229, 0.224, 0.225}
		}},
		{"normalised, blue first", exporttest.Foreign{BGR: true, Mean: 122.7}, func(f *predict.Form) {
			f.BGR, f.Mean = true, []float64{104, 116.7, 122.7}
		}},
		{"stride", exporttest.Foreign{Stride: 4}, nil},
		{"stride, last, free", exporttest.Foreign{Stride: 4, LogitsLast: true, FreeShape: true, FreeBatch: true}, nil},
		{"int64 labels", exporttest.Foreign{Labels: engine.Int64}, nil},
		{"int32 labels", exporttest.Foreign{Labels: engine.Int32, Squeeze: true}, nil},
		{"uint8 labels, fixed", exporttest.Foreign{Labels: engine.Uint8, W: 32, H: 24, Squeeze: true}, nil},
		{"free labels", exporttest.Foreign{Labels: engine.Int64, FreeShape: true}, nil},
		{"float16", exporttest.Foreign{Half: true}, nil},
		{"float16, fixed", exporttest.Foreign{Half: true, W: 32, H: 24}, nil},
		{"float16, all free", exporttest.Foreign{Half: true, FreeShape: true, FreeBatch: true}, nil},
		{"float32 labels", exporttest.Foreign{Labels: engine.Float32}, nil},
		{"float16 labels, fixed", exporttest.Foreign{Labels: exporttest.Float16, Squeeze: true, W: 32, H: 24}, nil},
		{"int8 labels", exporttest.Foreign{Labels: 3, Squeeze: true}, nil},
		{"uint16 labels", exporttest.Foreign{Labels: 4, FreeShape: true}, nil},
		{"int16 labels", exporttest.Foreign{Labels: 5}, nil},
		{"multiples of 16", exporttest.Foreign{Multiple: 16}, nil},
		{"multiples of 32, channels last", exporttest.Foreign{Multiple: 32, NHWC: true, FreeShape: true}, nil},
		{"multiples of 64, labels", exporttest.Foreign{Multiple: 64, Labels: engine.Int32}, nil},
		{"multiples of 32, stride", exporttest.Foreign{Multiple: 8, Stride: 4}, nil},
		{"one of two outputs", exporttest.Foreign{Spare: true}, func(f *predict.Form) { f.Output, f.Input = "y", "x" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, form := tt.model, five()
			m.Classes, m.Step = 5, step
			if tt.form != nil {
				tt.form(&form)
			}
			p := exporttest.Open(t, e, m.File(t), predict.Options{Form: form})
			for _, size := range [][2]int{{32, 24}, {32, 24}, {16, 48}, {32, 24}} { // twice, another and back
				if m.W > 0 && size != [2]int{32, 24} {
					continue // would be resized
				}
				want := checker(size[0], size[1], 8)
				wantLabels(t, predictOf(t, p, exporttest.Paint(want, step)), want)
			}
		})
	}
}

// Labels maps channels and ids: here the channels are Cityscapes' raw ids.
func TestFormLabels(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	raw, err := datasets.LoadLabelMap("cityscapes")
	if err != nil {
		t.Fatal(err)
	}
	ids := noise(rand.New(rand.NewPCG(5, 6)), 24, 16, 34)
	want := raster.NewLabels(24, 16)
	for i, id := range ids.Pix {
		want.Pix[i], _ = raw.TrainID(int(id))
	}
	for _, labels := range []engine.DType{0, engine.Int64} {
		m := exporttest.Foreign{Classes: 34, Step: 7, Labels: labels}
		for _, o := range []predict.Inference{{}, {Flip: true}, {WindowWidth: 16, WindowHeight: 16, Overlap: 0.5}} {
			p := exporttest.Open(t, e, m.File(t), predict.Options{Form: predict.Form{Labels: raw}, Inference: o})
			wantLabels(t, predictOf(t, p, exporttest.Paint(ids, 7)), want)
			if !p.Space().Equal(datasets.Cityscapes19()) {
				t.Errorf("space %v", p.Space())
			}
		}
	}
	p := exporttest.Open(t, e, exporttest.Foreign{Classes: 36, Step: 7, Labels: engine.Int64}.File(t), predict.Options{Form: predict.Form{Labels: raw}})
	ids.Pix[24+3] = 35
	if _, err := p.Predict(t.Context(), exporttest.Paint(ids, 7)); err == nil || !strings.Contains(err.Error(), "column 3, row 1: it predicts id 35, which label map cityscapes does not list") {
		t.Errorf("error %v", err)
	}
}

// Of few pixels a model may make more than fit into memory.
func TestNarrowImages(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	fixed := exporttest.Foreign{Classes: 5, Step: step, H: 600, FreeShape: true}.File(t)
	multiples := exporttest.Foreign{Classes: 5, Step: step, Multiple: 64}.File(t)
	for _, c := range []struct {
		model string
		infer predict.Inference
		w, h  int
		want  string
	}{
		{fixed, predict.Inference{}, 1_000, 1, "brought to what the model takes: 600000×600 pixels are more than the 178956970 that are taken"},
		{fixed, predict.Inference{Flip: true}, 1_000, 1, "600000×600 pixels are more"},
		{multiples, predict.Inference{}, 3_000_000, 1, "3000000×64 pixels are more"},
		{multiples, predict.Inference{Divisor: 128}, 1, 1_500_000, "128×1500032 pixels are more"},
		{multiples, predict.Inference{Scales: []float64{16}}, 1_000, 800, "16000×12800 pixels are more"},
	} {
		p, img := exporttest.Open(t, e, c.model, predict.Options{Form: five(), Inference: c.infer}), raster.NewImage(c.w, c.h)
		if _, err := p.Predict(t.Context(), img); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d×%d, %+v: %v, want %q", c.w, c.h, c.infer, err, c.want)
		}
		if _, err := p.Feed(img); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("a single run of %d×%d: %v, want %q", c.w, c.h, err, c.want)
		}
	}
}

// For a model that looks at single pixels windows and mirroring change nothing,
// wherever they end.
func TestWindowsCover(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	r := rand.New(rand.NewPCG(1, 2))
	for _, fixed := range []bool{false, true} {
		m := exporttest.Foreign{Classes: 5, Step: step}
		if fixed {
			m.W, m.H = 8, 6
		}
		file := m.File(t)
		for _, size := range [][2]int{{8, 6}, {9, 6}, {20, 17}, {24, 18}, {5, 30}, {1, 1}} {
			for _, overlap := range []float64{0, 0.3, 0.9} {
				t.Run(fmt.Sprint(fixed, size, overlap), func(t *testing.T) {
					for _, flip := range []bool{false, true} {
						p := exporttest.Open(t, e, file, predict.Options{Form: five(), Inference: predict.Inference{WindowWidth: 8, WindowHeight: 6, Overlap: overlap, Flip: flip}})
						want := noise(r, size[0], size[1], 5)
						wantLabels(t, predictOf(t, p, exporttest.Paint(want, step)), want)
					}
				})
			}
		}
	}
}

// TestAveraging compares windows, scales and mirroring of a model whose answer
// depends on the place within a window with the same in plain float64.
func TestAveraging(t *testing.T) {
	const seed, classes, w, h = 9, 4, 8, 6
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	position := make([]float32, classes*w*h)
	for i := range position {
		position[i] = float32(3 * r.NormFloat64())
	}
	e := enginetest.Open(t, engine.Options{})
	file := exporttest.Foreign{Classes: classes, Step: step, W: w, H: h, Position: position}.File(t)
	form := predict.Form{Space: datasets.Space{Name: "four", Classes: exporttest.FiveClasses().Classes[:classes]}}
	for _, o := range []predict.Inference{
		{Overlap: 0.5},
		{Overlap: 0.6, Flip: true},
		{Overlap: 0.25, Flip: true, Scales: []float64{0.75, 1, 1.6}, Width: 20, Height: 15},
		{Scales: []float64{2}},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			o.WindowWidth, o.WindowHeight = w, h
			img := exporttest.Paint(noise(r, 19, 14, classes), step)
			p := exporttest.Open(t, e, file, predict.Options{Form: form, Inference: o})
			got := predictOf(t, p, img)
			want := naive(img, o, position, classes)
			ties := 0
			for i, id := range got.Pix {
				best := slices.Max(want[i])
				if want[i][id] != best {
					if best-want[i][id] > 1e-4 {
						t.Fatalf("pixel %d: class %d, scores %v", i, id, want[i])
					}
					ties++
				}
			}
			if ties > 3 {
				t.Errorf("%d of %d pixels were as good as ties", ties, len(want))
			}
		})
	}
}

// naive returns per pixel the mean scores of the model of [TestAveraging]:
// logits for a single view, probabilities for several.
func naive(img *raster.Image, o predict.Inference, position []float32, classes int) [][]float64 {
	w0, h0 := img.W, img.H
	if o.Width > 0 {
		w0, h0 = o.Width, o.Height
	}
	scales := o.Scales
	if scales == nil {
		scales = []float64{1}
	}
	single := len(scales) == 1 && !o.Flip
	total := newField(classes, w0, h0)
	for _, s := range scales {
		w, h := int(math.Round(float64(w0)*s)), int(math.Round(float64(h0)*s))
		pix := resize.RGB(img.RGB(), img.W, img.H, w, h)
		for _, flip := range []bool{false, true}[:1+map[bool]int{true: 1}[o.Flip]] {
			f, n := newField(classes, w, h), make([]float64, w*h)
			for _, y0 := range starts(h, o.WindowHeight, o.Overlap) {
				for _, x0 := range starts(w, o.WindowWidth, o.Overlap) {
					for y := y0; y < min(y0+o.WindowHeight, h); y++ {
						for x := x0; x < min(x0+o.WindowWidth, w); x++ {
							red := float64(pix[3*(y*w+x)])
							if flip {
								red = float64(pix[3*(y*w+w-1-x)])
							}
							n[y*w+x]++
							for c := range classes {
								k := (c*o.WindowHeight+y-y0)*o.WindowWidth + x - x0
								f.v[c][y*w+x] += float64(c)*red/step - float64(c*c)/2 + float64(position[k])
							}
						}
					}
				}
			}
			for c := range classes {
				for i := range n {
					f.v[c][i] /= n[i]
				}
			}
			if single {
				total = f
				continue
			}
			f = f.resized(w0, h0)
			for i := range w0 * h0 {
				norm := 0.0
				for c := range classes {
					norm += math.Exp(f.v[c][i])
				}
				for c := range classes {
					to := i
					if flip {
						to = i - i%w0 + w0 - 1 - i%w0
					}
					total.v[c][to] += math.Exp(f.v[c][i]) / norm
				}
			}
		}
	}
	total = total.resized(img.W, img.H)
	scores := make([][]float64, img.W*img.H)
	for i := range scores {
		for c := range classes {
			scores[i] = append(scores[i], total.v[c][i])
		}
	}
	return scores
}

// starts places windows: as many as needed with at least that overlap, the last
// one at the end.
func starts(size, n int, overlap float64) []int {
	if size <= n {
		return []int{0}
	}
	step := max(1, int(float64(n)*(1-overlap)))
	var all []int
	for i := range (size - n + step - 1) / step {
		all = append(all, i*step)
	}
	return append(all, size-n)
}

// field is values [C][h·w].
type field struct {
	w, h int
	v    [][]float64
}

func newField(c, w, h int) field {
	f := field{w, h, make([][]float64, c)}
	for i := range f.v {
		f.v[i] = make([]float64, w*h)
	}
	return f
}

// resized is bilinear with half-pixel centres.
func (f field) resized(w, h int) field {
	out := newField(len(f.v), w, h)
	at := func(i, from, to int) (lo, hi int, part float64) {
		x := min(max((float64(i)+0.5)*float64(from)/float64(to)-0.5, 0), float64(from-1))
		return int(x), min(int(x)+1, from-1), x - math.Floor(x)
	}
	for y := range h {
		y0, y1, fy := at(y, f.h, h)
		for x := range w {
			x0, x1, fx := at(x, f.w, w)
			for c, v := range f.v {
				out.v[c][y*w+x] = (1-fy)*((1-fx)*v[y0*f.w+x0]+fx*v[y0*f.w+x1]) + fy*((1-fx)*v[y1*f.w+x0]+fx*v[y1*f.w+x1])
			}
		}
	}
	return out
}

func TestOpenForeignErrors(t *testing.T) {
	const stringType = 8
	e := enginetest.Open(t, engine.Options{})
	raw, err := datasets.LoadLabelMap("cityscapes")
	if err != nil {
		t.Fatal(err)
	}
	trainIDs, err := datasets.LoadLabelMap("cityscapes-trainids")
	if err != nil {
		t.Fatal(err)
	}
	plain := exporttest.Foreign{Classes: 5, Step: step}
	fixed := plain
	fixed.W, fixed.H = 32, 24
	spare := plain
	spare.Spare = true
	with := func(change func(*predict.Options)) predict.Options {
		o := predict.Options{Form: five()}
		if change != nil {
			change(&o)
		}
		return o
	}
	relu := func(dtype int, dims ...int) []byte {
		return onnxtest.New().Node("n", "Identity", "x", "y").In("x", dtype, dims...).Out("y", dtype, dims...).Bytes()
	}
	tests := []struct {
		name  string
		model []byte
		o     predict.Options
		want  string
	}{
		{"count", exporttest.Foreign{Classes: 21, Step: step, W: 32, H: 24}.Bytes(), with(nil), `output "y" has logits of shape [1,21,24,32]: 21 classes, but five has 5`},
		{"raw ids for train ids", exporttest.Foreign{Classes: 19, Step: step, W: 32, H: 24}.Bytes(), with(func(o *predict.Options) { o.Labels = raw }), "19 channels, but label map cityscapes gives traffic light the id 19"},
		{"more channels than ids", exporttest.Foreign{Classes: 21, Step: step, W: 32, H: 24}.Bytes(), with(func(o *predict.Options) { o.Labels = trainIDs }), "21 channels, but label map cityscapes-trainids does not list 19"},
		{"no classes", plain.Bytes(), predict.Options{}, "a label map must say what the classes of its output are"},
		{"batch", relu(1, 2, 3, 8, 8), with(nil), `input "x" takes 2 images at once`},
		{"gray", relu(1, 1, 1, 8, 8), with(nil), `input "x" has shape [1,1,8,8], want [1,3,height,width]`},
		{"rank", relu(1, 3, 8), with(nil), `input "x" has shape [3,8], want`},
		{"output type", onnxtest.New().Node("c", "Cast", "x", "y", "to", stringType).In("x", 1, 1, 3, 8, 8).Out("y", stringType, 1, 3, 8, 8).Bytes(), with(nil), `output "y" holds string, want logits`},
		{"output rank", onnxtest.New().Node("c", "Flatten", "x", "y").In("x", 1, 1, 3, 8, 8).Out("y", 1, 1, 192).Bytes(), with(nil), `output "y" has shape [1,192], want logits`},
		{"two outputs", spare.Bytes(), with(nil), "it has 2 outputs: name the one to use (y float32 [1,5,?,?], spare float32 [?,?,?,?])"},
		{"no such output", spare.Bytes(), with(func(o *predict.Options) { o.Output = "z" }), `no output "z"`},
		{"no such input", plain.Bytes(), with(func(o *predict.Options) { o.Input = "z" }), `it has no input "z" (x float32 [1,3,?,?])`},
		{"layout", plain.Bytes(), with(func(o *predict.Options) { o.Layout = "chw" }), `layout "chw" is neither nchw nor nhwc`},
		{"layout of another", plain.Bytes(), with(func(o *predict.Options) { o.Layout = predict.NHWC }), `input "x" has shape [1,3,?,?]`},
		{"mean", plain.Bytes(), with(func(o *predict.Options) { o.Mean = []float64{1} }), "mean [1]: want three numbers"},
		{"std", plain.Bytes(), with(func(o *predict.Options) { o.Std = []float64{1, 0, 1} }), "std [1 0 1]: want numbers above 0"},
		{"scale", plain.Bytes(), with(func(o *predict.Options) { o.Scale = -1 }), "scale -1"},
		{"size", fixed.Bytes(), with(func(o *predict.Options) { o.Width, o.Height = 64, 48 }), "size 64×48: the model takes 32×24 only"},
		{"window", fixed.Bytes(), with(func(o *predict.Options) { o.WindowWidth, o.WindowHeight = 64, 48 }), "windows of 64×48 pixels: the model takes 32×24 only"},
		{"half a window", plain.Bytes(), with(func(o *predict.Options) { o.WindowWidth = 64 }), "windows of 64×0 pixels: give both"},
		{"overlap", plain.Bytes(), with(func(o *predict.Options) { o.Overlap = 0.5 }), "an overlap without windows"},
		{"whole overlap", plain.Bytes(), with(func(o *predict.Options) { o.WindowWidth, o.WindowHeight, o.Overlap = 8, 8, 1 }), "overlap 1: want a share"},
		{"scales", fixed.Bytes(), with(func(o *predict.Options) { o.Scales = []float64{1, 2} }), "scale 2: the model takes 32×24 only"},
		{"scale 0", plain.Bytes(), with(func(o *predict.Options) { o.Scales = []float64{0} }), "scale 0: want a factor above 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.onnx")
			if err := os.WriteFile(path, tt.model, 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := predict.OpenWith(e, path, tt.o)
			if err == nil {
				p.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want %q and the file's name", err, tt.want)
			}
		})
	}
}

// What is known at run time only is checked then; models of t2sda take no form.
func TestForeignRunErrors(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	m := exporttest.Foreign{Classes: 7, Step: step, FreeShape: true}
	for _, o := range []predict.Inference{{}, {Flip: true}} {
		p := exporttest.Open(t, e, m.File(t), predict.Options{Form: five(), Inference: o})
		_, err := p.Predict(t.Context(), exporttest.Paint(checker(16, 16, 4), step))
		if err == nil || !strings.Contains(err.Error(), `foreign.onnx: output "y" has logits of shape [1,7,16,16]: 7 classes, but five has 5`) {
			t.Errorf("error %v", err)
		}
	}
	own := exporttest.NanoOptions("segformer")
	path := exporttest.Predictor(t, e, own, exporttest.RandomWeights(t, own.Arch)).Name()
	if _, err := predict.OpenWith(e, path, predict.Options{Form: predict.Form{BGR: true}}); err == nil || !strings.Contains(err.Error(), "it describes itself") {
		t.Errorf("error %v", err)
	}
}
