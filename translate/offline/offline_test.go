package offline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/disintegration/imaging"

	"t2sda/datasets"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
	"t2sda/internal/rng"
	"t2sda/translate"
)

// picture returns one of whole values.
func picture(seed uint64, w, h int) *raster.Image {
	r := rand.New(rand.NewPCG(seed, 7))
	m := raster.NewImage(w, h)
	for c := range 3 {
		phase, step := r.Float64(), 0.05+r.Float64()/4
		for i := range m.Plane(c) {
			m.Plane(c)[i] = float32(math.Round(128 + 90*math.Sin(phase+step*float64(i%w)+0.1*float64(i/w)) + 10*r.Float64()))
		}
	}
	return m
}

func save(t *testing.T, file string, m *raster.Image) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), imaging.Save(m.NRGBA(), file)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) *raster.Image {
	t.Helper()
	m, err := datasets.ReadImage(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t *testing.T, root string) *Set {
	t.Helper()
	return openAt(t, datasets.Options{Root: root})
}

func openAt(t *testing.T, o datasets.Options) *Set {
	t.Helper()
	s, err := OpenSet(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// domains makes a folder of 6 source pictures, in folders of its own, and one of
// 3 target pictures of another size.
func domains(t *testing.T) (source, target string) {
	t.Helper()
	root := t.TempDir()
	source, target = filepath.Join(root, "source"), filepath.Join(root, "target")
	for i := range 6 {
		save(t, filepath.Join(source, fmt.Sprintf("town%d", i%2), fmt.Sprintf("%d.png", i)), picture(uint64(i), 40, 32))
	}
	for i := range 3 {
		save(t, filepath.Join(target, fmt.Sprintf("%d.png", i)), picture(uint64(100+i), 61, 37))
	}
	return source, target
}

func fda() translate.Engine { return &translate.FDA{Band: 0.1, Clip: true} }

func optionsOf(t *testing.T) Options {
	source, target := domains(t)
	return Options{
		Engine: fda(), Source: open(t, source), Target: open(t, target), Out: filepath.Join(t.TempDir(), "fda"), Seed: 4,
		Settings: map[string]string{"--engine": "fda", "--seed": "4"},
	}
}

// Every picture is the translation towards the target that is drawn for it, and
// engine folder reads it back under its source's name.
func TestFolder(t *testing.T) {
	o := optionsOf(t)
	calls := 0
	o.Progress = func(done, total int) {
		if calls++; done != calls || total != 6 {
			t.Errorf("progress %d of %d at call %d", done, total, calls)
		}
	}
	result, err := Run(t.Context(), o)
	if err != nil || result != (Result{Written: 6}) || calls != 6 {
		t.Fatalf("%+v, %v, %d calls", result, err, calls)
	}
	folder := translate.Folder{Root: o.Out}
	drawn := map[int]bool{}
	for i := range o.Source.Len() {
		file, rel := o.Source.path(i)
		k := rng.New(4, i, "translate/target").IntN(3)
		drawn[k] = true
		source, target := read(t, file), read(t, o.Target.data.Item(k).Image)
		whole, err := fda().Translate(nil, source, resize.Image(target, source.W, source.H))
		if err != nil {
			t.Fatal(err)
		}
		back, err := folder.TranslateNamed(nil, rel, source, nil)
		if err != nil || !slices.Equal(back.Pix, raster.FromImage(whole.NRGBA()).Pix) {
			t.Errorf("%s is not the translation towards target %d, %v", rel, k, err)
		}
	}
	if len(drawn) < 2 {
		t.Errorf("only target %v is drawn", drawn)
	}
}

// The results depend neither on the workers nor on where a run was stopped.
func TestInterruptAndResume(t *testing.T) {
	o := optionsOf(t)
	jitter := translate.SimCLRJitter(1)
	mix, err := translate.NewMix(translate.Member{Name: "fda", Weight: 1, Engine: fda()}, translate.Member{Name: "jitter", Weight: 1, Engine: jitter})
	if err != nil {
		t.Fatal(err)
	}
	o.Engine, o.Workers = mix, 4
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	part := o
	part.Workers, part.Out = 1, filepath.Join(t.TempDir(), "part")
	ctx, cancel := context.WithCancel(t.Context())
	part.Progress = func(done, _ int) {
		if done == 2 {
			cancel()
		}
	}
	result, err := Run(ctx, part)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped with 2 of 6 pictures written, each whole; --resume makes the others") || result.Written != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	part.Progress = nil
	if _, err := Run(t.Context(), part); err == nil || !strings.Contains(err.Error(), "2 of the 6 pictures are in "+part.Out+" already: --resume keeps them") {
		t.Errorf("the same command again: %v", err)
	}
	other := part
	other.Resume, other.Settings = true, map[string]string{"--engine": "fda", "--seed": "5"}
	if _, err := Run(t.Context(), other); err == nil || !strings.Contains(err.Error(), `made with --seed "4", not "5"`) {
		t.Errorf("resuming with another seed: %v", err)
	}
	part.Resume = true
	if result, err = Run(t.Context(), part); err != nil || result != (Result{Written: 4, Kept: 2}) {
		t.Fatalf("%+v, %v", result, err)
	}
	for i := range o.Source.Len() {
		_, rel := o.Source.path(i)
		if a, b := read(t, filepath.Join(o.Out, rel)), read(t, filepath.Join(part.Out, rel)); !slices.Equal(a.Pix, b.Pix) {
			t.Errorf("%s differs from the run that was not stopped", rel)
		}
	}
	if result, err = Run(t.Context(), part); err != nil || result != (Result{Kept: 6}) {
		t.Errorf("nothing was left to do: %+v, %v", result, err)
	}
	other.Resume, other.Overwrite = false, true
	if result, err = Run(t.Context(), other); err != nil || result != (Result{Written: 6}) {
		t.Errorf("made anew: %+v, %v", result, err)
	}
}

// TestInterruptedOverwrite: what is resumed after a run that replaced pictures was stopped holds none of
// the earlier ones.
func TestInterruptedOverwrite(t *testing.T) {
	o := optionsOf(t)
	o.Engine, o.Workers = translate.SimCLRJitter(1), 1
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	anew := o
	anew.Seed, anew.Settings, anew.Overwrite = o.Seed+1, map[string]string{"--seed": "5"}, true
	ctx, cancel := context.WithCancel(t.Context())
	anew.Progress = func(done, _ int) {
		if done == 2 {
			cancel()
		}
	}
	if result, err := Run(ctx, anew); !errors.Is(err, context.Canceled) || result.Written != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	if left := filesIn(t, o.Out); left != 6+2 { // until then, pictures are the earlier ones
		t.Errorf("%d files are there", left)
	}
	anew.Progress, anew.Overwrite, anew.Resume = nil, false, true
	if result, err := Run(t.Context(), anew); err != nil || result != (Result{Written: 4, Kept: 2}) {
		t.Fatalf("%+v, %v", result, err)
	}
	if left := filesIn(t, o.Out); left != 6+1 {
		t.Errorf("%d files are there", left)
	}
	whole := anew
	whole.Out, whole.Resume = filepath.Join(t.TempDir(), "whole"), false
	if _, err := Run(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	for i := range o.Source.Len() {
		_, rel := o.Source.path(i)
		if a, b := read(t, filepath.Join(whole.Out, rel)), read(t, filepath.Join(anew.Out, rel)); !slices.Equal(a.Pix, b.Pix) {
			t.Errorf("%s is not as in a run that was not stopped", rel)
		}
	}
}

// filesIn counts files below a folder.
func filesIn(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestForeignPicturesAreNotResumed(t *testing.T) {
	o := optionsOf(t)
	save(t, filepath.Join(o.Out, "town0", "0.png"), picture(1, 8, 8))
	o.Resume = true
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "there is no translation.json") {
		t.Errorf("have %v", err)
	}
}

// Nothing is written among the pictures that are read, by whatever way.
func TestSourcesAreSpared(t *testing.T) {
	source, target := domains(t)
	before := read(t, filepath.Join(source, "town0", "0.png"))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(source, link); err != nil {
		t.Fatal(err)
	}
	base := Options{Engine: fda(), Source: open(t, source), Target: open(t, target), Overwrite: true}
	for _, out := range []string{source, filepath.Join(source, "new"), target, filepath.Join(target, "new"), link, filepath.Join(link, "new"), source + "/../source/a"} {
		o := base
		o.Out = out
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "choose another place to write to") {
			t.Errorf("writing to %s: %v", out, err)
		}
	}
	spare := base
	spare.Target, spare.Spare, spare.Engine, spare.Out = nil, []string{target}, translate.None{}, target
	if _, err := Run(t.Context(), spare); err == nil || !strings.Contains(err.Error(), "choose another place") {
		t.Errorf("writing to a spared folder: %v", err)
	}
	one := base
	one.Source = open(t, filepath.Join(source, "town0", "0.png"))
	one.Out = filepath.Join(link, "town0", "0.png")
	if _, err := Run(t.Context(), one); err == nil || !strings.Contains(err.Error(), "choose another place") {
		t.Errorf("a picture onto itself: %v", err)
	}
	one.Out = filepath.Join(source, "town0", "new.png") // beside it is allowed
	if _, err := Run(t.Context(), one); err != nil {
		t.Error(err)
	}
	farm := filepath.Join(t.TempDir(), "town0", "0.png") // links to what is read, where pictures go
	if err := errors.Join(os.Mkdir(filepath.Dir(farm), 0o755), os.Symlink(filepath.Join(source, "town0", "0.png"), farm)); err != nil {
		t.Fatal(err)
	}
	linked := base
	linked.Out = filepath.Dir(filepath.Dir(farm))
	if _, err := Run(t.Context(), linked); err == nil || !strings.Contains(err.Error(), "choose another place") {
		t.Errorf("through a link in the folder: %v", err)
	}
	reads := linked // of the target's pictures too, and of what an engine reads otherwise
	reads.Source, reads.Target, reads.Engine, reads.Read = open(t, target), nil, translate.None{}, []*Set{open(t, source)}
	reads.Out = filepath.Join(t.TempDir(), "out")
	if err := errors.Join(os.Mkdir(reads.Out, 0o755), os.Symlink(filepath.Join(source, "town0", "0.png"), filepath.Join(reads.Out, recordFile))); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), reads); err == nil || !strings.Contains(err.Error(), "0.png, which is read: choose another place") {
		t.Errorf("the record over a picture: %v", err)
	}
	linked.Source = open(t, linked.Out) // itself a folder of links
	linked.Out = filepath.Join(t.TempDir(), "out")
	if err := errors.Join(os.MkdirAll(filepath.Join(linked.Out, "town0"), 0o755), os.Symlink(filepath.Join(source, "town0", "0.png"), filepath.Join(linked.Out, "town0", "0.png"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), linked); err == nil || !strings.Contains(err.Error(), farm+", which is read: choose another place") {
		t.Errorf("what a link in the source leads to: %v", err)
	}
	if after := read(t, filepath.Join(source, "town0", "0.png")); !slices.Equal(before.Pix, after.Pix) {
		t.Error("a source picture was changed")
	}
	beside := base // a folder of the same beginning is another folder
	beside.Out = source + "-translated"
	if _, err := Run(t.Context(), beside); err != nil {
		t.Error(err)
	}
}

func TestSizesAndLayouts(t *testing.T) {
	root := t.TempDir()
	save(t, filepath.Join(root, "leftImg8bit", "train", "ulm", "ulm_000000_000019_leftImg8bit.png"), picture(1, 80, 40))
	save(t, filepath.Join(root, "leftImg8bit", "val", "bonn", "bonn_000000_000019_leftImg8bit.png"), picture(2, 80, 40))
	o := Options{Engine: translate.None{}, Out: t.TempDir()}
	o.Source = openAt(t, datasets.Options{Root: root, Layout: "cityscapes", Split: "train", Width: 40, Height: 20})
	if result, err := Run(t.Context(), o); err != nil || result.Written != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	out := read(t, filepath.Join(o.Out, "ulm", "ulm_000000_000019_leftImg8bit.png"))
	if want := resize.Image(picture(1, 80, 40), 40, 20); !slices.Equal(out.Pix, want.Pix) {
		t.Error("the picture is not the resized source")
	}
	o.Source = openAt(t, datasets.Options{Root: filepath.Join(root, "leftImg8bit", "train", "ulm", "ulm_000000_000019_leftImg8bit.png"), Width: 20, Height: 10})
	o.Out = filepath.Join(t.TempDir(), "deep", "one.png")
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if m := read(t, o.Out); m.W != 20 || m.H != 10 {
		t.Errorf("one picture has %d×%d pixels", m.W, m.H)
	}
}

// broken fails for the third image that it gets.
type broken struct{ calls *atomic.Int64 }

func (b broken) Translate(_ *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	if b.calls.Add(1) == 3 {
		return nil, errors.New("no style today")
	}
	return source.Clone(), nil
}

func TestErrors(t *testing.T) {
	o := optionsOf(t)
	o.Engine, o.Workers = broken{new(atomic.Int64)}, 1
	_, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "translating "+o.Source.Root()) || !strings.Contains(err.Error(), "no style today") {
		t.Errorf("have %v", err)
	}
	o = optionsOf(t)
	save(t, filepath.Join(o.Source.Root(), "town0", "0.jpg"), picture(1, 40, 32))
	if _, err := OpenSet(datasets.Options{Root: o.Source.Root()}); err == nil || !strings.Contains(err.Error(), "0.jpg") {
		t.Errorf("two pictures of one name: %v", err)
	}
	for _, c := range []struct{ root, want string }{{"/no/such", "/no/such"}, {t.TempDir(), "no images"}} {
		if _, err := OpenSet(datasets.Options{Root: c.root}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.root, err)
		}
	}
	o = optionsOf(t)
	file, _ := o.Source.path(2)
	if err := os.WriteFile(file, []byte("\x89PNG\r\n\x1a\n cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a damaged source: %v", err)
	}
	o = optionsOf(t)
	o.Source = open(t, o.Target.data.Item(0).Image)
	for out, want := range map[string]string{"o.jpg": "name it .png", "": "name it .png"} {
		o.Out = out
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("output %q: %v", out, err)
		}
	}
}
