package ffmpeg

import (
	"bufio"
	"errors"
	"io"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/ffmpeg/ffmpegtest"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		told string
		want Info
	}{
		"constant":         {`{"streams":[{"avg_frame_rate":"30000/1001","r_frame_rate":"30000/1001","nb_frames":"90"}]}`, Info{Rate: Rate{30000, 1001}, Frames: 90}},
		"length only":      {`{"streams":[{"avg_frame_rate":"25/1","r_frame_rate":"25/1"}],"format":{"duration":"2.02"}}`, Info{Rate: Rate{25, 1}, Frames: 51}},
		"nearly constant":  {`{"streams":[{"avg_frame_rate":"2990/100","r_frame_rate":"30/1","nb_frames":"9"}]}`, Info{Rate: Rate{2990, 100}, Frames: 9}},
		"variable":         {`{"streams":[{"avg_frame_rate":"400/19","r_frame_rate":"30/1","nb_frames":"80"}]}`, Info{Rate: Rate{30, 1}, Variable: true, Frames: 80}},
		"variable, finely": {`{"streams":[{"avg_frame_rate":"2337/100","r_frame_rate":"90000/1","nb_frames":"N/A"}]}`, Info{Rate: Rate{24, 1}, Variable: true}},
		"fields":           {`{"streams":[{"avg_frame_rate":"25/1","r_frame_rate":"50/1"}]}`, Info{Rate: Rate{50, 1}, Variable: true}},
		"no mean":          {`{"streams":[{"avg_frame_rate":"0/0","r_frame_rate":"25/2","duration":"8"}]}`, Info{Rate: Rate{25, 2}}},
		"nothing":          {`{"streams":[{}]}`, Info{Rate: Rate{25, 1}}},
	} {
		have, err := parse([]byte(c.told))
		if diff := cmp.Diff(c.want, have); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for told, want := range map[string]string{`{"streams":[]}`: "no video", `<`: "not understood"} {
		if _, err := parse([]byte(told)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", told, err, want)
		}
	}
}

func TestPassing(t *testing.T) {
	for version, want := range map[string]string{
		"ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright": "-vsync",
		"ffmpeg version n5.0 Copyright":                   "-vsync",
		"ffmpeg version 5.1.9-0+deb12u1 Copyright":        "-fps_mode",
		"ffmpeg version 8.0 Copyright":                    "-fps_mode",
		"ffmpeg version N-110223-gb18a9c2971 Copyright":   "-fps_mode",
	} {
		if have := passing(version)[0]; have != want {
			t.Errorf("%s: %s, want %s", version, have, want)
		}
	}
}

// What programs say is told by its last line, the same at every run.
func TestLastWords(t *testing.T) {
	for said, want := range map[string]string{
		"":                      "",
		"one\ntwo\n\n":          "two",
		"frame= 1\rno end":      "no end",
		"x\n\xff\n":             "?",
		"[h264 @ 0x55a] lost\n": "h264: lost",
		"[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] lost": "dec:h264: lost",
		"Unknown encoder 'x'":                         "Unknown encoder 'x' (--encoder names another one, ffmpeg -encoders lists them)",
	} {
		w := &lastWords{}
		for _, b := range []byte(said) { // however it comes
			_, _ = w.Write([]byte{b})
		}
		if have := w.text(); have != want {
			t.Errorf("%q: %q, want %q", said, have, want)
		}
	}
	w := &lastWords{}
	_, _ = w.Write([]byte(strings.Repeat("x", 10*longest)))
	if len(w.text()) != longest {
		t.Errorf("%d bytes are kept", len(w.text()))
	}
}

func TestEvened(t *testing.T) {
	dst := make([]byte, 3*4*2)
	evened(dst, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, 3, 1)
	row := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 8, 9}
	if !slices.Equal(dst, slices.Concat(row, row)) {
		t.Errorf("%v", dst)
	}
}

func TestReadHead(t *testing.T) {
	for text, want := range map[string]error{"": io.EOF, "P6\n3 2\n": io.ErrUnexpectedEOF, "P6\n3": io.ErrUnexpectedEOF} {
		if _, _, err := readHead(bufio.NewReader(strings.NewReader(text))); !errors.Is(err, want) || want != io.EOF && errors.Is(err, io.EOF) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	if w, h, err := readHead(bufio.NewReader(strings.NewReader("P6\n3 2\n255\n"))); w != 3 || h != 2 || err != nil {
		t.Errorf("%d×%d, %v", w, h, err)
	}
	for _, text := range []string{"P5\n3 2\n255\n", "P6\n3\n255\n", "P6\n-3 2\n255\n", "P6\n3 2\n65535\n"} {
		if _, _, err := readHead(bufio.NewReader(strings.NewReader(text))); err == nil || !strings.Contains(err.Error(), "a picture begins with") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// find looks for the tools that are on PATH.
func find(t *testing.T) *Tools {
	t.Helper()
	tools, err := Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tools
}

// frames reads a video to its end.
func frames(t *testing.T, tools *Tools, path string, timed bool) (all []Frame, err error) {
	t.Helper()
	r, err := tools.Read(t.Context(), path, timed)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, f)
	}
}

func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(t.Context()); err == nil || !strings.Contains(err.Error(), "which is not on PATH: install it") {
		t.Error(err)
	}
}

// What goes wrong in the programs is said with their own last line.
func TestFailures(t *testing.T) {
	picture := ffmpegtest.PPM(2, 1, []byte("abcdef"))
	for name, c := range map[string]struct {
		fake   ffmpegtest.Fake
		timed  bool
		frames int
		want   string
	}{
		"good":             {ffmpegtest.Fake{Frames: picture + picture}, false, 2, ""},
		"with times":       {ffmpegtest.Fake{Frames: picture + picture, Times: "# timecode format v2\n0\n40\n"}, true, 2, ""},
		"fails":            {ffmpegtest.Fake{Frames: picture, Code: 1, Said: "first\n[mov @ 0x5] moov atom not found\n"}, false, 1, "ffmpeg: mov: moov atom not found"},
		"fails in silence": {ffmpegtest.Fake{Code: 3}, false, 0, "ffmpeg: exit status 3"},
		"no picture":       {ffmpegtest.Fake{Frames: "GIF89a\nx\ny\n"}, false, 0, "what it gives is not understood: a picture begins with"},
		"no lines":         {ffmpegtest.Fake{Frames: strings.Repeat("x", 3<<20)}, false, 0, "not understood: a picture begins with"},
		"cut off":          {ffmpegtest.Fake{Frames: picture + picture[:14]}, false, 1, "not understood: unexpected EOF"},
		"too large":        {ffmpegtest.Fake{Frames: "P6\n100000 100000\n255\n"}, false, 0, "pixels"},
		"times are none":   {ffmpegtest.Fake{Frames: picture, Times: "soon\n"}, true, 0, `a time is "soon"`},
		"too few times":    {ffmpegtest.Fake{Frames: picture + picture, Times: "0\n"}, true, 1, "fewer times than frames"},
	} {
		t.Run(name, func(t *testing.T) {
			c.fake.Use(t)
			have, err := frames(t, find(t), "x.mp4", c.timed)
			if len(have) != c.frames || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d frames, %v; want %d, %q", len(have), err, c.frames, c.want)
			}
			if c.timed && err == nil && have[1].Time != 0.04 {
				t.Errorf("times %v, %v", have[0].Time, have[1].Time)
			}
		})
	}
	ffmpegtest.Fake{Probe: "echo first >&2; echo 'x.mp4: Invalid data' >&2; exit 1"}.Use(t)
	if _, err := find(t).Probe(t.Context(), "x.mp4"); err == nil || err.Error() != "x.mp4 cannot be read: ffprobe: x.mp4: Invalid data" {
		t.Error(err)
	}
	ffmpegtest.Fake{Write: "head -c 1 > /dev/null; echo 'No space left on device' >&2; exit 1"}.Use(t)
	v, err := find(t).Write(t.Context(), filepath.Join(t.TempDir(), "v.mp4"), 640, 480, Rate{25, 1}, Encoder)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil { // until its pipe is full
		err = v.Add(make([]byte, 3*640*480))
	}
	if !strings.Contains(err.Error(), "ffmpeg: No space left on device") {
		t.Error(err)
	}
	v.Abort() // again
}

// installed returns the programs of this machine.
func installed(t *testing.T) *Tools {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not on PATH: videos are not made and read for real")
	}
	tools := find(t)
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-hide_banner", "-encoders").Output(); err != nil || !strings.Contains(string(out), Encoder) {
		t.Skip("this ffmpeg has no encoder " + Encoder)
	}
	return tools
}

// record makes a video with ffmpeg itself.
func record(t *testing.T, path string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", append(append([]string{"-v", "error", "-y"}, args...), path)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// A video that is written is read again: as many frames, in order, of even size, in their
// colours as far as H.264 keeps them.
func TestRoundTrip(t *testing.T) {
	tools := installed(t)
	const w, h, n = 63, 41, 12
	path := filepath.Join(t.TempDir(), "-i 50% off.mp4") // neither an option nor a pattern
	v, err := tools.Write(t.Context(), path, w, h, Rate{30000, 1001}, Encoder)
	if err != nil {
		t.Fatal(err)
	}
	colour := func(k int) [3]byte { return [3]byte{byte(20 * k), 200, byte(240 - 20*k)} }
	for k := range n {
		c := colour(k)
		if err := v.Add([]byte(strings.Repeat(string(c[:]), w*h))); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Finish(); err != nil {
		t.Fatal(err)
	}
	v.Abort() // does nothing any more
	info, err := tools.Probe(t.Context(), path)
	if diff := cmp.Diff(Info{Rate: Rate{30000, 1001}, Frames: n}, info); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	all, err := frames(t, tools, path, false)
	if err != nil || len(all) != n {
		t.Fatalf("%d frames, %v", len(all), err)
	}
	for k, f := range all {
		if f.W != w+1 || f.H != h+1 {
			t.Fatalf("frame %d has %d×%d pixels", k, f.W, f.H)
		}
		for i, want := range colour(k) {
			if have := f.Pix[len(f.Pix)-3+i]; math.Abs(float64(have)-float64(want)) > 6 {
				t.Errorf("frame %d: colour %v, want %v", k, f.Pix[len(f.Pix)-3:], colour(k))
				break
			}
		}
	}
}

// Frames come upright, and with their own times where these vary.
func TestUprightAndTimed(t *testing.T) {
	tools, dir := installed(t), t.TempDir()
	plain, turned, varied := filepath.Join(dir, "plain.mp4"), filepath.Join(dir, "turned.mov"), filepath.Join(dir, "varied.mp4")
	source := []string{"-f", "lavfi", "-i", "testsrc=size=64x48:rate=30:duration=1"}
	record(t, plain, append(source, "-pix_fmt", "yuv420p")...)
	record(t, turned, "-i", plain, "-c", "copy", "-metadata:s:v:0", "rotate=90")
	record(t, varied, append(source, "-vf", "select='not(mod(n,3))+lt(n,10)'", tools.pass[0], "vfr", "-pix_fmt", "yuv420p")...)
	all, err := frames(t, tools, turned, false)
	if err == nil && all[0].W == 64 { // later versions are told otherwise
		record(t, turned, "-display_rotation", "90", "-i", plain, "-c", "copy")
		all, err = frames(t, tools, turned, false)
	}
	if err != nil || len(all) != 30 || all[0].W != 48 || all[0].H != 64 {
		t.Fatalf("%d frames, %v", len(all), err)
	}
	info, err := tools.Probe(t.Context(), varied)
	if err != nil || !info.Variable || info.Rate != (Rate{30, 1}) {
		t.Errorf("%+v, %v", info, err)
	}
	if all, err = frames(t, tools, varied, true); err != nil || len(all) != 16 {
		t.Fatalf("%d frames, %v", len(all), err)
	}
	for k, f := range all {
		n := k // of the 30
		if k >= 10 {
			n = 3 * (k - 6)
		}
		if math.Abs(f.Time-float64(n)/30) > 0.002 {
			t.Errorf("frame %d is shown at %v, want %v", k, f.Time, float64(n)/30)
		}
	}
}

// A reader that is closed in the middle ends its program.
func TestCloseEarly(t *testing.T) {
	picture := ffmpegtest.PPM(64, 64, make([]byte, 3*64*64))
	ffmpegtest.Fake{Frames: strings.Repeat(picture, 1000)}.Use(t)
	r, err := find(t).Read(t.Context(), "x.mp4", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if r.cmd.ProcessState == nil {
		t.Error("it still runs")
	}
}
