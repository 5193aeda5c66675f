package orchestrator

import (
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"

	"t2sda/configs"
	"t2sda/translate"
	"t2sda/translate/neural"
)

// means is a network that moves an image's channel means to those of a
// reference image.
func means() *onnxtest.Model {
	return onnxtest.New().In("image", 1, -1, 3, -1, -1).In("reference", 1, -1, 3, -1, -1).Out("out", 1, -1, 3, -1, -1).
		Node("own", "ReduceMean", "image", "own", "axes", []int{2, 3}).
		Node("theirs", "ReduceMean", "reference", "theirs", "axes", []int{2, 3}).
		Node("centre", "Sub", "image own", "centred").Node("move", "Add", "centred theirs", "out")
}

func writeModel(t *testing.T, m *onnxtest.Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "style.onnx")
	writeFile(t, path, string(m.Bytes()))
	return path
}

// TestNetworkTranslates: crops of the pseudo-target are the network's, and the
// network is closed with the data.
func TestNetworkTranslates(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Translate.Engine, c.Translate.Model = configs.Engines{"onnx": 1}, writeModel(t, means())
	e, err := openEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d, err := openData(t.Context(), c, "", e, t.TempDir(), zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.loader.Batch(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range b.Pseudo {
		shift := p.Plane(0)[0] - b.Source[i].Plane(0)[0]
		for k, v := range p.Plane(0) { // within 0–255 the difference is one of means
			if want := b.Source[i].Plane(0)[k] + shift; v > 0 && v < 255 && (v-want > 0.01 || want-v > 0.01) {
				t.Fatalf("image %d, pixel %d: %v, want %v", i, k, v, want)
			}
		}
		if shift > -20 {
			t.Errorf("image %d was shifted by %v towards a dim target", i, shift)
		}
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.loader.Batch(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after close: %v", err)
	}
}

// TestBadNetworks: what is wrong with a network is said with its file, and with
// the image where one is translated.
func TestBadNetworks(t *testing.T) {
	enginetest.Isolate(t)
	nan := onnxtest.New().In("x", 1, 1, 3, -1, -1).Out("y", 1, 1, 3, -1, -1).
		Floats("m", []float32{-2}, 1).Node("a", "Mul", "x m", "n").Node("b", "Sqrt", "n", "y")
	for name, c := range map[string]struct {
		set  func(*configs.Config)
		want []string
	}{
		"no file":   {func(c *configs.Config) { c.Translate.Model = "none.onnx" }, []string{"none.onnx"}},
		"no target": {func(c *configs.Config) { c.Method, c.Loss.DRW = configs.Generalise, "none" }, []string{"style.onnx takes a reference image, and method generalise has no target images"}},
		"NaN":       {func(c *configs.Config) { c.Translate.Model = writeModel(t, nan) }, []string{"iteration 0", "style.onnx", filepath.Join("source", "images"), "holds NaN"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			writeShapes(t, root)
			cfg := shapesConfig(root, t.TempDir())
			cfg.Translate.Engine, cfg.Translate.Model = configs.Engines{"onnx": 1}, writeModel(t, means())
			c.set(&cfg)
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			_, err := Run(t.Context(), cfg, quiet())
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("have %v, want … %s", err, want)
				}
			}
		})
	}
}

// TestEngineNames: configurations know the engines that package translate has.
func TestEngineNames(t *testing.T) {
	for _, name := range append(translate.Names(), neural.Engine, neural.AdaIN) {
		c := shapesConfig(t.TempDir(), t.TempDir())
		c.Translate.Engine, c.Translate.Folder, c.Translate.Model = configs.Engines{name: 1}, "folder", "model.onnx"
		c.Translate.AdaIN.Model = "model.onnx"
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
