package predict

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/internal/pad"
)

// lattice is a model that does not exist: of its logits one position stands for stride × stride
// pixels, and inputs are continued to multiples of it.
type lattice struct {
	classes, stride int
	logits          func(c int, v *view, x, y int) float32 // of the window whose corner is at pixel (x,y) of a view
	position        func(c, x, y int) float32              // and of the position within it
}

// run returns what the model gives for a window.
func (l lattice) run(t *testing.T, v *view, p window) *slot {
	t.Helper()
	size := pad.Size{W: (p.w + l.stride - 1) / l.stride * l.stride, H: (p.h + l.stride - 1) / l.stride * l.stride}
	g := grid{kind: logits, c: l.classes, w: size.W / l.stride, h: size.H / l.stride}
	pix := make([]float32, g.c*g.w*g.h)
	for i := range pix {
		c, y, x := i/(g.w*g.h), i/g.w%g.h, i%g.w
		pix[i] = l.position(c, x, y) + l.logits(c, v, p.x+l.stride*x, p.y+l.stride*y)
	}
	out, err := engine.NewTensor(pix, 1, g.c, g.h, g.w)
	if err != nil {
		t.Fatal(err)
	}
	return &slot{p: &Predictor{}, w: p.w, h: p.h, size: size, grid: g, out: out}
}

// tallied plans the runs of an image, makes them and returns what is gathered.
func (l lattice) tallied(t *testing.T, o Inference, w, h int) (*tally, []view) {
	t.Helper()
	if err := o.complete(0, 0); err != nil {
		t.Fatal(err)
	}
	views, err := o.views(w, h, func(p window) (pad.Size, error) { return pad.Size{W: l.stride, H: l.stride}, nil })
	if err != nil {
		t.Fatal(err)
	}
	sum := &tally{classes: l.classes, views: len(views), flip: o.Flip, w: w, h: h}
	for i := range views {
		for k, p := range views[i].windows {
			d := done{view: &views[i], window: p, first: k == 0, last: k == len(views[i].windows)-1, slot: l.run(t, &views[i], p)}
			if err := sum.add(d); err != nil {
				t.Fatal(err)
			}
		}
	}
	return sum, views
}

func zero(int, *view, int, int) float32 { return 0 }

// random draws logits by the position within a window.
func random(seed uint64) func(c, x, y int) float32 {
	return func(c, x, y int) float32 {
		r := rand.New(rand.NewPCG(seed, uint64(c<<20+y<<10+x)))
		return float32(3 * r.NormFloat64())
	}
}

// plane is the naive mean of logits over windows in float64, [classes] fields of w × h: of each
// window what at says of a class, a position in the field and the window.
func plane(v *view, classes, w, h int, covers func(p window, x, y int) bool, at func(c, x, y int, p window) float64) [][]float64 {
	all := make([][]float64, classes)
	for c := range all {
		all[c] = make([]float64, w*h)
		for i := range all[c] {
			n := 0.0
			for _, p := range v.windows {
				if covers(p, i%w, i/w) {
					n++
					all[c][i] += at(c, i%w, i/w, p)
				}
			}
			all[c][i] /= n
		}
	}
	return all
}

// between interpolates a field of w × h, of which only the first spanW × spanH stand for an image
// of W × H, at the image's pixel.
func between(f func(x, y int) float64, w, h int, spanW, spanH float64, W, H, x, y int) float64 {
	tap := func(i, n int, span float64, of int) (int, int, float64) {
		at := min(max((float64(i)+0.5)*span/float64(of)-0.5, 0), float64(n-1))
		return int(at), min(int(at)+1, n-1), at - math.Floor(at)
	}
	x0, x1, fx := tap(x, w, spanW, W)
	y0, y1, fy := tap(y, h, spanH, H)
	return (1-fy)*((1-fx)*f(x0, y0)+fx*f(x1, y0)) + fy*((1-fx)*f(x0, y1)+fx*f(x1, y1))
}

// softmaxed turns [classes] fields into probabilities.
func softmaxed(f [][]float64) {
	for i := range f[0] {
		sum := 0.0
		for c := range f {
			sum += math.Exp(f[c][i])
		}
		for c := range f {
			f[c][i] = math.Exp(f[c][i]) / sum
		}
	}
}

func mirrored(f [][]float64, w int) {
	for c := range f {
		for i := 0; i < len(f[c]); i += w {
			slices.Reverse(f[c][i : i+w])
		}
	}
}

// TestMeanAtLogitsSize compares with the mean in float64, first over windows and then, of
// probabilities, over the mirror image, at positions that stand for four pixels; logarithms are
// interpolated.
func TestMeanAtLogitsSize(t *testing.T) {
	const classes, stride, w, h = 5, 4, 56, 40
	l := lattice{classes, stride, zero, random(11)}
	for _, o := range []Inference{
		{WindowWidth: 32, WindowHeight: 24, Overlap: 0.34},
		{WindowWidth: 32, WindowHeight: 24, Overlap: 0.34, Flip: true},
		{WindowWidth: 32, WindowHeight: 40, Flip: true},
		{Flip: true},
	} {
		sum, views := l.tallied(t, o, w, h)
		var mean [][]float64
		for i := range views {
			v := &views[i]
			f := plane(v, classes, w/stride, h/stride, func(p window, x, y int) bool {
				return x*stride >= p.x && x*stride < p.x+p.w && y*stride >= p.y && y*stride < p.y+p.h
			}, func(c, x, y int, p window) float64 { return float64(l.position(c, x-p.x/stride, y-p.y/stride)) })
			if !o.Flip {
				mean = f
				break
			}
			softmaxed(f)
			if v.flip {
				mirrored(f, w/stride)
			}
			if mean == nil {
				mean = f
				continue
			}
			for c := range f {
				for k := range f[c] {
					mean[c][k] = math.Log((mean[c][k] + f[c][k]) / 2)
				}
			}
		}
		if m := sum.result; m.w != w/stride || m.h != h/stride || sum.summed > 0 {
			t.Fatalf("%+v: a mean of %d×%d", o, m.w, m.h)
		}
		for c := range mean {
			for k, want := range mean[c] {
				if have := sum.result.pix[c*len(mean[c])+k]; math.Abs(float64(have)-want) > 1e-5 {
					t.Fatalf("%+v: class %d at %d is %v, want %v", o, c, k, have, want)
				}
			}
		}
	}
}

// TestMeanAtFullSize: where windows or images are no whole positions, logits are enlarged first,
// and sizes meet at the image's.
func TestMeanAtFullSize(t *testing.T) {
	const classes, stride = 4, 4
	l := lattice{classes, stride, zero, random(12)}
	for _, tt := range []struct {
		w, h int
		o    Inference
	}{
		{53, 40, Inference{WindowWidth: 32, WindowHeight: 24, Overlap: 0.5}}, // the last window begins at 21
		{52, 40, Inference{WindowWidth: 30, WindowHeight: 24, Overlap: 0.5}}, // 7½ positions
		{53, 39, Inference{Flip: true}},
		{53, 40, Inference{WindowWidth: 32, WindowHeight: 24, Flip: true}},
		{52, 40, Inference{Scales: []float64{0.75, 1.5}}},
	} {
		sum, views := l.tallied(t, tt.o, tt.w, tt.h)
		total := make([][]float64, classes)
		for i := range views {
			v := &views[i]
			if v.cell != (pad.Size{}) {
				t.Fatalf("%+v: windows of whole positions", tt)
			}
			f := plane(v, classes, v.w, v.h, func(p window, x, y int) bool {
				return x >= p.x && x < p.x+p.w && y >= p.y && y < p.y+p.h
			}, func(c, x, y int, p window) float64 {
				nw, nh := (p.w+stride-1)/stride, (p.h+stride-1)/stride
				return between(func(x, y int) float64 { return float64(l.position(c, x, y)) },
					nw, nh, float64(p.w)/stride, float64(p.h)/stride, p.w, p.h, x-p.x, y-p.y)
			})
			if v.whole() && len(views) > 1 { // directly to the image's size
				for c := range f {
					f[c] = make([]float64, tt.w*tt.h)
					for k := range f[c] {
						f[c][k] = between(func(x, y int) float64 { return float64(l.position(c, x, y)) },
							(v.w+stride-1)/stride, (v.h+stride-1)/stride, float64(v.w)/stride, float64(v.h)/stride, tt.w, tt.h, k%tt.w, k/tt.w)
					}
				}
			}
			if len(views) > 1 {
				softmaxed(f)
			}
			if v.flip {
				mirrored(f, tt.w)
			}
			for c := range f {
				if total[c] == nil {
					total[c] = make([]float64, tt.w*tt.h)
				}
				for k, x := range f[c] {
					total[c][k] += x
				}
			}
		}
		if m := sum.result; m.w != tt.w || m.h != tt.h {
			t.Fatalf("%+v: a mean of %d×%d", tt, m.w, m.h)
		}
		for c := range total {
			for k, want := range total[c] {
				if have := sum.result.pix[c*tt.w*tt.h+k]; math.Abs(float64(have)-want) > 1e-5 {
					t.Fatalf("%+v: class %d at %d is %v, want %v", tt, c, k, have, want)
				}
			}
		}
	}
}

// TestMeanOfConstant: where every window says the same, so does the mean, whatever covers what; of
// sizes with mirror images each view counts once.
func TestMeanOfConstant(t *testing.T) {
	l := lattice{3, 4, zero, func(c, _, _ int) float32 { return []float32{1, -2, 0.5}[c] }}
	norm := math.Exp(1) + math.Exp(-2) + math.Exp(0.5)
	for _, size := range [][2]int{{64, 48}, {61, 48}, {20, 12}, {9, 9}} {
		for _, o := range []Inference{
			{WindowWidth: 24, WindowHeight: 16, Overlap: 0.4},
			{WindowWidth: 24, WindowHeight: 16, Flip: true},
			{Flip: true, Scales: []float64{0.5, 1, 1.3}},
			{WindowWidth: 24, WindowHeight: 16, Overlap: 0.7, Flip: true, Scales: []float64{1, 1.5}},
		} {
			sum, views := l.tallied(t, o, size[0], size[1])
			m := sum.result
			sum.result.certainty(size[0], size[1], sum.summed > 0, func(_ int, p float32) {
				if math.Abs(float64(p)-math.Exp(1)/norm) > 1e-5 {
					t.Fatalf("%v, %+v: a probability of %v, want %v", size, o, p, math.Exp(1)/norm)
				}
			})
			if sum.summed > 0 && math.Abs(float64(m.pix[0]+m.pix[m.w*m.h]+m.pix[2*m.w*m.h])-float64(len(views))) > 1e-4 {
				t.Errorf("%v, %+v: probabilities add up to %v of %d views", size, o, m.pix[0]+m.pix[m.w*m.h]+m.pix[2*m.w*m.h], len(views))
			}
		}
	}
}

// TestMirrorImages: a model that looks at single positions gives an image and its mirror image
// labels that mirror each other, and an image alone what it gives with its mirror image.
func TestMirrorImages(t *testing.T) {
	const w, h, stride = 40, 24, 4
	scene := random(13)
	seen := func(turned bool) lattice {
		return lattice{4, stride, func(c int, v *view, x, y int) float32 {
			if v.flip != turned {
				x = w - stride - x
			}
			return scene(c, x, y)
		}, func(int, int, int) float32 { return 0 }}
	}
	for _, o := range []Inference{{Flip: true}, {Flip: true, WindowWidth: 24, WindowHeight: 16, Overlap: 0.5}} {
		one, _ := seen(false).tallied(t, o, w, h)
		other, _ := seen(true).tallied(t, o, w, h)
		alone, _ := seen(false).tallied(t, Inference{}, w, h)
		a, b, c := argmaxOf(t, one.result, 2*w, 2*h), argmaxOf(t, other.result, 2*w, 2*h), argmaxOf(t, alone.result, 2*w, 2*h)
		if !slices.Equal(a.Pix, c.Pix) {
			t.Errorf("%+v: other labels than the image's alone", o)
		}
		for i := 0; i < len(b.Pix); i += b.W {
			slices.Reverse(b.Pix[i : i+b.W])
		}
		if !slices.Equal(a.Pix, b.Pix) {
			t.Errorf("%+v: the mirror image has other labels than mirrored ones", o)
		}
	}
}

// TestAlign: windows begin where positions do, overlap no less than asked and end with the image;
// where they cannot they stay.
func TestAlign(t *testing.T) {
	whole := pad.Size{W: 4, H: 4}
	for _, tt := range []struct {
		size, n int
		overlap float64
		want    []int
		cell    pad.Size
	}{
		{64, 32, 0.34, []int{0, 20, 32}, whole}, // steps of 21.12 px at most
		{64, 32, 0.5, []int{0, 16, 32}, whole},
		{60, 32, 0.5, []int{0, 16, 28}, whole},
		{32, 32, 0, []int{0}, whole},
		{20, 32, 0, []int{0}, whole},
		{18, 32, 0, []int{0}, whole}, // of its last position half
		{62, 32, 0.34, []int{0, 21, 30}, pad.Size{}},
		{64, 30, 0.34, []int{0, 19, 34}, pad.Size{}},
		{64, 32, 0.95, nil, pad.Size{}}, // steps of one pixel
	} {
		o := Inference{WindowWidth: tt.n, WindowHeight: 8, Overlap: tt.overlap, fixedW: tt.n, fixedH: 8}
		v := view{w: tt.size, h: 8, windows: o.windows(tt.size, 8, pad.Size{})}
		v.align(&o, whole)
		var starts []int
		for _, p := range v.windows {
			starts = append(starts, p.x)
		}
		if v.cell != tt.cell || tt.want != nil && !slices.Equal(starts, tt.want) {
			t.Errorf("%+v: windows at %v of cells %v", tt, starts, v.cell)
		}
		for i := 1; i < len(starts); i++ {
			if shared := float64(starts[i-1]+tt.n-starts[i]) / float64(tt.n); shared < tt.overlap {
				t.Errorf("%+v: a share of %v is seen twice", tt, shared)
			}
		}
	}
}

// TestCoverage counts by hand: at four pixels a position, windows of 8 positions begin at 0, 5 and 8.
func TestCoverage(t *testing.T) {
	v := view{w: 64, h: 8, cell: pad.Size{W: 4, H: 4}, windows: []window{{0, 0, 32, 8}, {20, 0, 32, 8}, {32, 0, 32, 8}}}
	m := logitMap{}.of(&v, 1)
	for _, p := range v.windows {
		m.addCells(logitMap{c: 1, w: 8, h: 2, pix: slices.Repeat([]float32{1}, 16)}, p.in(v.cell))
	}
	want := []float32{1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1}
	if have := fmt.Sprint(m.pix[:16], m.pix[16:]); have != fmt.Sprint(want, want) {
		t.Errorf("covered %s times, want %v", have, want)
	}
	m.average(&v)
	if !slices.Equal(m.pix, slices.Repeat([]float32{1}, 32)) {
		t.Errorf("means of ones are %v", m.pix)
	}
}
