package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"t2sda/export/exporttest"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/ffmpeg/ffmpegtest"
)

// TestPredictFormats writes all that can be written, and refuses flags that none of the
// formats reads.
func TestPredictFormats(t *testing.T) {
	enginetest.Isolate(t)
	ffmpegtest.Fake{}.Use(t)
	s := exporttest.NewSet(t)
	for _, name := range []string{"f_2", "f_10"} {
		s.Add(name, exporttest.Paint(stripes(20, 10, 5), 40), nil)
	}
	s.File("ids.yaml", []byte(strings.ReplaceAll(exporttest.FiveMap, "ids: [", "ids: [7")))
	model := exporttest.Foreign{Classes: 5, Step: 40, FreeBatch: true, FreeShape: true}.File(t)
	predict := func(more ...string) []string {
		return append([]string{"predict", "--model", model, "--device", "cpu", "--labels", filepath.Join(s.Root, "map.yaml"), filepath.Join(s.Root, "images", "f_%d.png")}, more...)
	}
	out := filepath.Join(t.TempDir(), "seen")
	text := succeed(t, predict("--out", out, "--format", "overlay,labelids,confidence,probabilities,rle,panoptic,video", "--map", filepath.Join(s.Root, "ids.yaml"),
		"--array", "npz", "--array-type", "float16", "--contours", "1", "--opacity", "0.25", "--batch", "2", "--fps", "5")...)
	if !regexp.MustCompile(`^2 pictures in .*/seen, [0-9.e+]+ a second\n$`).MatchString(text) {
		t.Errorf("printed %q", text)
	}
	for _, file := range []string{"overlay/f_2.png", "labelids/f_10.png", "confidence/f_2.png", "probabilities/f_2.npz", "panoptic/f_2.png", "panoptic.json", "rle.json", "video/images.mp4"} {
		if _, err := os.Stat(filepath.Join(out, filepath.FromSlash(file))); err != nil {
			t.Error(err)
		}
	}
	json, err := os.ReadFile(filepath.Join(out, "rle.json"))
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, string(json), `"categories":[{"id":70,"name":"road"`, `f_2.png","width":20,"height":10},`)
	if strings.Index(string(json), "f_2.png") > strings.Index(string(json), "f_10.png") {
		t.Error("frame 10 comes before frame 2")
	}
	fail(t, exitFailure, "is there already: --force replaces it", predict("--out", out, "--format", "overlay,rle")...)
	succeed(t, predict("--out", out, "--format", "overlay,rle", "--force")...)

	other := []string{"--out", t.TempDir()}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "--opacity is for --format overlay, video only", []string{"--format", "rle", "--opacity", "1"}},
		{exitUsage, "--fps is for --format video only", []string{"--fps", "5"}},
		{exitUsage, `--array "h5": want npy or npz`, []string{"--format", "probabilities", "--array", "h5"}},
		{exitUsage, `--array-type "int8": want float32 or float16`, []string{"--format", "probabilities", "--array-type", "int8"}},
		{exitUsage, "--batch 0: want 1 or more", []string{"--batch", "0"}},
		{exitUsage, "--fps 0: want more than 0", []string{"--format", "video", "--fps", "0"}},
		{exitFailure, "opacity 1.5: want 0 to 1", []string{"--opacity", "1.5"}},
		{exitFailure, `format "heat" is none of overlay,`, []string{"--format", "heat"}},
		{exitFailure, "make several runs of each image already", []string{"--batch", "2", "--flip"}},
		{exitFailure, "nowhere.mp4", []string{"nowhere.mp4"}},
	} {
		fail(t, c.code, c.want, append(predict(c.args...), other...)...)
	}
	t.Setenv("PATH", t.TempDir())
	fail(t, exitFailure, "by the program ffmpeg, which is not on PATH: install it", append(predict("--format", "video"), other...)...)
}
