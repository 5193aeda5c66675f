package translate

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/internal/translator"
)

// plain is an engine whose result has one value everywhere.
type plain float32

func (p plain) Translate(_ *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	out := raster.NewImage(source.W, source.H)
	for i := range out.Pix {
		out.Pix[i] = float32(p)
	}
	return out, nil
}

// group is an engine that takes many images at once, and notes how many.
type group struct {
	plain
	sizes *[]int
}

func (g group) TranslateBatch(_ context.Context, jobs []translator.Job) ([]*raster.Image, error) {
	*g.sizes = append(*g.sizes, len(jobs))
	var out []*raster.Image
	for _, j := range jobs {
		whole, err := g.Translate(j.Rand, j.Source, j.Target)
		if err != nil {
			return nil, err
		}
		out = append(out, whole.Crop(0, 0, j.Crop.Dx(), j.Crop.Dy()))
	}
	return out, nil
}

func mustMix(t *testing.T, members ...Member) Engine {
	t.Helper()
	m, err := NewMix(members...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// jobsOf returns n jobs as a loader makes them: a generator each.
func jobsOf(n int, source, target *raster.Image, crop image.Rectangle) []translator.Job {
	jobs := make([]translator.Job, n)
	for i := range jobs {
		jobs[i] = translator.Job{Rand: rng.New(5, i, "test"), ID: fmt.Sprintf("a/%d.png", i), File: fmt.Sprintf("/data/a/%d.png", i), Source: source, Target: target, Crop: crop}
	}
	return jobs
}

// Of 4000 images drawn 1 : 3, the share of the first is 0.25 ± 0.0068 (binomial
// standard deviation); four of them are allowed.
func TestMixDrawsByWeight(t *testing.T) {
	m := mustMix(t, Member{"b", 3, plain(2)}, Member{"none", 0, plain(9)}, Member{"a", 1, plain(1)})
	out, err := translator.All(t.Context(), m, jobsOf(4000, scene(1, 2, 2), nil, image.Rect(0, 0, 1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[float32]int{}
	for _, o := range out {
		counts[o.Pix[0]]++
	}
	if share := float64(counts[1]) / 4000; math.Abs(share-0.25) > 0.027 || counts[1]+counts[2] != 4000 {
		t.Errorf("drawn %v", counts)
	}
}

// A job's result depends on its generator alone: not on the jobs beside it, nor
// on the order in which the members were given.
func TestMixIsDeterministic(t *testing.T) {
	source, target := scene(1, 24, 16), scene(2, 24, 16)
	fda, jitter := &FDA{Band: 0.1}, SimCLRJitter(1)
	a := mustMix(t, Member{EngineFDA, 1, fda}, Member{EngineJitter, 1, jitter}, Member{EngineBlur, 1, SimCLRBlur()})
	b := mustMix(t, Member{EngineBlur, 1, SimCLRBlur()}, Member{EngineJitter, 1, jitter}, Member{EngineFDA, 1, fda})
	crop := image.Rect(3, 2, 20, 13)
	together, err := translator.All(t.Context(), a, jobsOf(12, source, target, crop))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range together {
		alone, err := translator.All(t.Context(), b, jobsOf(12, source, target, crop)[i:i+1])
		if err != nil || !slices.Equal(alone[0].Pix, want.Pix) {
			t.Errorf("job %d alone differs (%v)", i, err)
		}
		whole := mustWhole(t, a, jobsOf(12, source, target, crop)[i].Rand, source, target)
		if !slices.Equal(whole.Crop(3, 2, 17, 11).Pix, want.Pix) {
			t.Errorf("job %d is not the crop of Translate", i)
		}
	}
}

func mustWhole(t *testing.T, e Engine, r *rand.Rand, source, target *raster.Image) *raster.Image {
	t.Helper()
	out, err := e.Translate(r, source, target)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Members keep their abilities: a folder gets names, an engine of batches gets
// its jobs together.
func TestMixKeepsAbilities(t *testing.T) {
	root := t.TempDir()
	file := bytes8(scene(3, 24, 16))
	for i := range 10 {
		save(t, filepath.Join(root, "a", fmt.Sprint(i)+".png"), file)
	}
	var sizes []int
	m := mustMix(t, Member{"folder", 1, Folder{Root: root}}, Member{"group", 1, group{7, &sizes}})
	jobs := jobsOf(10, scene(1, 24, 16), nil, image.Rect(4, 0, 20, 16))
	out, err := translator.All(t.Context(), m, jobs)
	if err != nil {
		t.Fatal(err)
	}
	grouped := 0
	for i, o := range out {
		switch {
		case o.Pix[0] == 7:
			grouped++
		case !slices.Equal(o.Pix, file.Crop(4, 0, 16, 16).Pix):
			t.Errorf("job %d is neither the folder's nor the group's", i)
		}
	}
	if grouped == 0 || grouped == 10 || !slices.Equal(sizes, []int{grouped}) {
		t.Errorf("%d of the group, in batches of %v", grouped, sizes)
	}
	_, err = translator.All(t.Context(), m, jobsOf(30, scene(1, 24, 16), nil, image.Rect(4, 0, 20, 16)))
	if err == nil || !strings.Contains(err.Error(), "engine folder: translating /data/a/1") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestMixOfOneIsThatOne(t *testing.T) {
	f := &FDA{Band: 0.01}
	if m := mustMix(t, Member{EngineFDA, 2, f}, Member{EngineBlur, 0, SimCLRBlur()}); m != Engine(f) {
		t.Errorf("have %T", m)
	}
	for want, members := range map[string][]Member{
		"no engine has a weight":   {{EngineFDA, 0, f}},
		"weight -1 of engine fda":  {{EngineFDA, -1, f}},
		"weight NaN of engine fda": {{EngineFDA, math.NaN(), f}},
		"sum to infinity":          {{EngineFDA, math.MaxFloat64, f}, {EngineBlur, math.MaxFloat64, f}},
	} {
		if m, err := NewMix(members...); err == nil || m != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mix %v, error %v, want %s", m, err, want)
		}
	}
}

func TestMixStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := mustMix(t, Member{"a", 1, plain(1)}, Member{"b", 1, plain(2)})
	if _, err := translator.All(ctx, m, jobsOf(3, scene(1, 2, 2), nil, image.Rect(0, 0, 1, 1))); !errors.Is(err, context.Canceled) {
		t.Errorf("have %v", err)
	}
}

func TestScaledAugmentation(t *testing.T) {
	a := DefaultStrongAugment().Scaled(3)
	want := StrongAugment{
		Jitter: ColorJitter{Probability: 0.8, Brightness: 0.6, Contrast: 0.6, Saturation: 0.6, Hue: 0.5},
		Blur:   GaussianBlur{Probability: 0.5, SigmaMin: 0.45, SigmaMax: 3.45},
	}
	for i, have := range []float64{a.Jitter.Brightness, a.Jitter.Hue, a.Blur.SigmaMin, a.Blur.SigmaMax, a.Jitter.Probability} {
		w := []float64{want.Jitter.Brightness, want.Jitter.Hue, want.Blur.SigmaMin, want.Blur.SigmaMax, want.Jitter.Probability}[i]
		if math.Abs(have-w) > 1e-12 {
			t.Errorf("%+v, want %+v", a, want)
		}
	}
	if err := a.Validate(); err != nil {
		t.Error(err)
	}
}
