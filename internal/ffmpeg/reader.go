package ffmpeg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"t2sda/internal/limit"
)

// Reader yields the frames of a video in the order in which they are shown, upright. It is
// for one goroutine.
type Reader struct {
	tools *Tools
	ctx   context.Context
	stop  context.CancelFunc // ends the program, not ctx
	cmd   *exec.Cmd
	words lastWords
	out   *bufio.Reader
	times *times // nil: not asked for
	n     int    // frames read
}

// Frame is a picture of packed RGB, 8 bits a sample.
type Frame struct {
	W, H int
	Pix  []byte  // of its own
	Time float64 // when it is shown, seconds; 0 where times are not asked for
}

// Read begins to read a video's frames, with their times if these are asked for. Close ends
// it, at any time.
func (t *Tools) Read(ctx context.Context, path string, timed bool) (*Reader, error) {
	r := &Reader{tools: t, ctx: ctx}
	running, stop := context.WithCancel(ctx)
	r.stop = stop
	picture := append([]string{"-map", "0:V:0"}, t.pass...)
	args := []string{"-v", "error", "-nostdin", "-err_detect", "explode", "-protocol_whitelist", "file", "-i", local(path)}
	args = append(args, picture...)
	// Each picture brings its own size, so that nobody need know how a rotation in the file's
	// metadata turns it.
	args = append(args, "-sws_flags", "bilinear+accurate_rnd+full_chroma_int+full_chroma_inp", "-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "pipe:1")
	if timed {
		args = append(append(args, picture...), "-c:v", "wrapped_avframe", "-flush_packets", "1", "-f", "mkvtimestamp_v2", "pipe:3")
	}
	r.cmd = t.command(running, t.ffmpeg, args...)
	r.cmd.Stderr = &r.words
	if err := r.start(timed); err != nil {
		r.stop()
		return nil, fmt.Errorf("%s: ffmpeg: %w", path, err)
	}
	return r, nil
}

func (r *Reader) start(timed bool) error {
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	r.out = bufio.NewReaderSize(out, 1<<20)
	if !timed {
		return r.cmd.Start()
	}
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer to.Close() // the program has its own
	r.cmd.ExtraFiles = []*os.File{to}
	if err := r.cmd.Start(); err != nil {
		return errors.Join(err, from.Close())
	}
	r.times = follow(from)
	return nil
}

// Next returns the next frame, or io.EOF after the last one. Any other error is the end as
// well.
func (r *Reader) Next() (Frame, error) {
	f := Frame{}
	var err error
	if f.W, f.H, err = readHead(r.out); err != nil {
		return f, r.end(err)
	}
	if err := limit.Check(f.W, f.H); err != nil {
		return f, err
	}
	f.Pix = make([]byte, 3*f.W*f.H)
	if _, err := io.ReadFull(r.out, f.Pix); err != nil {
		return f, r.end(err)
	}
	if r.times != nil {
		if f.Time, err = r.times.at(r.n); err != nil {
			return f, r.end(err)
		}
	}
	r.n++
	return f, nil
}

// Said returns the program's last words so far: of complaints, as it is asked for no others.
func (r *Reader) Said() string { return r.words.text() }

// end turns what ended the pictures into an error, io.EOF where it is the end of the video.
func (r *Reader) end(cause error) error {
	over := errors.Is(cause, io.EOF) || errors.Is(cause, io.ErrUnexpectedEOF)
	if !over {
		r.stop() // it would wait for somebody to read on
	}
	err := r.cmd.Wait()
	switch {
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	case over && err != nil:
		return r.tools.failed(r.ctx, "ffmpeg", err, r.Said())
	case !errors.Is(cause, io.EOF):
		return fmt.Errorf("ffmpeg: what it gives is not understood: %w", cause)
	}
	return io.EOF
}

// Close ends the program, if it still runs.
func (r *Reader) Close() {
	r.stop()
	if r.cmd.ProcessState == nil {
		_ = r.cmd.Wait() // it was killed
	}
	if r.times != nil {
		r.times.close()
	}
}

// readHead reads the head of a PPM picture as ffmpeg writes it. It returns io.EOF only where
// no picture begins.
func readHead(r *bufio.Reader) (w, h int, err error) {
	lines := [3]string{}
	for i := range lines {
		line, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && (i > 0 || len(line) > 0):
			return 0, 0, io.ErrUnexpectedEOF
		case errors.Is(err, bufio.ErrBufferFull):
			return 0, 0, fmt.Errorf("a picture begins with %.100q", line)
		case err != nil:
			return 0, 0, err
		}
		lines[i] = strings.TrimSuffix(string(line), "\n")
	}
	first, second, _ := strings.Cut(lines[1], " ")
	w, errW := strconv.Atoi(first)
	h, errH := strconv.Atoi(second)
	if lines[0] != "P6" || lines[2] != "255" || errW != nil || errH != nil || w < 1 || h < 1 {
		return 0, 0, fmt.Errorf("a picture begins with %.100q", lines)
	}
	return w, h, nil
}
