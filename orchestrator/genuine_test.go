package orchestrator

import (
	"fmt"
	"image"
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/datasets/streets"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// writeGTA5 makes a tree as GTA5's archives unpack: ids as palette indices, in
// one folder or one a archive.
func writeGTA5(t testing.TB, root string, archives bool) {
	t.Helper()
	palette := make(color.Palette, 256)
	for i := range palette {
		palette[i] = color.NRGBA{uint8(i), uint8(5 * i), uint8(11 * i), 255}
	}
	for i := range 4 {
		img, labels := streets.Render(1, i, streets.Game, 191, 105)
		images, truth := filepath.Join(root, "images"), filepath.Join(root, "labels")
		if archives {
			images = filepath.Join(root, fmt.Sprintf("%02d_images", i+1), "images")
			truth = filepath.Join(root, fmt.Sprintf("%02d_labels", i+1), "labels")
		}
		name := fmt.Sprintf("%05d.png", i+1)
		writePNG(t, filepath.Join(images, name), img.NRGBA())
		ids := image.NewPaletted(image.Rect(0, 0, labels.W, labels.H), palette)
		copy(ids.Pix, rawIDs(t, "gta5", labels).Pix)
		writePNG(t, filepath.Join(truth, name), ids)
	}
}

// writeSynthia makes a tree as SYNTHIA-RAND-CITYSCAPES: 16-bit colour labels,
// class in red, instance in green; no terrain, truck, train.
func writeSynthia(t testing.TB, root string) {
	t.Helper()
	for i := range 4 {
		img, labels := streets.Render(1, i, streets.Game, 128, 76)
		for p, id := range labels.Pix {
			if id == 9 || id == 14 || id == 16 {
				labels.Pix[p] = raster.Void
			}
		}
		name := fmt.Sprintf("%07d.png", i)
		writePNG(t, filepath.Join(root, "RGB", name), img.NRGBA())
		ids := rawIDs(t, "synthia", labels)
		deep := image.NewNRGBA64(image.Rect(0, 0, ids.W, ids.H))
		for p, id := range ids.Pix {
			deep.SetNRGBA64(p%ids.W, p/ids.W, color.NRGBA64{R: uint16(id), G: uint16(300 * p % 4000), A: 65535})
		}
		writePNG(t, filepath.Join(root, "GT", "LABELS", name), deep)
	}
}

// writeCityscapes makes a tree whose training split has no labels at all.
func writeCityscapes(t testing.TB, root string) {
	t.Helper()
	for split, city := range map[string]string{"train": "aachen", "val": "frankfurt"} {
		for i := range 3 {
			img, labels := streets.Render(7, i+len(split), streets.Camera, 204, 102)
			name := fmt.Sprintf("%s_%06d_000019", city, i)
			writePNG(t, filepath.Join(root, "leftImg8bit", split, city, name+"_leftImg8bit.png"), img.NRGBA())
			if split == "val" {
				writePNG(t, filepath.Join(root, "gtFine", split, city, name+"_gtFine_labelIds.png"), rawIDs(t, "cityscapes", labels).Gray())
			}
		}
	}
}

// rawIDs leads train ids back to a data set's own ids.
func rawIDs(t testing.TB, labelMap string, l *raster.Labels) *raster.Labels {
	t.Helper()
	m, err := datasets.LoadLabelMap(labelMap)
	if err != nil {
		t.Fatal(err)
	}
	var raw [256]uint8
	for id := range raw {
		if ids := m.IDs(uint8(id)); len(ids) > 0 {
			raw[id] = uint8(ids[0])
		}
	}
	out := l.Clone()
	for i, id := range out.Pix {
		out.Pix[i] = raw[id]
	}
	return out
}

// genuine are the presets for the paper's data sets over small trees of the
// genuine shapes.
func genuine(t *testing.T, check func(t *testing.T, preset string)) {
	for name, c := range map[string]struct {
		preset   string
		archives bool
	}{
		"GTA5":             {"gta5-cityscapes", false},
		"GTA5 as archives": {"gta5-cityscapes", true},
		"SYNTHIA":          {"synthia-cityscapes", false},
		"GTA5, CNN":        {"gta5-cityscapes-r101", false},
		"SYNTHIA, CNN":     {"synthia-cityscapes-r101", false},
		"GTA5, DINOv2":     {"gta5-cityscapes-dinov2", false},
		"SYNTHIA, DINOv2":  {"synthia-cityscapes-dinov2", false},
		"GTA5, HRDA":       {"gta5-cityscapes-hrda", false},
		"GTA5, MIC":        {"gta5-cityscapes-mic", false},
		"SYNTHIA, HRDA":    {"synthia-cityscapes-hrda", false},
		"SYNTHIA, MIC":     {"synthia-cityscapes-mic", false},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, set := range []string{"GTA5", "SYNTHIA", "CITYSCAPES"} {
				t.Setenv(set+"_ROOT", filepath.Join(root, set))
			}
			writeCityscapes(t, filepath.Join(root, "CITYSCAPES"))
			if strings.HasPrefix(c.preset, "synthia") {
				writeSynthia(t, filepath.Join(root, "SYNTHIA"))
			} else {
				writeGTA5(t, filepath.Join(root, "GTA5"), c.archives)
			}
			check(t, c.preset)
		})
	}
}

// small names the smallest encoder of the preset's family.
func small(preset string) string {
	switch {
	case strings.HasSuffix(preset, "-r101"):
		return "resnet_nano"
	case strings.HasSuffix(preset, "-dinov2"):
		return "dinov2_nano"
	}
	return "mit_nano"
}

// The presets' data sections give batches of the paper's sizes from the trees as
// they are, with and without the disk cache.
func TestGenuineBatches(t *testing.T) {
	genuine(t, func(t *testing.T, preset string) {
		var first *datasets.Batch
		for _, settings := range [][]string{nil, {"data.cache=" + t.TempDir()}} {
			c, err := configs.Load(preset, settings)
			if err != nil {
				t.Fatal(err)
			}
			core, logs := observer.New(zap.InfoLevel)
			d, err := openData(t.Context(), c, "", nil, t.TempDir(), zap.New(core), nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := d.loader.Batch(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			checkGenuine(t, b, c.Data.Crop.Width)
			if first == nil {
				first = b
			} else if !slices.Equal(first.Pseudo[0].Pix, b.Pseudo[0].Pix) || len(logs.FilterMessageSnippet("kept on disk").All()) != 1 {
				t.Errorf("the cache changes the batch, or nothing tells of it: %v", logs.All())
			}
			missing := logs.FilterMessageSnippet(`classes "terrain", "truck", "train"`).Len() > 0
			if missing != strings.HasPrefix(preset, "synthia") {
				t.Errorf("classes that never occur: %v", logs.All())
			}
		}
	})
}

func checkGenuine(t *testing.T, b *datasets.Batch, side int) {
	t.Helper()
	for _, images := range [][]*raster.Image{b.Source, b.Pseudo, b.Target} {
		if len(images) != 2 || images[1].W != side || images[1].H != side {
			t.Fatalf("%d images", len(images))
		}
	}
	for _, l := range b.SourceLabels {
		classes := map[uint8]int{}
		for _, id := range l.Pix {
			classes[id]++
		}
		for id := range classes {
			if id >= 19 && id != raster.Void {
				t.Errorf("train id %d", id)
			}
		}
		if len(classes) < 3 {
			t.Errorf("a crop of %v", classes)
		}
	}
}

// The first twenty iterations of each preset and an evaluation, at sizes for a test,
// by the smallest network of the preset's family.
func TestGenuineTraining(t *testing.T) {
	enginetest.Library(t)
	genuine(t, func(t *testing.T, preset string) {
		settings := []string{
			"model.encoder=" + small(preset), "model.head_width=16", "model.projector_width=16",
			"data.source.resize.width=128", "data.source.resize.height=72", "data.target.resize.width=102", "data.target.resize.height=51",
			"data.eval.resize.width=102", "data.eval.resize.height=51", "data.crop.width=48", "data.crop.height=48", "data.rcs.min_pixels=10",
			"loss.delta=0.1", "loss.pull.queries=8", "loss.pull.negatives=16", "loss.pull.block=8",
			"train.iterations=20", "train.warmup=0", "train.log_every=1", "train.eval_every=0", "runtime.device=cpu",
		}
		if strings.HasSuffix(preset, "-hrda") || strings.HasSuffix(preset, "-mic") { // the context is half of a crop
			settings = append(settings, "model.hrda.detail.width=32", "model.hrda.detail.height=32", "model.hrda.attention=8", "loss.mask.block=8",
				"data.target.resize.width=128", "data.target.resize.height=64", "data.crop.width=64", "data.crop.height=64")
		}
		c, err := configs.Load(preset, settings)
		if err != nil {
			t.Fatal(err)
		}
		dir, scored := train(t, c)
		if scored == nil || scored.Images != 3 || len(scored.Classes) != 19 {
			t.Errorf("scored %+v", scored)
		}
		events, err := ReadEvents(filepath.Join(dir, eventsFile))
		if err != nil || len(events) != 20 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		for _, e := range events {
			if len(e.Losses) < 3 {
				t.Errorf("losses %v", e.Losses)
			}
			for name, v := range e.Losses {
				if !(v >= 0) {
					t.Errorf("loss %s is %v", name, v)
				}
			}
		}
	})
}
