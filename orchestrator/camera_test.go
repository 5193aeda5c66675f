package orchestrator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/configs"
	"t2sda/translate"
)

// TestCameraIsFittedOnce opens the data of a run again and again: the model of
// the target's camera is kept until something that it depends on changes.
func TestCameraIsFittedOnce(t *testing.T) {
	root, cache := t.TempDir(), t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Translate.Engine = configs.Engines{translate.EngineCamera: 1}
	c.Data.RCS.Enabled = false
	open := func() (pseudo []float32, fits int) {
		t.Helper()
		core, logs := observer.New(zap.InfoLevel)
		d, err := openData(t.Context(), c, "", nil, cache, zap.New(core), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.loader.Batch(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		return b.Pseudo[0].Pix, logs.FilterMessageSnippet("measuring the appearance").Len()
	}
	kept := func() []string {
		files, err := filepath.Glob(filepath.Join(cache, "camera-*.json"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}

	first, fits := open()
	if fits != 1 || len(kept()) != 1 {
		t.Fatalf("%d fits, files %v", fits, kept())
	}
	again, fits := open()
	if fits != 0 || !slices.Equal(first, again) {
		t.Errorf("%d fits with a kept model, same translation: %v", fits, slices.Equal(first, again))
	}
	for _, damage := range []string{"", "{", `{"tone": [1, 2]}`} {
		writeFile(t, kept()[0], damage)
		if again, fits = open(); fits != 1 || !slices.Equal(first, again) {
			t.Errorf("%d fits with a file of %q, same translation: %v", fits, damage, slices.Equal(first, again))
		}
	}
	c.Translate.Camera.Images = 2
	if _, fits = open(); fits != 1 || len(kept()) != 2 {
		t.Errorf("%d fits with fewer images, files %v", fits, kept())
	}
	picture := filepath.Join(root, "target", "images")
	files, err := os.ReadDir(picture)
	if err != nil {
		t.Fatal(err)
	}
	info, err := files[0].Info()
	if err != nil {
		t.Fatal(err)
	}
	later := info.ModTime().Add(1e9)
	if err := os.Chtimes(filepath.Join(picture, files[0].Name()), later, later); err != nil {
		t.Fatal(err)
	}
	if _, fits = open(); fits != 1 || len(kept()) != 3 {
		t.Errorf("%d fits after an image changed, files %v", fits, kept())
	}
}

func TestCameraNamesTheBadImage(t *testing.T) {
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Translate.Engine = configs.Engines{translate.EngineCamera: 1}
	c.Data.RCS.Enabled = false
	files, err := filepath.Glob(filepath.Join(root, "target", "images", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	writeFile(t, files[0], "no picture")
	_, err = openData(t.Context(), c, "", nil, t.TempDir(), zap.NewNop(), nil)
	for _, want := range []string{"translate.engine: camera: target", files[0]} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s in it", err, want)
		}
	}
}
