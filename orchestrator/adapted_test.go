package orchestrator

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fit"
	"t2sda/internal/rng"
)

// encoderFile writes random weights of an encoder under public names.
func encoderFile(t *testing.T, encoder, names string) string {
	t.Helper()
	infos, err := fit.Encoder(encoder, "")
	if err != nil {
		t.Fatal(err)
	}
	var all []weights.Tensor
	for _, info := range infos {
		x := weights.Tensor{Name: info.Name, Shape: info.Shape}
		r := rng.New(5, 0, info.Name)
		x.Data = make([]float32, x.Size())
		for i := range x.Data {
			x.Data[i] = float32(0.1 * r.NormFloat64())
			if len(x.Shape) == 1 && !strings.HasSuffix(x.Name, ".bias") {
				x.Data[i]++
			}
		}
		all = append(all, x)
	}
	public, _, err := weights.Rename(names, all)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), encoder+".safetensors")
	if err := weights.Save(path, public, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func adaptedConfig(t *testing.T, way string) configs.Config {
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Method, c.Train.EvalEvery, c.Train.LR = configs.T2S, 0, 1e-2
	c.Model.Encoder, c.Model.Init, c.Model.EncoderTrain, c.Model.LoRA.Rank = "dinov2_nano", encoderFile(t, "dinov2_nano", "hf"), way, 4
	return c
}

// TestRunAdapted trains adapters of a DINOv2 end to end, by all terms: the run that is
// resumed equals the uninterrupted one, checkpoints hold what they need, the exported
// model agrees with the network, and of the adapters nothing is left in what is given
// away.
func TestRunAdapted(t *testing.T) {
	enginetest.Isolate(t)
	c := adaptedConfig(t, configs.TrainLoRA)
	dir, _ := train(t, c)
	stopAfter(t, c, " 3/6 ")
	out, err := Run(t.Context(), c, Options{Log: zap.NewNop(), Out: quiet().Out, Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lossLines(t, dir), lossLines(t, out.Dir); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\nresumed:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	if out.Agreement < 0.999 {
		t.Errorf("the exported model agrees with the network on %g of the pixels", out.Agreement)
	}
	checkpoint := filepath.Join(out.Dir, checkpointDir, "iter_000006")
	for file, want := range map[string]struct {
		prefix string
		base   bool
	}{studentFile: {"", true}, teacherFile: {"", false}, optimFile: {"m/", false}} {
		names := namesIn(t, filepath.Join(checkpoint, file))
		adapter, base := want.prefix+"backbone.blocks.3.attn.v.lora_B.weight", want.prefix+"backbone.blocks.3.attn.qkv.weight"
		if !slices.Contains(names, adapter) || slices.Contains(names, base) != want.base {
			t.Errorf("%s holds %v", file, names)
		}
	}
	plain := givenAway(t, out.Dir, Student)
	teacher := givenAway(t, out.Dir, Teacher)
	const adapted = "backbone.blocks.0.attn.qkv.weight"
	if start := namedIn(t, c.Model.Init, plain); slices.Equal(plain[adapted], start[adapted]) || slices.Equal(plain[adapted], teacher[adapted]) {
		t.Error("adapters are not in the weights that are given away")
	}
	c.Model.Init, c.Model.EncoderTrain, c.Name = filepath.Join(checkpoint, studentFile), "", "whole"
	if _, err := Run(t.Context(), c, quiet()); err == nil || !strings.Contains(err.Error(), "The file holds low-rank adapters beside their weights") {
		t.Errorf("a network without adapters starts from adapted weights: %v", err)
	}
}

// givenAway returns a run's weights as `weights export` has them, under our names.
func givenAway(t *testing.T, run, which string) map[string][]float32 {
	t.Helper()
	n, err := OpenNetwork(run, "last", which)
	if err != nil {
		t.Fatal(err)
	}
	tensors, err := n.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for _, x := range tensors {
		if strings.Contains(x.Name, "lora") {
			t.Errorf("%s is given away", x.Name)
		}
		out[x.Name] = x.Data
	}
	return out
}

// namedIn returns the file's tensors of the wanted names.
func namedIn(t *testing.T, path string, want map[string][]float32) map[string][]float32 {
	t.Helper()
	infos, err := fit.Encoder("dinov2_nano", "")
	if err != nil {
		t.Fatal(err)
	}
	tensors, _, err := weights.Start(path, infos, weights.IsRequired, fit.Encoders)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for _, x := range tensors {
		if want[x.Name] != nil {
			out[x.Name] = x.Data
		}
	}
	return out
}

func namesIn(t *testing.T, path string) []string {
	t.Helper()
	tensors, _, err := weights.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range tensors {
		names = append(names, x.Name)
	}
	return names
}

// TestRunFrozen trains the linear head of a frozen DINOv2: its weights stay those of
// model.init.
func TestRunFrozen(t *testing.T) {
	enginetest.Isolate(t)
	c := adaptedConfig(t, configs.TrainFrozen)
	c.Model.Head, c.Train.Iterations = "linear", 3
	out, err := Run(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if out.Agreement < 0.999 {
		t.Errorf("the exported model agrees with the network on %g of the pixels", out.Agreement)
	}
	for _, which := range []string{Student, Teacher} {
		have := givenAway(t, out.Dir, which)
		for name, start := range namedIn(t, c.Model.Init, have) {
			if !slices.Equal(have[name], start) {
				t.Errorf("%s: %s has changed", which, name)
			}
		}
	}
}
