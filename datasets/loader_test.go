package datasets

import (
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

// shift is a translator whose result tells where it came from: it adds the
// target's first value and a draw below 1 to the source.
type shift struct{}

func (shift) Translate(r *rand.Rand, source, target *raster.Image) (*raster.Image, error) {
	out := source.Clone()
	add := float32(r.Float64())
	if target != nil {
		if target.W != source.W || target.H != source.H {
			return nil, errors.New("sizes differ")
		}
		add += target.Pix[0]
	}
	for i := range out.Pix {
		out.Pix[i] += add
	}
	return out, nil
}

// same returns the source itself, as an engine "none" may.
type same struct{}

func (same) Translate(_ *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	return source, nil
}

// named records the names it is given.
type named struct {
	shift
	names chan string
}

func (n named) TranslateNamed(r *rand.Rand, id string, source, target *raster.Image) (*raster.Image, error) {
	n.names <- id
	return n.Translate(r, source, target)
}

func mustLoader(t testing.TB, o LoaderOptions) *Loader {
	t.Helper()
	l, err := NewLoader(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustBatch(t testing.TB, l *Loader, iteration int) *Batch {
	t.Helper()
	b, err := l.Batch(t.Context(), iteration)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// adaptation is a source, a target of another size and every draw switched on.
func adaptation(t testing.TB, cache int64) LoaderOptions {
	t.Helper()
	so, to := genericSet(t, 6, 40, 30), genericSet(t, 5, 36, 34)
	so.CacheBytes, to.CacheBytes = cache, cache
	to.Map, to.RequireLabels = "", false
	source, target := mustOpen(t, so), mustOpen(t, to)
	stats, err := source.Stats(t.Context(), 2, "")
	if err != nil {
		t.Fatal(err)
	}
	rcs := DefaultRCS(stats)
	return LoaderOptions{
		Seed: 7, Batch: 2, Source: source, Target: target, CropW: 16, CropH: 12,
		Flip: true, CatMaxRatio: 0.75, RCS: &rcs, Translate: shift{}, Workers: 2,
	}
}

func TestBatchShapes(t *testing.T) {
	o := adaptation(t, 0)
	b := mustBatch(t, mustLoader(t, o), 3)
	if b.Iteration != 3 || b.Images() != 4 {
		t.Errorf("%+v", b)
	}
	for _, images := range [][]*raster.Image{b.Source, b.Pseudo, b.Target} {
		if len(images) != 2 {
			t.Fatalf("%d images", len(images))
		}
		for _, m := range images {
			if m.W != 16 || m.H != 12 || len(m.Pix) != 3*16*12 {
				t.Errorf("crop of %d×%d", m.W, m.H)
			}
		}
	}
	for i := range 2 {
		if len(b.SourceIDs) != 2 || len(b.TargetIDs) != 2 || b.SourceLabels[i].W != 16 || b.SourceLabels[i].H != 12 {
			t.Errorf("%+v", b)
		}
	}
}

// Pseudo-target and labels must have the source's crop and flip, wherever it
// lies; the position is found again by searching the source image.
func TestOneCropForSourcePseudoAndLabels(t *testing.T) {
	o := adaptation(t, 0)
	l := mustLoader(t, o)
	flips, corners := map[bool]int{}, map[[2]int]bool{}
	for it := range 30 {
		b := mustBatch(t, l, it)
		for k := range 2 {
			i := slices.Index(itemIDs(o.Source), b.SourceIDs[k])
			s, err := o.Source.Load(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			x, y, flip := locate(t, s.Image, b.Source[k])
			flips[flip]++
			corners[[2]int{x, y}] = true
			want := s.Labels.Crop(x, y, 16, 12)
			if flip {
				want.FlipH()
			}
			if !cmp.Equal(want, b.SourceLabels[k]) {
				t.Fatalf("iteration %d: labels are not those of the crop at (%d,%d), flip %v", it, x, y, flip)
			}
			first := b.Pseudo[k].Pix[0] - b.Source[k].Pix[0]
			for p, v := range b.Pseudo[k].Pix {
				if d := v - b.Source[k].Pix[p] - first; d > 1e-3 || d < -1e-3 {
					t.Fatalf("iteration %d: pseudo-target is not the source's crop", it)
				}
			}
		}
	}
	if flips[true] < 15 || flips[false] < 15 || len(corners) < 20 {
		t.Errorf("60 crops: flips %v, %d positions", flips, len(corners))
	}
}

// locate finds a crop, mirrored or not, in the image of noise it was cut from.
func locate(t *testing.T, whole, crop *raster.Image) (x, y int, flip bool) {
	t.Helper()
	mirrored := crop.Clone()
	mirrored.FlipH()
	for y := range whole.H - crop.H + 1 {
		for x := range whole.W - crop.W + 1 {
			c := whole.Crop(x, y, crop.W, crop.H)
			if slices.Equal(c.Pix, crop.Pix) {
				return x, y, false
			}
			if slices.Equal(c.Pix, mirrored.Pix) {
				return x, y, true
			}
		}
	}
	t.Fatal("the crop is not from this image")
	return
}

// plain is a target of five plain images, told apart by their value: 40 times
// their number.
func plain(t testing.TB) *Dataset {
	t.Helper()
	root := t.TempDir()
	for i := range 5 {
		img := photo(1, 36, 34)
		for p := range img.Pix {
			img.Pix[p] = uint8(40 * i)
		}
		writePicture(t, filepath.Join(root, "images", string(rune('a'+i))+".png"), img)
	}
	return mustOpen(t, Options{Root: root})
}

// The pseudo-target is made with the target whose crop is in the batch.
func TestTranslationUsesTheBatchsTarget(t *testing.T) {
	o := adaptation(t, 0)
	o.Target = plain(t)
	l := mustLoader(t, o)
	for it := range 10 {
		b := mustBatch(t, l, it)
		for k := range 2 {
			value := b.Target[k].Pix[0]
			if want := float32(40 * int(b.TargetIDs[k][0]-'a')); value != want {
				t.Fatalf("target %s has value %v", b.TargetIDs[k], value)
			}
			if d := b.Pseudo[k].Pix[0] - b.Source[k].Pix[0] - value; d < -1e-3 || d > 1.001 {
				t.Errorf("iteration %d: translated with another target: off by %v", it, d)
			}
		}
	}
}

func TestNamedTranslator(t *testing.T) {
	o := adaptation(t, 0)
	names := make(chan string, 2)
	o.Translate = named{names: names}
	b := mustBatch(t, mustLoader(t, o), 0)
	for k := range 2 {
		if got := <-names; got != b.SourceIDs[k]+".png" {
			t.Errorf("translated %q, want %q", got, b.SourceIDs[k]+".png")
		}
	}
}

// cropping is shift, cropped by itself.
type cropping struct{ shift }

func (c cropping) TranslateCrop(r *rand.Rand, source, target *raster.Image, crop image.Rectangle) (*raster.Image, error) {
	out, err := c.Translate(r, source, target)
	if err != nil {
		return nil, err
	}
	return out.Crop(crop.Min.X, crop.Min.Y, crop.Dx(), crop.Dy()), nil
}

func TestCropTranslator(t *testing.T) {
	o := adaptation(t, 0)
	whole := mustLoader(t, o)
	o.Translate = cropping{}
	crops := mustLoader(t, o)
	for it := range 8 {
		if !cmp.Equal(mustBatch(t, whole, it), mustBatch(t, crops, it)) {
			t.Fatalf("iteration %d: another batch", it)
		}
	}
}

func TestModes(t *testing.T) {
	base := adaptation(t, 0)
	t.Run("source only", func(t *testing.T) {
		o := base
		o.Target, o.Translate = nil, nil
		b := mustBatch(t, mustLoader(t, o), 0)
		if b.Target != nil || b.Pseudo != nil || b.TargetIDs != nil || b.Images() != 2 {
			t.Errorf("%+v", b)
		}
		full := mustBatch(t, mustLoader(t, base), 0)
		if !cmp.Equal(full.Source, b.Source) || !cmp.Equal(full.SourceLabels, b.SourceLabels) {
			t.Error("the source depends on whether there is a target")
		}
	})
	t.Run("generalisation", func(t *testing.T) {
		o := base
		o.Target = nil
		if b := mustBatch(t, mustLoader(t, o), 0); len(b.Pseudo) != 2 || b.Target != nil {
			t.Errorf("%+v", b)
		}
	})
	t.Run("no change", func(t *testing.T) {
		o := base
		o.Translate = same{}
		l := mustLoader(t, o)
		for it := range 5 {
			if b := mustBatch(t, l, it); !cmp.Equal(b.Source, b.Pseudo) {
				t.Error("the identity changes the image")
			}
		}
	})
}

func TestBatchDependsOnSeedAndIterationOnly(t *testing.T) {
	o := adaptation(t, 0)
	a, b := mustLoader(t, o), mustLoader(t, o)
	var forward []*Batch
	for it := range 6 {
		forward = append(forward, mustBatch(t, a, it))
	}
	for it := 5; it >= 0; it-- {
		if diff := cmp.Diff(forward[it], mustBatch(t, b, it)); diff != "" {
			t.Fatalf("iteration %d differs in another order", it)
		}
	}
	o.Seed++
	if cmp.Equal(forward[0], mustBatch(t, mustLoader(t, o), 0)) {
		t.Error("the seed changes nothing")
	}
	if cmp.Equal(forward[0].Source, forward[1].Source) {
		t.Error("the iteration changes nothing")
	}
}

func TestCacheChangesNothing(t *testing.T) {
	plain, cached := mustLoader(t, adaptation(t, 0)), mustLoader(t, adaptation(t, 1<<20))
	for it := range 12 {
		if !cmp.Equal(mustBatch(t, plain, it), mustBatch(t, cached, it)) {
			t.Fatalf("iteration %d differs with a cache", it)
		}
	}
}

func TestNewLoaderErrors(t *testing.T) {
	base := adaptation(t, 0)
	small := genericSet(t, 3, 40, 30)
	writePicture(t, filepath.Join(small.Root, "images/train/ac.png"), photo(1, 40, 11))
	resized := genericSet(t, 3, 40, 30)
	resized.Width, resized.Height = 15, 30
	tests := map[string]struct {
		set  func(*LoaderOptions)
		want []string
	}{
		"no source":         {func(o *LoaderOptions) { o.Source = nil }, []string{"no source data set"}},
		"batch":             {func(o *LoaderOptions) { o.Batch = 0 }, []string{"batch of 0 images"}},
		"share":             {func(o *LoaderOptions) { o.Share = Share{2, 1} }, []string{"micro-batches from 2 to 1"}},
		"crop":              {func(o *LoaderOptions) { o.CropH = 0 }, []string{"crop of 16×0 pixels"}},
		"ratio":             {func(o *LoaderOptions) { o.CatMaxRatio = 75 }, []string{"cat_max_ratio 75 is outside of 0–1"}},
		"unlabelled source": {func(o *LoaderOptions) { o.Source = o.Target }, []string{"the source must be labelled", base.Target.Item(0).Image}},
		"foreign statistics": {func(o *LoaderOptions) {
			rcs := *o.RCS
			rcs.Stats = handStats()
			o.RCS = &rcs
		}, []string{"class statistics of here are not those of the source", base.Source.Root()}},
		"no statistics":          {func(o *LoaderOptions) { o.RCS = &RCSOptions{Temperature: 1} }, []string{"needs class statistics"}},
		"crop above one image":   {func(o *LoaderOptions) { o.Target = mustOpen(t, small) }, []string{"the crop of 16×12 pixels is larger than image", "ac.png of 40×11 pixels"}},
		"crop above the resized": {func(o *LoaderOptions) { o.Target = mustOpen(t, resized) }, []string{"the crop of 16×12", "of 15×30 pixels (after resizing"}},
		"crop above the source":  {func(o *LoaderOptions) { o.CropW = 41 }, []string{"the crop of 41×12", base.Source.Item(0).Image, "40×30"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := base
			test.set(&o)
			_, err := NewLoader(o)
			wantError(t, err, test.want...)
		})
	}
}

// failing is a translator that fails, or returns another size.
type failing struct{ out *raster.Image }

func (f failing) Translate(*rand.Rand, *raster.Image, *raster.Image) (*raster.Image, error) {
	if f.out == nil {
		return nil, errors.New("no style today")
	}
	return f.out, nil
}

func TestTranslatorErrors(t *testing.T) {
	o := adaptation(t, 0)
	o.Translate = failing{}
	_, err := mustLoader(t, o).Batch(t.Context(), 4)
	wantError(t, err, "translating "+o.Source.Root(), ".png: no style today")
	o.Translate = failing{raster.NewImage(3, 3)}
	_, err = mustLoader(t, o).Batch(t.Context(), 4)
	wantError(t, err, "translating "+o.Source.Root(), "another size than the image's 40×30")
}

// With the search for rare classes the classes are drawn as P(c) says.
func TestLoaderDrawsByRCS(t *testing.T) {
	root := t.TempDir()
	for i := range 10 { // nine plain images, one of the rare class
		name := string(rune('a'+i)) + ".png"
		writePicture(t, filepath.Join(root, "images", name), photo(uint64(i), 8, 8))
		gray := grayIDs(8, 8, constant(0))
		if i == 4 {
			for x := range 8 {
				gray.SetGray(x, 2, color.Gray{Y: 1})
			}
		}
		writePicture(t, filepath.Join(root, "labels", name), gray)
	}
	d := mustOpen(t, Options{Root: root, Map: "cityscapes-trainids", RequireLabels: true})
	s, err := d.Stats(t.Context(), 1, "")
	if err != nil {
		t.Fatal(err)
	}
	rcs := DefaultRCS(s)
	l := mustLoader(t, LoaderOptions{Seed: 1, Batch: 1, Source: d, CropW: 8, CropH: 8, RCS: &rcs})
	for it := range 20 {
		if b := mustBatch(t, l, it); b.SourceIDs[0] != "e" { // P(rare) = 1/(1 + e^−97)
			t.Errorf("iteration %d draws %s", it, b.SourceIDs[0])
		}
	}
	if w := l.RCS().Warnings; len(w) != 17 {
		t.Errorf("%d warnings: %q", len(w), w)
	}
}

// TestTranslated: a whole image, towards a whole image of the target; the draws
// are the image's own.
func TestTranslated(t *testing.T) {
	o := adaptation(t, 0)
	o.Target = plain(t)
	l := mustLoader(t, o)
	got, err := l.Translated(t.Context(), 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	source, err := o.Source.LoadImage(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if add := got.Pix[0] - source.Image.Pix[0]; add < 80 || add >= 81 || got.W != source.Image.W { // the target's value and a draw below 1
		t.Errorf("%v was added to image 1, want 80 and a draw; the width is %d of %d", add, got.W, source.Image.W)
	}
	again, err := l.Translated(t.Context(), 1, 2)
	if err != nil || !slices.Equal(again.Pix, got.Pix) {
		t.Errorf("translating again gives another image, %v", err)
	}
	o.Translate = nil
	if _, err := mustLoader(t, o).Translated(t.Context(), 0, 0); err == nil || err.Error() != "datasets: the loader has no translator" {
		t.Errorf("error %v", err)
	}
}
