package ffmpeg

import (
	"context"
	"fmt"
	"io"
	"os/exec"
)

// Encoder is the one that is asked for without a choice: H.264, which browsers and players play.
const Encoder = "libx264"

// Writer makes a video of frames of one size. It is for one goroutine.
type Writer struct {
	tools *Tools
	ctx   context.Context
	cmd   *exec.Cmd
	in    io.WriteCloser
	words lastWords
	w, h  int
	even  []byte // a frame of even width and height; nil where they are even
}

// Write begins a video file of frames of w × h pixels at a constant rate. Odd widths and
// heights, which most players do not play, get their last column or row twice. Finish ends
// it; when ctx ends, the program does, and what there is of the file is no video.
func (t *Tools) Write(ctx context.Context, path string, w, h int, rate Rate, encoder string) (*Writer, error) {
	v := &Writer{tools: t, ctx: ctx, w: w, h: h}
	evenW, evenH := w+w%2, h+h%2
	if evenW != w || evenH != h {
		v.even = make([]byte, 3*evenW*evenH)
	}
	v.cmd = t.command(ctx, t.ffmpeg, "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", fmt.Sprintf("%dx%d", evenW, evenH),
		"-framerate", rate.String(), "-i", "pipe:0", "-an", "-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=bilinear+accurate_rnd",
		"-c:v", encoder, "-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
		"-movflags", "+faststart", "-f", "mp4", local(path))
	v.cmd.Stderr = &v.words
	var err error
	if v.in, err = v.cmd.StdinPipe(); err == nil {
		err = v.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: %w", err)
	}
	return v, nil
}

// Add adds a frame of packed RGB.
func (v *Writer) Add(pix []byte) error {
	if v.even != nil {
		evened(v.even, pix, v.w, v.h)
		pix = v.even
	}
	if _, err := v.in.Write(pix); err != nil {
		return v.end(err)
	}
	return nil
}

// Finish ends the video.
func (v *Writer) Finish() error { return v.end(v.in.Close()) }

// Abort ends the program without an end of the video.
func (v *Writer) Abort() {
	if v.cmd.ProcessState == nil {
		_ = kill(v.cmd) // it may have ended
		_ = v.end(nil)
	}
}

// end waits for the program, which says more of a failure than the pipe to it.
func (v *Writer) end(cause error) error {
	_ = v.in.Close() // after an error, or again
	if err := v.cmd.Wait(); err != nil {
		return v.tools.failed(v.ctx, "ffmpeg", err, v.words.text())
	}
	if cause != nil {
		return fmt.Errorf("ffmpeg: %w", cause)
	}
	return nil
}

// evened copies a frame of w × h pixels into one of even width and height.
func evened(dst, src []byte, w, h int) {
	row := 3 * (w + w%2)
	for y := range h + h%2 {
		from := src[3*w*min(y, h-1):][:3*w]
		to := dst[row*y:][:row]
		copy(to, from)
		if w%2 == 1 {
			copy(to[3*w:], from[3*w-3:])
		}
	}
}
