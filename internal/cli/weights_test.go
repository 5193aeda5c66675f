package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fetch"
)

const nanoFile = "../../graphs/weights/pretrained/mit_nano.safetensors"

// TestWeightsShow tells what a file holds, to people and as JSON.
func TestWeightsShow(t *testing.T) {
	out := filepath.Join(t.TempDir(), "w.json")
	wantText(t, succeed(t, "weights", "show", nanoFile, "--json", out),
		"a Mix Transformer of 16·32·64·128 channels and 1·2·2·2 blocks", "fits      model.encoder=mit_nano", "backbone.patch_embed1.proj.weight")
	var s shownWeights
	readJSON(t, out, &s)
	if !slices.Equal(s.Encoders, []string{"mit_nano"}) || len(s.Tensors) != 156 || s.Form != "safetensors" {
		t.Errorf("%v, %d tensors, %s", s.Encoders, len(s.Tensors), s.Form)
	}
	wantText(t, succeed(t, "weights", "show", "../../graphs/weights/testdata/checkpoint.pth"),
		"models    state_dict.model, state_dict.ema_model", "argparse.Namespace", "PyTorch, ZIP archive")
	fail(t, exitFailure, "no such file", "weights", "show", "none.pth")
}

// TestWeightsFetch prints the cached file, or writes it, with and without a cache, and
// lists what there is.
func TestWeightsFetch(t *testing.T) {
	nano, err := os.ReadFile(nanoFile)
	if err != nil {
		t.Fatal(err)
	}
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nano) }))
	defer hub.Close()
	t.Setenv("HF_ENDPOINT", hub.URL)
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	file := strings.TrimSpace(succeed(t, "weights", "fetch", "mit_b0"))
	if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, nano) {
		t.Errorf("%q: %d bytes, %v", file, len(have), err)
	}
	out := filepath.Join(dir, "list.json")
	wantText(t, succeed(t, "weights", "list", "--json", out), "mit_b0                                        mit_b0    14 MB     yes",
		"mit_b0, mit_b1, mit_b2, mit_b3, mit_b4, mit_b5\n  origin   NVIDIA's", "licence  NVIDIA Source Code License")
	var known []fetch.Known
	readJSON(t, out, &known)
	for _, k := range known {
		if want := k.Name == "mit_b0"; (k.Cached == file) != want {
			t.Errorf("%s: cached %q", k.Name, k.Cached)
		}
	}

	t.Setenv("XDG_CACHE_HOME", filepath.Join(file, "cache"))
	fail(t, exitFailure, "weights cannot be cached", "weights", "fetch", "mit_b1")
	out = filepath.Join(dir, "out.safetensors")
	wantText(t, succeed(t, "weights", "fetch", "fetch:mit_b1", "--out", out), "train with model.init="+out)
	if have, err := os.ReadFile(out); err != nil || !bytes.Equal(have, nano) {
		t.Errorf("%d bytes, %v", len(have), err)
	}
	fail(t, exitFailure, `no weights are called "b7"`, "weights", "fetch", "b7")
}

// TestWeightsImport takes a file under public names and refuses what does not fit.
func TestWeightsImport(t *testing.T) {
	dir := t.TempDir()
	ours, _, err := weights.Load(nanoFile)
	if err != nil {
		t.Fatal(err)
	}
	public, _, err := weights.Rename("hf", ours)
	if err != nil {
		t.Fatal(err)
	}
	given, out := filepath.Join(dir, "hf.safetensors"), filepath.Join(dir, "ours.safetensors")
	if err := weights.Save(given, public, nil); err != nil {
		t.Fatal(err)
	}
	wantText(t, succeed(t, "weights", "import", given, "--out", out, "--json", filepath.Join(dir, "r.json")),
		"as mit_nano: names hf", "156 tensors match", "model.init="+out)
	back, _, err := weights.Load(out)
	if err != nil || len(back) != len(ours) {
		t.Fatalf("%d tensors, %v", len(back), err)
	}
	var r weights.Found
	readJSON(t, filepath.Join(dir, "r.json"), &r)
	if r.Convention != "hf" || len(r.Matched) != 156 {
		t.Errorf("%s, %d match", r.Convention, len(r.Matched))
	}

	fail(t, exitFailure, "is not mit_b0: 20 are missing", "weights", "import", given, "--encoder", "mit_b0")
	fail(t, exitFailure, "is not mit_nano with head segformer for 19 classes: 15 are missing", "weights", "import", given, "--head", "segformer")
	succeed(t, "weights", "import", given, "--head", "segformer", "--allow", "missing")
	fail(t, exitFailure, "nothing in it fits mit_b0: the file holds a network that is not known here", "weights", "import", "../../graphs/weights/testdata/module.pth", "--encoder", "mit_b0")
	fail(t, exitFailure, "no encoder here fits it", "weights", "import", "../../graphs/weights/testdata/module.pth")
	fail(t, exitFailure, `there is no part "ema" in it; there is ""`, "weights", "import", given, "--part", "ema")
	fail(t, exitFailure, "is not mit_b5 with head daformer", "weights", "import", given, "-c", "gta5-cityscapes")
	for _, flag := range []string{"--head-width=64", "--classes=11", "--dilations=6,12"} {
		fail(t, exitUsage, "is for --head, and without that the network is the encoder alone", "weights", "import", given, flag)
	}
	fail(t, exitUsage, "--head-width: the configuration says it", "weights", "import", given, "-c", "streets", "--head-width=64")
	fail(t, exitUsage, "--stem is for --encoder", "weights", "import", given, "--stem", "plain")
	fail(t, exitUsage, `--allow "all": want some of missing, unexpected, shape`, "weights", "import", given, "--allow", "all")
	fail(t, exitUsage, `encoder "b7" does not exist`, "weights", "import", given, "--encoder", "b7")
	fail(t, exitUsage, `head "fcn" does not exist`, "weights", "import", given, "--head", "fcn")
}

// TestWeightsExport writes a run's weights under public names; what comes back is
// what the checkpoint holds.
func TestWeightsExport(t *testing.T) {
	enginetest.Isolate(t)
	dir := t.TempDir()
	t.Chdir(dir)
	succeed(t, withTiny("train", "method=source-only", "output=runs")...)
	run := filepath.Join("runs", "streets")
	wantText(t, succeed(t, "weights", "export", "--run", run, "--names", "hf", "--out", "hf.safetensors"), "185 tensors of the student's, iteration 2")
	succeed(t, "weights", "import", "hf.safetensors", "--head", "segformer", "--head-width", "16", "--out", "back.safetensors")
	back, _, err := weights.Load("back.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := weights.Load(filepath.Join(run, "checkpoints", "iter_000002", "student.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for _, b := range back {
		i := slices.IndexFunc(want, func(w weights.Tensor) bool { return w.Name == b.Name })
		if i >= 0 && slices.Equal(want[i].Data, b.Data) && slices.Equal(want[i].Shape, b.Shape) {
			same++
		}
	}
	if same != len(back) || same != len(want) {
		t.Errorf("%d of %d tensors are the checkpoint's, which has %d", same, len(back), len(want))
	}
	f, err := weights.Open("hf.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if m := f.Metadata(); m["format"] != "pt" || m["encoder"] != "mit_nano" || m["iteration"] != "2" {
		t.Errorf("metadata %v", m)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	fail(t, exitFailure, "torchvision has no names for this network; there are ours, original, hf", "weights", "export", "--run", run, "--names", "torchvision", "--out", "x")
	fail(t, exitUsage, `--names "keras": want one of ours, `, "weights", "export", "--run", run, "--names", "keras", "--out", "x")
	if _, err := os.Stat("x"); err == nil {
		t.Error("something was written")
	}
}
