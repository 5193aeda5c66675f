package orchestrator

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
)

// TestFetchedInit: a run that fetches what it starts from is the run that starts from
// the same file. It goes on from a checkpoint without network and cache, unless its
// loss compares with the initial weights.
func TestFetchedInit(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	nano, err := os.ReadFile("../graphs/weights/pretrained/mit_nano.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nano) }))
	defer hub.Close()
	t.Setenv("HF_ENDPOINT", hub.URL)

	c := shapesConfig(root, t.TempDir())
	c.Model.Init, c.Train.EvalEvery = "mit_nano", 0
	want, _ := train(t, c)
	c.Model.Init = configs.FetchPrefix + "hf:o/nano"
	plain := c
	plain.Output = t.TempDir()
	stopAfter(t, plain, " 3/6 ")
	near := c
	near.Output = t.TempDir()
	near.Loss.FeatureDistance = configs.FeatureDistance{Weight: 0.05, Classes: []string{"box"}, Ratio: 0.3}
	stopAfter(t, near, " 3/6 ")

	hub.Close()
	if err := os.RemoveAll(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "t2sda", "weights")); err != nil {
		t.Fatal(err)
	}
	resume := quiet()
	resume.Resume = true
	got, err := Run(t.Context(), plain, resume)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lossLines(t, want), lossLines(t, got.Dir); !slices.Equal(a, b) {
		t.Errorf("from the file:\n%s\nfetched and resumed:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	_, err = Run(t.Context(), near, resume)
	wantText(t, err, "model.init: the run goes on from its checkpoint, but loss.feature_distance compares with the weights that it began from: weights hf:o/nano: ask ", "put it as model.safetensors into ")
	c.Output = t.TempDir()
	_, err = Run(t.Context(), c, quiet())
	wantText(t, err, "model.init: weights hf:o/nano: ask ", "Without a network here: fetch "+hub.URL+"/o/nano/resolve/main/model.safetensors")
	c.Model.Init = "fetch:nano"
	_, err = Run(t.Context(), c, quiet())
	wantText(t, err, `model.init: no weights are called "nano": want one of `)
}

func wantText(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("error %v\nlacks %s", err, p)
		}
	}
}

// TestFetchedWithoutCache: where the cache takes no files, the weights are fetched for
// the run alone, with a warning.
func TestFetchedWithoutCache(t *testing.T) {
	nano, err := os.ReadFile("../graphs/weights/pretrained/mit_nano.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nano) }))
	defer hub.Close()
	t.Setenv("HF_ENDPOINT", hub.URL)
	cache := filepath.Join(t.TempDir(), "file")
	writeFile(t, cache, "")
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("TMPDIR", t.TempDir())
	c := configs.Default()
	c.Model.Init = "fetch:hf:o/nano"
	core, logs := observer.New(zap.InfoLevel)
	s, err := findStart(t.Context(), c, t.TempDir(), zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile(s.file); err != nil || !slices.Equal(have, nano) {
		t.Errorf("%s: %d bytes, %v", s.file, len(have), err)
	}
	if logs.FilterMessageSnippet("model.init is fetched for this run only: weights cannot be cached").Len() != 1 {
		t.Errorf("logged %v", logs.All())
	}
	if err := s.remove(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
