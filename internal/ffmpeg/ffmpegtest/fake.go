// Package ffmpegtest puts programs in the place of ffmpeg and ffprobe, for tests of what
// surrounds them. Only tests import it.
package ffmpegtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Fake says what the programs do. All is given as it is to be written.
type Fake struct {
	Version string // empty: of a release that is not old
	Probe   string // ffprobe's answer; empty: thirty frames at a constant 10 a second
	Frames  string // what is read of a video: [PPM] pictures
	Times   string // when they are shown, a line of milliseconds for each
	Said    string // by ffmpeg, on standard error, before the frames
	Code    int    // exit code of ffmpeg after the frames
	Write   string // shell commands that write a video; empty: the frames' bytes, one after the other
}

const script = `#!/bin/sh
for last; do :; done
case " $* " in
*" -version "*)
	cat '%[1]s/version' ;;
*" rawvideo "*)
	%[2]s ;;
*)
	cat '%[1]s/said' >&2
	case "$last" in pipe:3) cat '%[1]s/times' >&3 ;; esac
	cat '%[1]s/frames'
	exit %[3]d ;;
esac
`

// Use puts the programs on PATH, before all others, for the time of the test.
func (f Fake) Use(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	if f.Version == "" {
		f.Version = "ffmpeg version 7.1 Copyright\n"
	}
	if f.Probe == "" {
		f.Probe = `{"streams":[{"avg_frame_rate":"10/1","r_frame_rate":"10/1","nb_frames":"30"}]}`
	}
	if f.Write == "" {
		f.Write = `cat > "${last#file:}"`
	}
	probe := "#!/bin/sh\n" + f.Probe
	if strings.HasPrefix(f.Probe, "{") {
		probe = "#!/bin/sh\ncat <<'E'\n" + f.Probe + "\nE\n"
	}
	for name, text := range map[string]string{
		"version": f.Version, "said": f.Said, "frames": f.Frames, "times": f.Times,
		"ffmpeg": fmt.Sprintf(script, dir, f.Write, f.Code), "ffprobe": probe,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// PPM is a picture of w × h pixels as ffmpeg writes it, of packed RGB.
func PPM(w, h int, pix []byte) string { return fmt.Sprintf("P6\n%d %d\n255\n%s", w, h, pix) }
