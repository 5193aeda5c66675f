package translate

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disintegration/imaging"

	"t2sda/internal/raster"
	"t2sda/internal/translator"
)

func TestNewBuildsEveryName(t *testing.T) {
	for _, name := range Names() {
		o := DefaultOptions()
		o.Engine, o.Folder, o.Model = name, t.TempDir(), sceneModel(t)
		if _, err := New(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for want, change := range map[string]func(*Options){
		`engine: "cyclegan" is unknown; there are blur, camera, cartoon, fda, folder, jitter, none, weather`: func(o *Options) { o.Engine = "cyclegan" },
		"no model of the target's camera": func(o *Options) { o.Engine = EngineCamera },
		"camera.cast: -1":                 func(o *Options) { o.Engine, o.Model, o.Camera.Cast = EngineCamera, sceneModel(t), -1 },
		"band: -0.1":                      func(o *Options) { o.Band = -0.1 },
		`box: "b"`:                        func(o *Options) { o.Box = "b" },
		"jitter.hue: 0.7":                 func(o *Options) { o.Engine, o.Jitter.Hue = EngineJitter, 0.7 },
		"blur.sigma_min":                  func(o *Options) { o.Engine, o.Blur.SigmaMin = EngineBlur, 0 },
		"folder: the":                     func(o *Options) { o.Engine = EngineFolder },
		"folder: stat /no":                func(o *Options) { o.Engine, o.Folder = EngineFolder, "/no/such/folder" },
	} {
		o := DefaultOptions()
		change(&o)
		if e, err := New(o); err == nil || e != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("engine %v, error %v, want %q", e, err, want)
		}
	}
}

func TestEnginesLeaveInputsAndRepeat(t *testing.T) {
	source, target := scene(1, 48, 32), scene(2, 48, 32)
	before := source.Clone()
	for _, name := range []string{EngineNone, EngineFDA, EngineJitter, EngineBlur, EngineCamera, EngineCartoon, EngineWeather} {
		o := DefaultOptions()
		o.Engine, o.Band, o.Model = name, 0.1, sceneModel(t)
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		a, b := mustTranslate(t, e, source, target), mustTranslate(t, e, source, target)
		if !slices.Equal(a.Pix, b.Pix) {
			t.Errorf("%s: two results from equal generators differ", name)
		}
		if !slices.Equal(source.Pix, before.Pix) {
			t.Fatalf("%s modified its source", name)
		}
		if same := slices.Equal(a.Pix, source.Pix); same != (name == EngineNone) {
			t.Errorf("%s: result equals source: %v", name, same)
		}
		if name != EngineFDA {
			mustTranslate(t, e, source, nil)
		}
		if _, err := e.Translate(rand.New(rand.NewPCG(1, 1)), nil, target); err == nil || !strings.Contains(err.Error(), "source image is missing") {
			t.Errorf("%s: error %v for a missing source", name, err)
		}
	}
}

// save writes the image as file, whose extension gives the format.
func save(t *testing.T, file string, m *raster.Image) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), imaging.Save(m.NRGBA(), file)); err != nil {
		t.Fatal(err)
	}
}

// bytes8 returns the image rounded to 8 bits.
func bytes8(m *raster.Image) *raster.Image { return raster.FromImage(m.NRGBA()) }

func TestFolderFindsByName(t *testing.T) {
	root := t.TempDir()
	source, image := scene(1, 20, 10), bytes8(scene(2, 20, 10))
	save(t, filepath.Join(root, "city", "a.png"), image)
	save(t, filepath.Join(root, "flat.png"), image)
	save(t, filepath.Join(root, "v1.5.png"), image)
	var e Engine = Folder{Root: root}
	named := e.(translator.Named)
	for _, id := range []string{"city/a.png", "city/a", "city/a.jpg", "city/a.JPG", "else/flat.png", "flat", "v1.5"} {
		got, err := named.TranslateNamed(nil, id, source, nil)
		if err != nil || !slices.Equal(got.Pix, image.Pix) {
			t.Errorf("%s: wrong image, error %v", id, err)
		}
	}
	if _, err := e.Translate(nil, source, nil); !errors.Is(err, errNoName) {
		t.Errorf("without a name: error %v", err)
	}
}

func TestFolderResizes(t *testing.T) {
	root := t.TempDir()
	save(t, filepath.Join(root, "double.png"), scene(2, 40, 20))
	save(t, filepath.Join(root, "square.png"), scene(2, 20, 20))
	f, source := Folder{Root: root}, scene(1, 20, 10)
	got, err := f.TranslateNamed(nil, "double", source, nil)
	if err != nil || got.W != 20 || got.H != 10 {
		t.Errorf("image %v, error %v", got, err)
	}
	if _, err := f.TranslateNamed(nil, "square", source, nil); err == nil || !strings.Contains(err.Error(), "square.png is 20×20, not of the shape of its source image, 20×10") {
		t.Errorf("error %v", err)
	}
}

func TestFolderNamesTheFile(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "cut.png"), []byte("\x89PNG\r\n\x1a\n cut"), 0o644); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"city/b.jpg":    filepath.Join(root, "city", "b.jpg") + " is missing",
		"cut":           filepath.Join(root, "cut.png") + " cannot be decoded",
		"../secret.png": "leads out of " + root,
	} {
		if _, err := (Folder{Root: root}).TranslateNamed(nil, id, scene(1, 4, 4), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", id, err, want)
		}
	}
}

// Real photographs: the window's transfer brings the mean colours of the
// target, and the file agrees with the full transform.
func TestFDAOnRealPictures(t *testing.T) {
	root := os.Getenv("T2SDA_REAL_DATA")
	if root == "" {
		t.Skip("T2SDA_REAL_DATA is not set")
	}
	folder := filepath.Join(root, "samples", "fda")
	source, err := imaging.Open(filepath.Join(folder, "source.png"))
	if err != nil {
		t.Fatal(err)
	}
	target, err := imaging.Open(filepath.Join(folder, "target.png"))
	if err != nil {
		t.Fatal(err)
	}
	s := raster.FromImage(imaging.Resize(source, 1024, 512, imaging.CatmullRom))
	tg := raster.FromImage(imaging.Resize(target, 1024, 512, imaging.CatmullRom))
	for _, band := range []float64{0.01, 0.09} {
		f := &FDA{Band: band, Workers: 2}
		got := mustTranslate(t, f, s, tg)
		bu, bv := f.Window(1024, 512)
		d := farthest(got, newRealFFT(1024, 512).translate(s, tg, bu, bv))
		t.Logf("L = %v: at most %.2g from the full transform", band, d)
		if d > 1e-3 {
			t.Errorf("L = %v: %g from the full transform", band, d)
		}
		for c := range 3 {
			if a, b := mean(got.Plane(c)), mean(tg.Plane(c)); a-b > 1e-3 || b-a > 1e-3 {
				t.Errorf("L = %v, channel %d: mean %v, target's %v", band, c, a, b)
			}
		}
	}
}
