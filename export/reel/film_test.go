package reel_test

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/export/exporttest"
	"t2sda/export/reel"
	"t2sda/internal/ffmpeg/ffmpegtest"
)

// clip is a video of n frames, of which number k is all of class k%5.
func clip(n int) (frames string) {
	for k := range n {
		frames += ffmpegtest.PPM(4, 2, exporttest.Paint(halves(4, 2, uint8(k%5), uint8(k%5)), step).RGB())
	}
	return frames
}

// classes reads which classes the frames of 4×2 pixels of a fake video have.
func classes(t *testing.T, film string) (all []int) {
	t.Helper()
	const frame = 3 * 4 * 2
	if len(film)%frame != 0 {
		t.Fatalf("a film of %d bytes", len(film))
	}
	for at := 0; at < len(film); at += frame {
		class := -1
		for k, c := range exporttest.FiveClasses().Classes {
			if [3]byte([]byte(film[at:at+3])) == c.Color {
				class = k
			}
		}
		all = append(all, class)
	}
	return all
}

// colours are overlays of nothing but colours, from which classes can be told.
var colours = reel.Overlay{Opacity: 1}

// Each video becomes a folder of frames, and a video; images become one.
func TestVideos(t *testing.T) {
	ffmpegtest.Fake{Frames: clip(7)}.Use(t)
	p, dir := open(t, exporttest.Foreign{}), t.TempDir()
	for _, name := range []string{"b.mp4", "a.MOV"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for k := range 2 {
		write(t, filepath.Join(dir, fmt.Sprintf("%d.png", k)), exporttest.Paint(halves(4, 2, 3, 3), step).NRGBA())
	}
	var last [2]int
	out, sum := run(t, p, []string{filepath.Join(dir, "0.png"), filepath.Join(dir, "*.m*"), filepath.Join(dir, "a.MOV"), filepath.Join(dir, "1.png")}, reel.Options{
		Formats: []string{"trainids", "video", "rle"}, Overlay: colours, Batch: 3, Progress: func(done, total int) { last = [2]int{done, total} },
	})
	files := tree(t, out)
	if sum.Frames != 16 || !sum.Videos || sum.Files != 16+3+1 || len(files) != sum.Files {
		t.Errorf("%+v, %d files", sum, len(files))
	}
	if last != [2]int{16, 62} { // ffprobe had told of 30 frames each
		t.Errorf("progress ends with %v", last)
	}
	for name, want := range map[string]string{"images.mp4": "[3 3]", "b.mp4": "[0 1 2 3 4 0 1]", "a.mp4": "[0 1 2 3 4 0 1]"} {
		if have := fmt.Sprint(classes(t, files[filepath.Join("video", name)])); have != want {
			t.Errorf("%s: %v, want %v", name, have, want)
		}
	}
	if files[filepath.Join("trainids", "b", "000007.png")] == "" || !strings.Contains(files["rle.json"], `"file_name":"b/000007.png"`) {
		t.Error("a frame of a video is missing")
	}
}

// Frames of a video whose rate varies are shown from their own times to the next one's.
func TestVariableRate(t *testing.T) {
	variable := `{"streams":[{"avg_frame_rate":"12/1","r_frame_rate":"20/1","nb_frames":"5"}]}`
	for times, want := range map[string]string{
		"0 50 100 300 350":         "[0 1 2 2 2 2 3 4]",
		"20 70 71 120 170":         "[0 2 3 4]", // two within 1/20 s: one of them is shown
		"0 50 40 100 150":          "[0 2 3 4]", // one that goes back is no time at all
		"7000 7050 7100 7150 7200": "[0 1 2 3 4]",
	} {
		ffmpegtest.Fake{Frames: clip(5), Times: "# timecode format v2\n" + strings.ReplaceAll(times, " ", "\n") + "\n", Probe: variable}.Use(t)
		p, dir := open(t, exporttest.Foreign{}), t.TempDir()
		path := filepath.Join(dir, "v.mkv")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := run(t, p, []string{path}, reel.Options{Formats: []string{"video"}, Overlay: colours})
		if have := fmt.Sprint(classes(t, tree(t, out)["v.mp4"])); have != want {
			t.Errorf("%s: %s, want %s", times, have, want)
		}
	}
}

// A video replaces what a link leads to, not the link, and what a killed process has left of
// one goes.
func TestVideoReplaces(t *testing.T) {
	ffmpegtest.Fake{Frames: clip(2)}.Use(t)
	p, dir, out := open(t, exporttest.Foreign{}), t.TempDir(), t.TempDir()
	path, kept := filepath.Join(dir, "v.mp4"), filepath.Join(dir, "kept.mp4")
	for _, file := range []string{path, kept, filepath.Join(out, ".v.mp4.0123456789abcdef")} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(kept, filepath.Join(out, "v.mp4")); err != nil {
		t.Fatal(err)
	}
	if _, err := reel.Run(t.Context(), p, []string{path}, out, reel.Options{Formats: []string{"video"}, Overlay: colours, Force: true}); err != nil {
		t.Fatal(err)
	}
	film, err := os.ReadFile(kept)
	if have := fmt.Sprint(classes(t, string(film))); err != nil || have != "[0 1]" {
		t.Errorf("%s, %v", have, err)
	}
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) != 1 || entries[0].Type()&os.ModeSymlink == 0 {
		t.Errorf("there is %v, %v", entries, err)
	}
}

// What goes wrong with videos is named, and leaves no video.
func TestVideoErrors(t *testing.T) {
	p, dir := open(t, exporttest.Foreign{}), t.TempDir()
	path := filepath.Join(dir, "v.mp4")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	still := filepath.Join(dir, "s.png")
	write(t, still, exporttest.Paint(halves(6, 2, 3, 3), step).NRGBA())
	if err := os.WriteFile(filepath.Join(dir, "t.png"), []byte(tree(t, images(t, 1, false))["f_0.png"]), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		fake   ffmpegtest.Fake
		paths  []string
		want   string
		passed string // with KeepGoing; empty: an error all the same
	}{
		// What the program says may be heard before its frames or after them.
		"damaged":      {ffmpegtest.Fake{Frames: clip(3), Said: "[h264 @ 0x1] lost\n"}, []string{path}, "v.mp4 is damaged, ", "v.mp4 is damaged, 3 frames of it could be read: ffmpeg: h264: lost"},
		"fails":        {ffmpegtest.Fake{Frames: clip(3), Said: "gone\n", Code: 1}, []string{path}, "v.mp4", "v.mp4 after frame 3: ffmpeg: gone"},
		"no frames":    {ffmpegtest.Fake{}, []string{path}, "v.mp4 has no frames", "v.mp4 has no frames"},
		"no video":     {ffmpegtest.Fake{Probe: `{"streams":[]}`}, []string{path}, "v.mp4: it has no video", "v.mp4: it has no video"},
		"cannot write": {ffmpegtest.Fake{Frames: clip(3), Write: "cat > /dev/null; echo full >&2; exit 1"}, []string{path}, "v.mp4: ffmpeg: full", ""},
		"two sizes":    {ffmpegtest.Fake{}, []string{still, filepath.Join(dir, "t.png")}, "t.png has 12×8 pixels, and " + still + " 6×2: a video has one size", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.fake.Use(t)
			out := t.TempDir()
			o := reel.Options{Formats: []string{"video", "trainids"}, Overlay: colours}
			_, err := reel.Run(t.Context(), p, c.paths, out, o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			for file := range tree(t, out) {
				if strings.Contains(file, ".mp4") {
					t.Errorf("%s is left", file)
				}
			}
			o.KeepGoing = true
			sum, err := reel.Run(t.Context(), p, append(c.paths, still), t.TempDir(), o)
			switch {
			case c.passed == "" && err == nil:
				t.Error("no error with KeepGoing")
			case c.passed != "" && (err != nil || sum.Passed != 1 || !strings.Contains(sum.Faults[0].Error(), c.passed)):
				t.Errorf("%v, %+v, want %q", err, sum, c.passed)
			}
		})
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := reel.Run(t.Context(), p, []string{path}, t.TempDir(), reel.Options{}); err == nil || !strings.Contains(err.Error(), "is not on PATH: install it") {
		t.Error(err)
	}
	if _, err := reel.Run(t.Context(), p, []string{still}, t.TempDir(), reel.Options{}); err != nil {
		t.Errorf("images need no ffmpeg: %v", err)
	}
}

// Inputs that would become one file are refused, whichever comes first.
func TestClashes(t *testing.T) {
	ffmpegtest.Fake{Frames: clip(2)}.Use(t)
	p, dir := open(t, exporttest.Foreign{}), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	if err := os.Mkdir(file("drive"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"images.mp4", "drive.mp4", "sub.mov", "sub.mp4"} {
		if err := os.WriteFile(file(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.png", "drive/000002.png", "drive/a.png"} {
		write(t, file(name), exporttest.Paint(halves(4, 2, 3, 3), step).NRGBA())
	}
	for _, c := range []struct {
		format string
		inputs []string
		want   string
	}{
		{"video", []string{"a.png", "images.mp4"}, "would both become"},
		{"video", []string{"images.mp4", "a.png"}, "would both become"},
		{"trainids", []string{"sub.mov", "sub.mp4"}, "would both become"},
		{"trainids", []string{"", "drive.mp4"}, "drive/000002.png and a frame of "},
		{"trainids", []string{"drive.mp4", "images.mp4", "a.png", "drive/a.png"}, ""},
	} {
		var paths []string
		for _, name := range c.inputs {
			paths = append(paths, file(name))
		}
		out := t.TempDir()
		_, err := reel.Run(t.Context(), p, paths, out, reel.Options{Formats: []string{c.format}})
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || len(tree(t, out)) > 0) {
			t.Errorf("%s of %v: %v, want %q", c.format, c.inputs, err, c.want)
		}
	}
}

// With the programs of this machine: a video of streets goes in, and its overlay comes out
// with as many frames.
func TestRealVideo(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not on PATH: no video is made for real")
	}
	p, dir := open(t, exporttest.Foreign{}), t.TempDir()
	for k, img := range noise(6, 47, 33) {
		write(t, filepath.Join(dir, fmt.Sprintf("n_%03d.png", k)), img.NRGBA())
	}
	out, _ := run(t, p, []string{filepath.Join(dir, "n_%03d.png")}, reel.Options{Formats: []string{"video"}, Overlay: reel.Overlay{Opacity: 0.5}, FPS: 12.5})
	film := filepath.Join(out, "images.mp4")
	again, sum := run(t, p, []string{film}, reel.Options{Formats: []string{"video", "overlay"}, Overlay: colours})
	if sum.Frames != 6 || sum.Files != 7 {
		t.Errorf("%+v", sum)
	}
	frame, err := os.ReadFile(filepath.Join(again, "overlay", "images", "000006.png"))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(frame)); err != nil || c.Width != 48 || c.Height != 34 {
		t.Errorf("%+v, %v", c, err)
	}
	told, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries", "stream=nb_frames,avg_frame_rate,width", "-of", "csv=p=0", filepath.Join(again, "video", "images.mp4")).Output()
	if err != nil && !errors.Is(err, exec.ErrNotFound) || strings.TrimSpace(string(told)) != "48,25/2,6" {
		t.Errorf("%q, %v", told, err)
	}
}
