package translate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/raster"
)

// randomLabels returns labels drawn from the given ids.
func randomLabels(seed uint64, w, h int, ids ...uint8) *raster.Labels {
	r := rand.New(rand.NewPCG(seed, 9))
	l := raster.NewLabels(w, h)
	for i := range l.Pix {
		l.Pix[i] = ids[r.IntN(len(ids))]
	}
	return l
}

func TestClassMix(t *testing.T) {
	const w, h = 23, 17
	source, target := scene(1, w, h), scene(2, w, h)
	pseudo := randomLabels(2, w, h, 1, 2, 3, 40, raster.Void)
	for _, ids := range [][]uint8{{5}, {5, 7}, {5, 7, 9}, {0, 3, 5, 7, 9, 18, raster.Void}, {raster.Void}} {
		labels := randomLabels(3, w, h, ids...)
		k := len(ids)
		if slices.Contains(ids, raster.Void) {
			k--
		}
		for seed := range uint64(20) {
			inputs := []any{source.Clone(), labels.Clone(), target.Clone(), pseudo.Clone()}
			mixed, mixedLabels, mask, err := ClassMix(rand.New(rand.NewPCG(seed, 0)), source, labels, target, pseudo)
			if err != nil {
				t.Fatal(err)
			}
			checkMixed(t, mixed, mixedLabels, mask, source, labels, target, pseudo)
			pasted := map[uint8]bool{}
			for i, m := range mask {
				if m {
					pasted[labels.Pix[i]] = true
				}
			}
			if len(pasted) != (k+1)/2 {
				t.Errorf("seed %d: %d of %d classes pasted", seed, len(pasted), k)
			}
			for i, l := range labels.Pix {
				if mask[i] != pasted[l] {
					t.Fatalf("seed %d: class %d is pasted in part", seed, l)
				}
			}
			if !slices.Equal(inputs[0].(*raster.Image).Pix, source.Pix) || !slices.Equal(inputs[1].(*raster.Labels).Pix, labels.Pix) ||
				!slices.Equal(inputs[2].(*raster.Image).Pix, target.Pix) || !slices.Equal(inputs[3].(*raster.Labels).Pix, pseudo.Pix) {
				t.Fatal("an input was modified")
			}
		}
	}
}

func checkMixed(t *testing.T, m *raster.Image, l *raster.Labels, mask []bool, source *raster.Image, labels *raster.Labels, target *raster.Image, pseudo *raster.Labels) {
	t.Helper()
	for i, pasted := range mask {
		from, ids := target, pseudo
		if pasted {
			from, ids = source, labels
			if ids.Pix[i] == raster.Void {
				t.Fatalf("pixel %d: void was pasted", i)
			}
		}
		for c := range 3 {
			if m.Plane(c)[i] != from.Plane(c)[i] {
				t.Fatalf("pixel %d, channel %d is of the wrong image (pasted: %v)", i, c, pasted)
			}
		}
		if l.Pix[i] != ids.Pix[i] {
			t.Fatalf("pixel %d: label %d, want %d", i, l.Pix[i], ids.Pix[i])
		}
	}
}

func TestClassMixDrawsEveryClassEquallyOften(t *testing.T) {
	const n, k = 6000, 5
	labels := randomLabels(1, 8, 8, 0, 1, 2, 3, 4)
	count := [k]int{}
	r := rand.New(rand.NewPCG(11, 12))
	for range n {
		drawn := drawClasses(r, labels)
		for c := range k {
			if drawn[c] {
				count[c]++
			}
		}
	}
	for c, got := range count { // 3 of 5
		if math.Abs(float64(got)-n*3./5) > 6*math.Sqrt(n*0.24) {
			t.Errorf("class %d drawn %d times of %d", c, got, n)
		}
	}
}

func TestClassMixRefuses(t *testing.T) {
	img, lab := raster.NewImage(4, 3), raster.NewLabels(4, 3)
	for _, c := range []struct {
		source *raster.Image
		labels *raster.Labels
		target *raster.Image
		pseudo *raster.Labels
		want   string
	}{
		{nil, lab, img, lab, "source image is missing"},
		{img, nil, img, lab, "source labels are missing"},
		{img, lab, raster.NewImage(3, 4), lab, "target image of 3×4 do not fit the source image of 4×3"},
		{img, lab, img, raster.NewLabels(1, 1), "pseudo-labels of 1×1"},
		{img, raster.NewLabels(2, 2), img, lab, "source labels of 2×2"},
		{img, &raster.Labels{W: 4, H: 3}, img, lab, "source labels of 4×3 hold 0 values instead of 12"},
	} {
		_, _, _, err := ClassMix(rand.New(rand.NewPCG(1, 1)), c.source, c.labels, c.target, c.pseudo)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestStrongAugmentDrawsOncePerCall(t *testing.T) {
	a := DefaultStrongAugment()
	x, y := scene(1, 32, 24), scene(2, 32, 24)
	for seed := range uint64(30) {
		p := a.Draw(rand.New(rand.NewPCG(seed, 5)))
		x1, y1, x2, y2 := x.Clone(), y.Clone(), x.Clone(), y.Clone()
		a.Apply(rand.New(rand.NewPCG(seed, 5)), x1, y1)
		p.Apply(y2)
		p.Apply(x2)
		if !slices.Equal(x1.Pix, x2.Pix) || !slices.Equal(y1.Pix, y2.Pix) {
			t.Fatalf("seed %d: the images of one call do not share one draw", seed)
		}
		if changed := !slices.Equal(x1.Pix, x.Pix); changed != (p.Jitter.On || p.Blur.Sigma > 0) {
			t.Errorf("seed %d: changed %v by %+v", seed, changed, p)
		}
		if slices.Min(x1.Pix) < 0 || slices.Max(x1.Pix) > 255.001 {
			t.Errorf("seed %d: values from %v to %v", seed, slices.Min(x1.Pix), slices.Max(x1.Pix))
		}
	}
}

func TestStrongAugmentProbabilities(t *testing.T) {
	a, r := DefaultStrongAugment(), rand.New(rand.NewPCG(3, 4))
	const n = 20000
	var jitter, blur float64
	lo, hi := 9.0, 0.0
	for range n {
		p := a.Draw(r)
		if p.Jitter.On {
			jitter++
		}
		if s := p.Blur.Sigma; s > 0 {
			blur++
			lo, hi = min(lo, s), max(hi, s)
		}
	}
	if math.Abs(jitter/n-0.8) > 0.01 || math.Abs(blur/n-0.5) > 0.012 {
		t.Errorf("jitter in %v, blur in %v of the draws; want 0.8, 0.5", jitter/n, blur/n)
	}
	if lo < 0.15 || lo > 0.16 || hi > 1.15 || hi < 1.14 {
		t.Errorf("σ drawn from [%v, %v], want [0.15, 1.15]", lo, hi)
	}
}
