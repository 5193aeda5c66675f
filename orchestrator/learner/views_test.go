package learner

import (
	"context"
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
)

// TestWindow: all of an image is the image; mirrored twice it is, too; a window of a linear
// image is linear, and brought back it is what it was, with nothing elsewhere.
func TestWindow(t *testing.T) {
	m := raster.NewImage(8, 6)
	for c := range 3 {
		for i := range m.Plane(c) {
			m.Plane(c)[i] = float32(10*(i%8) + 100*(i/8) + c)
		}
	}
	shown := make([]float32, len(m.Pix))
	window{h: 6, w: 8}.show(shown, m)
	if !slices.Equal(shown, m.Pix) {
		t.Error("all of an image is another one")
	}
	window{h: 6, w: 8, flip: true}.show(shown, m)
	if shown[0] != m.Pix[7] || shown[9] != m.Pix[8+6] {
		t.Error("it is not mirrored")
	}
	v := window{y: 2, x: 4, h: 3, w: 4, flip: true}
	v.show(shown, m)
	rows, columns := make([]float32, 36), make([]float32, 64)
	back(rows, 6, 6, v.y, v.h, false)
	back(columns, 8, 8, v.x, v.w, v.flip)
	for y := range 6 {
		for x := range 8 {
			var got, covered float32
			for i := range 6 {
				for k := range 8 {
					w := rows[6*y+i] * columns[8*x+k]
					got, covered = got+w*shown[8*i+k], covered+w
				}
			}
			want, inside := m.Pix[8*y+x], y >= 2 && y < 5 && x >= 4
			if !inside {
				want = 0
			}
			within := 1e-3
			if y != 3 || x == 4 || x == 7 {
				within = 14 // what is shown of the window's rim goes no further than its outermost pixels
			}
			if (covered != 0) != inside || !inside && got != 0 || math.Abs(float64(got-want)) > within {
				t.Errorf("%d, %d: %g of weight %g, want %g", y, x, got, covered, want)
			}
		}
	}
	least := 1.0
	for i := range 200 {
		w := drawWindow(rng.New(1, i, "window"), 60, 80, 0.5)
		if w.y < 0 || w.x < 0 || w.y+w.h > 60 || w.x+w.w > 80 {
			t.Fatalf("%+v is outside", w)
		}
		least = min(least, float64(w.h)/60)
	}
	if least < 0.5 || least > 0.55 {
		t.Errorf("the smallest window is %g of the image", least)
	}
}

// openViewer opens a learner and a viewer of its own.
func openViewer(t *testing.T, c configs.Config) (*Learner, *viewer) {
	t.Helper()
	l := open(t, c, zap.NewNop())
	v, err := newViewer(l)
	if err != nil {
		t.Fatal(err)
	}
	l.own(v)
	return l, v
}

// TestOneView: of the images alone, labels and confidences are the teacher's own, but for the
// order in which softmax and enlarging come.
func TestOneView(t *testing.T) {
	c := small()
	c.Method, c.Loss.Views.Views = configs.SAC, 1
	l, v := openViewer(t, c)
	b := batch(c, 0)
	for _, flip := range []bool{false, true} {
		all := window{h: cropSize, w: cropSize, flip: flip}
		v.begin()
		if err := v.show(t.Context(), b, []window{all, all}, l.rims(b)); err != nil {
			t.Fatal(err)
		}
		for i, p := range v.total[:l.supervised.shape[2]*l.supervised.shape[3]] {
			sum := p
			for k := 1; k < l.arch.Classes; k++ {
				sum += v.total[k*l.supervised.shape[2]*l.supervised.shape[3]+i]
			}
			if math.Abs(float64(sum)-1) > 1e-5 {
				t.Fatalf("position %d: probabilities sum to %g", i, sum)
			}
		}
		if err := v.label(t.Context()); err != nil {
			t.Fatal(err)
		}
		teacher, err := newTeacher(l.engine, "teacher", l.arch, l.crops(), l.state, true, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.own(teacher)
		images := cloned(b.Target)
		if flip {
			for _, m := range images {
				m.FlipH()
			}
		}
		if err := teacher.run(t.Context(), images, 0); err != nil {
			t.Fatal(err)
		}
		for i, p := range v.confidence {
			at := i
			if flip {
				at = i - i%cropSize + cropSize - 1 - i%cropSize
			}
			if math.Abs(float64(p-teacher.confidence[at])) > 0.02 {
				t.Fatalf("mirrored %v, pixel %d: confidence %g, want about %g", flip, i, p, teacher.confidence[at])
			}
		}
	}
}

// TestPriorOfRims: what the teacher says of rows of the rim, here half of the crop, has no part in
// χ: the mean of a view is that of the other half, and in a batch that is all rim χ stays.
func TestPriorOfRims(t *testing.T) {
	c := small()
	c.Method, c.Loss.IgnoreTop, c.Loss.IgnoreBottom = configs.SAC, 0, 0.5
	l, v := openViewer(t, c)
	b := batch(c, 0)
	for n := range b.TargetRows {
		b.TargetRows[n].From, b.TargetRows[n].Of = 0, cropSize
	}
	all := window{h: cropSize, w: cropSize}
	v.begin()
	if err := v.show(t.Context(), b, []window{all, all}, l.rims(b)); err != nil {
		t.Fatal(err)
	}
	area := v.grid.H * v.grid.W
	for class, got := range v.mean {
		want := 0.0
		for i, p := range v.total {
			if i/area%v.grid.D == class && i%area < area/2 {
				want += float64(p) / float64(area) // of two images, half of each
			}
		}
		if math.Abs(float64(got)/v.share()-want) > 1e-5 || v.share() != 0.5 {
			t.Errorf("class %d: mean %g over %g, want %g", class, got, v.share(), want)
		}
	}
	for n := range b.TargetRows {
		b.TargetRows[n].From, b.TargetRows[n].Of = 4*cropSize, 5*cropSize
	}
	prior := slices.Clone(l.memory[0].Data)
	if _, err := l.Iterate(t.Context(), 0, func(context.Context) (*datasets.Batch, error) { return b, nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(prior, l.memory[0].Data) {
		t.Errorf("χ goes from %v to %v by rims", prior, l.memory[0].Data)
	}
}

// TestViewsLearn: χ moves, labels are selected, and a learner that takes over the state goes
// on as the one that it is of.
func TestViewsLearn(t *testing.T) {
	c := small()
	c.Method = configs.SAC
	one := open(t, c, zap.NewNop())
	steps := train(t, one, 0, 3)
	prior := one.memory[0].Data
	sum := prior[0] + prior[1] + prior[2]
	if math.Abs(float64(sum)-1) > 1e-3 {
		t.Errorf("χ is %v", prior)
	}
	for _, s := range steps {
		if !(s.Selected > 0.1 && s.Selected < 1) || !(s.Losses["views"] > 0) {
			t.Errorf("iteration %d: %g selected, losses %v", s.Iteration, s.Selected, s.Losses)
		}
	}
	other := open(t, c, zap.NewNop())
	copyState(t, other, one)
	goesOn(t, one, other, 3, 5)
}
