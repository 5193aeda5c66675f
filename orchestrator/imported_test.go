package orchestrator

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export"
	"t2sda/export/exporttest"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fit"
)

// wholeNetwork writes a small network on random weights, or its encoder alone.
func wholeNetwork(t *testing.T, a nets.Arch, encoderOnly bool) string {
	t.Helper()
	lookup := exporttest.RandomWeights(t, a)
	all, err := fit.Tensors(a)
	if err != nil {
		t.Fatal(err)
	}
	var tensors []weights.Tensor
	for _, info := range all {
		if encoderOnly && !weights.IsEncoder(info) {
			continue
		}
		data, err := lookup(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, weights.Tensor{Name: info.Name, Shape: info.Shape, Data: data})
	}
	path := filepath.Join(t.TempDir(), "whole.safetensors")
	if err := weights.Save(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExportImported: weights of a whole network become a model that says where they come
// from, and nothing of how good they are; encoder and, of usual widths, head need not be
// named.
func TestExportImported(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	arch := exporttest.NanoOptions("segformer").Arch
	arch.ProjectorWidth, arch.ProjectorInput = 8, "concat" // which is left out
	space := exporttest.FiveClasses()
	file := wholeNetwork(t, arch, false)
	dynamic := ExportOptions{Form: export.Form{Dynamic: true, Outputs: []string{"labels"}}, Version: "1.2.3"}
	x, err := ExportImported(t.Context(), e, Imported{File: file, Settings: []string{"model.head_width=16"}, Space: space}, dynamic)
	if err != nil {
		t.Fatal(err)
	}
	if x.Network.Arch.Encoder != arch.Encoder || x.Network.Arch.Head != "segformer" {
		t.Errorf("%+v", x.Network.Arch)
	}
	if a := x.Agreement(); a.Share() < export.MinExact {
		t.Errorf("%+v", a)
	}
	description, card, err := x.Files("m.onnx")
	if err != nil {
		t.Fatal(err)
	}
	var d export.Description
	if err := json.Unmarshal(description, &d); err != nil {
		t.Fatal(err)
	}
	from := "imported from whole.safetensors (SHA-256 "
	if !strings.HasPrefix(d.Data["weights"], from) || !strings.HasSuffix(d.Data["weights"], ", names ours") || d.MIoU != nil || d.ConfigHash != "" || d.Licence != "not known to t2sda: that of whole.safetensors" {
		t.Errorf("%s", description)
	}
	for _, want := range []string{"- weights: " + from, "- method: not known, the weights were not trained here\n- licence of the weights: not known", "These weights were not scored", "on drawn pictures"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("the card lacks %q:\n%s", want, card)
		}
	}
	if strings.Contains(string(card), "configuration") {
		t.Error("the card tells of a configuration")
	}

	arch.HeadWidth = 256
	wide := wholeNetwork(t, arch, false)
	if x, err = ExportImported(t.Context(), e, Imported{File: wide, Space: space}, ExportOptions{Width: 64, Height: 32}); err != nil || x.Network.Arch.HeadWidth != 256 {
		t.Errorf("%v", err)
	}
	folder := t.TempDir()
	data, err := os.ReadFile(wide)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "model.safetensors"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := ExportImported(t.Context(), e, Imported{File: folder, Space: space, Origin: configs.FetchPrefix + "hf:o/whole"}, ExportOptions{Width: 64, Height: 32})
	if err != nil || !strings.Contains(again.options.Info.Data["weights"], "(SHA-256 ") || again.options.Info.Licence != "not known to t2sda: that of whole" {
		t.Errorf("%v", err)
	}
}

func TestExportImportedErrors(t *testing.T) {
	arch := exporttest.NanoOptions("segformer").Arch
	space, o := exporttest.FiveClasses(), ExportOptions{Form: export.Form{Dynamic: true}}
	file := wholeNetwork(t, arch, false)
	for want, c := range map[string]struct {
		w Imported
		o ExportOptions
	}{
		"give width and height, or make them free":                               {Imported{File: file, Space: space}, ExportOptions{}},
		"it holds an encoder (mit_nano) and no head: a model needs both":         {Imported{File: wholeNetwork(t, arch, true), Space: space}, o},
		"with head daformer of width 16 for 5 classes (five)":                    {Imported{File: file, Space: space, Settings: []string{"model.head=daformer", "model.head_width=16"}}, o},
		"is not encoder mit_nano with head segformer of width 16 for 19 classes": {Imported{File: file, Space: datasets.Cityscapes19(), Settings: []string{"model.head_width=16"}}, o},
		"is not encoder mit_b0 with head":                                        {Imported{File: file, Space: space, Settings: []string{"model.encoder=mit_b0"}}, o},
		"weights without a run need none but":                                    {Imported{File: file, Space: space, Settings: []string{"seed=1"}}, o},
		"no encoder here fits it":                                                {Imported{File: filepath.Join("..", "graphs", "weights", "testdata", "values.safetensors"), Space: space}, o},
		"nowhere.pth":                                                            {Imported{File: "nowhere.pth", Space: space}, o},
	} {
		if _, err := ExportImported(t.Context(), nil, c.w, c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
