package orchestrator

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/raster"
	"t2sda/translate"
)

// stylesConfig is domain generalisation by an engine that is shown pictures: three of
// one colour each, of another shape. The target's folder is not there.
func stylesConfig(t *testing.T, engine string) configs.Config {
	t.Helper()
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Method, c.Loss.DRW, c.Data.Target.Root = configs.Generalise, "none", filepath.Join(root, "nothing here")
	c.Translate.Engine, c.Translate.Styles = configs.Engines{engine: 1}, filepath.Join(root, "styles")
	for i := range 3 {
		m := raster.NewImage(50+10*i, 40)
		for k := range m.Pix {
			m.Pix[k] = float32(20 + 40*i)
		}
		writePNG(t, filepath.Join(c.Translate.Styles, fmt.Sprintf("by/%d.png", i)), m.NRGBA())
	}
	return c
}

func openStyled(t *testing.T, c configs.Config) (*data, error) {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	e, err := openEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	d, err := openData(t.Context(), c, "", e, t.TempDir(), zap.NewNop(), nil)
	if err == nil {
		t.Cleanup(func() { _ = d.close() })
	}
	return d, err
}

// TestStyles: pseudo-targets of engines that look at a picture are made of the
// folder's, whatever the workers, and no target image is opened.
func TestStyles(t *testing.T) {
	enginetest.Isolate(t)
	for _, engine := range []string{"fda", "onnx", "adain"} {
		c := stylesConfig(t, engine)
		model := writeModel(t, means())
		c.Translate.Model, c.Translate.AdaIN.Model, c.Translate.Band = model, model, 0 // FDA: the means alone
		var first []*datasets.Batch
		seen := map[int]bool{}
		for _, workers := range []int{1, 3} {
			c.Data.Workers = workers
			d, err := openStyled(t, c)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 8 {
				b, err := d.loader.Batch(t.Context(), i)
				if err != nil {
					t.Fatal(err)
				}
				if len(b.Target) > 0 || d.target != nil {
					t.Fatalf("%s: there are target images", engine)
				}
				if workers == 1 {
					first = append(first, b)
				} else if !slices.Equal(b.Pseudo[0].Pix, first[i].Pseudo[0].Pix) {
					t.Errorf("%s: batch %d depends on the workers", engine, i)
				}
				shift := b.Pseudo[0].Plane(1)[0] - b.Source[0].Plane(1)[0] // the style's colour less the image's mean
				seen[int(shift/10)] = true
			}
		}
		if len(seen) < 3 {
			t.Errorf("%s: images were moved by the tens %v, as of few styles", engine, seen)
		}
	}
}

// TestUnreadStyles: nobody opens a folder that no engine looks at.
func TestUnreadStyles(t *testing.T) {
	enginetest.Isolate(t)
	half := onnxtest.New().In("x", 1, -1, 3, -1, -1).Out("y", 1, -1, 3, -1, -1).Floats("a", []float32{0.5}, 1).Node("scale", "Mul", "x a", "y")
	c := stylesConfig(t, "fda")
	c.Translate.Engine, c.Translate.Model, c.Translate.Styles = configs.Engines{"cartoon": 1, "weather": 1, "onnx": 1}, writeModel(t, half), "${STYLES_ROOT}"
	if _, err := openStyled(t, c); err != nil {
		t.Error(err)
	}
}

func TestBadStyles(t *testing.T) {
	enginetest.Isolate(t)
	for name, c := range map[string]struct {
		set  func(t *testing.T, c *configs.Config)
		want []string
	}{
		"no folder": {func(_ *testing.T, c *configs.Config) { c.Translate.Styles = "/no/styles" }, []string{"translate.styles: ", "/no/styles"}},
		"no picture": {func(t *testing.T, c *configs.Config) {
			c.Translate.Styles = t.TempDir()
			writeFile(t, filepath.Join(c.Translate.Styles, "notes.txt"), "Monet")
		}, []string{"translate.styles: ", "no images in "}},
		"no picture by its content": {func(t *testing.T, c *configs.Config) {
			writeFile(t, filepath.Join(c.Translate.Styles, "a.png"), "hello")
		}, []string{"translate.styles: ", "a.png", "mend the picture, or take it out of the folder"}},
		"no reference": {func(t *testing.T, c *configs.Config) {
			c.Translate.Engine, c.Translate.Model, c.Translate.Styles = configs.Engines{"onnx": 1}, writeModel(t, means()), ""
		}, []string{"style.onnx takes a reference image", "translate.styles"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := stylesConfig(t, "fda")
			c.set(t, &cfg)
			_, err := openStyled(t, cfg)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("have %v, want … %s", err, want)
				}
			}
		})
	}
}

// TestCutStyle: a picture whose header is whole and whose rest is not stops the run
// that draws it, by name; where bad files are skipped, the next picture is taken.
func TestCutStyle(t *testing.T) {
	enginetest.Isolate(t)
	cfg := stylesConfig(t, "fda")
	file := filepath.Join(cfg.Translate.Styles, "by", "1.png")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, string(text[:len(text)-30]))
	d, err := openStyled(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; err == nil && i < 50; i++ {
		_, err = d.loader.Batch(t.Context(), i)
	}
	if err == nil || !strings.Contains(err.Error(), "translate: styles: ") || !strings.Contains(err.Error(), file) {
		t.Errorf("a cut picture: %v", err)
	}
	cfg.Data.OnError = configs.OnErrorSkip
	if d, err = openStyled(t, cfg); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if _, err := d.loader.Batch(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWeatherKinds: configurations know the kinds that package translate has.
func TestWeatherKinds(t *testing.T) {
	for _, kind := range translate.WeatherKinds() {
		c := shapesConfig(t.TempDir(), t.TempDir())
		c.Translate.Weather.Kinds = []string{kind}
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
}
