// Package ffmpeg reads the frames of videos, and writes videos of frames, through the
// programs ffmpeg and ffprobe: raw pictures go through pipes.
package ffmpeg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Tools are the programs.
type Tools struct {
	ffmpeg, ffprobe string
	pass            []string // the option that passes every frame on, once
}

// Find looks for the programs on PATH.
func Find(ctx context.Context) (*Tools, error) {
	t := &Tools{}
	for _, p := range []struct {
		name string
		path *string
	}{{"ffmpeg", &t.ffmpeg}, {"ffprobe", &t.ffprobe}} {
		var err error
		if *p.path, err = exec.LookPath(p.name); err != nil {
			return nil, fmt.Errorf("videos are read and written by the program %s, which is not on PATH: install it (as in apt install ffmpeg, brew install ffmpeg), or give frames as image files", p.name)
		}
	}
	out, err := t.command(ctx, t.ffmpeg, "-hide_banner", "-version").Output()
	if err != nil {
		return nil, t.failed(ctx, "ffmpeg -version", err, "")
	}
	t.pass = passing(string(out))
	return t, nil
}

// versionText is how releases introduce themselves; what is built in between has no number.
var versionText = regexp.MustCompile(`^ffmpeg version n?(\d+)\.(\d+)`)

// passing is the option that passes frames on as they are; version 5.1 gave it a new name.
func passing(version string) []string {
	if m := versionText.FindStringSubmatch(version); m != nil {
		major, _ := strconv.Atoi(m[1]) // of digits
		minor, _ := strconv.Atoi(m[2])
		if major < 5 || major == 5 && minor < 1 {
			return []string{"-vsync", "passthrough"}
		}
	}
	return []string{"-fps_mode", "passthrough"}
}

// command prepares a program. It has a process group of its own, so that an interrupt from
// the terminal reaches it through this process only, which decides what becomes of files.
func (t *Tools) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return kill(cmd) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// kill ends a program that runs, and those that it has started.
func kill(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// failed is the error of a program that failed, with its own last words.
func (t *Tools) failed(ctx context.Context, name string, err error, said string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	exit := new(exec.ExitError)
	if said == "" && errors.As(err, &exit) {
		w := &lastWords{}
		_, _ = w.Write(exit.Stderr) // into memory
		said = w.text()
	}
	if said == "" {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s: %s", name, said)
}

// local is how a file is named for the programs, whatever its name looks like: no option,
// no protocol, no pattern.
func local(path string) string { return "file:" + path }

// Rate is a number of frames a second, as a fraction.
type Rate struct{ Num, Den int }

// Value is the rate as a number.
func (r Rate) Value() float64 { return float64(r.Num) / float64(r.Den) }

func (r Rate) String() string { return fmt.Sprintf("%d/%d", r.Num, r.Den) }

// usual is the rate where a file tells none.
var usual = Rate{25, 1}

// Info is what a file says of its first video stream.
type Info struct {
	Rate     Rate // of which a video of the same length is made, frame by frame
	Variable bool // the time between frames is not always the same
	Frames   int  // about; 0: not known
}

// Probe asks what a file says of its video.
func (t *Tools) Probe(ctx context.Context, path string) (Info, error) {
	out, err := t.command(ctx, t.ffprobe, "-v", "error", "-select_streams", "V:0", "-show_entries",
		"stream=avg_frame_rate,r_frame_rate,nb_frames,duration:format=duration", "-of", "json",
		"-protocol_whitelist", "file", "-i", local(path)).Output()
	if err != nil {
		return Info{}, fmt.Errorf("%s cannot be read: %w", path, t.failed(ctx, "ffprobe", err, ""))
	}
	info, err := parse(out)
	if err != nil {
		return Info{}, fmt.Errorf("%s: %w", path, err)
	}
	return info, nil
}

// parse reads what ffprobe says.
func parse(out []byte) (Info, error) {
	var told struct {
		Streams []struct {
			Mean     string `json:"avg_frame_rate"`
			Base     string `json:"r_frame_rate"`
			Frames   string `json:"nb_frames"`
			Duration string `json:"duration"`
		} `json:"streams"`
		Format struct {
			Duration string `json:"duration"`
		} `json:"format"`
	}
	if err := json.Unmarshal(out, &told); err != nil {
		return Info{}, fmt.Errorf("what ffprobe says of it is not understood: %w", err)
	}
	if len(told.Streams) == 0 {
		return Info{}, errors.New("it has no video")
	}
	s := told.Streams[0]
	mean, knowsMean := parseRate(s.Mean)
	base, knowsBase := parseRate(s.Base)
	info := Info{Rate: mean}
	switch {
	case knowsMean && knowsBase && math.Abs(mean.Value()/base.Value()-1) > 0.01:
		info.Variable, info.Rate = true, grid(mean, base)
	case !knowsMean && knowsBase:
		info.Rate = base
	case !knowsMean:
		info.Rate = usual
	}
	if n, err := strconv.Atoi(s.Frames); err == nil && n > 0 {
		info.Frames = n
		return info, nil
	}
	for _, text := range []string{s.Duration, told.Format.Duration} {
		if d, err := strconv.ParseFloat(text, 64); err == nil && d > 0 && d < 1e7 && knowsMean {
			info.Frames = int(math.Round(d * mean.Value()))
			break
		}
	}
	return info, nil
}

// fastest is the most frames a second that a video of variable rate is made into.
const fastest = 60

// grid is the constant rate onto which frames of a variable one are put: the least that all
// times between frames are multiples of, if it is one that players play.
func grid(mean, base Rate) Rate {
	if base.Value() <= fastest && base.Value() >= mean.Value() {
		return base
	}
	return Rate{int(min(fastest, math.Ceil(mean.Value()))), 1}
}

// parseRate reads a fraction of whole numbers, and refuses what is no rate of a video.
func parseRate(text string) (Rate, bool) {
	a, b, _ := strings.Cut(text, "/")
	n, errN := strconv.Atoi(a)
	d, errD := strconv.Atoi(b)
	r := Rate{n, d}
	return r, errN == nil && errD == nil && n > 0 && d > 0 && r.Value() < 1e5
}
