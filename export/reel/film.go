package reel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"t2sda/internal/atomicfile"
	"t2sda/internal/ffmpeg"
)

// stills is what the video of all images is called.
const stills = "images"

// films makes videos of overlays: one of each video, and one of all images, in order.
type films struct {
	*place
	ctx   context.Context
	tools *ffmpeg.Tools
	o     *Options
	dir   string

	stills *film // of images; other videos may come between them
	now    *film // of the video under way
}

func (f *films) file(e entry) string {
	if e.kind == video {
		return path(f.dir, e.name, ".mp4")
	}
	return path(f.dir, stills, ".mp4")
}

func (f *films) files(e entry) []string { return []string{f.file(e)} }

func (f *films) take(r *result) (func() error, error) {
	drawn := r.drawn()
	w, h := drawn.Rect.Dx(), drawn.Rect.Dy()
	pix := make([]byte, 0, 3*w*h)
	for i := 0; i < len(drawn.Pix); i += 4 {
		pix = append(pix, drawn.Pix[i:i+3]...)
	}
	return func() error { return f.add(r.frame, pix, w, h) }, nil
}

// add adds a frame to its film, and ends that of the video before it.
func (f *films) add(fr frame, pix []byte, w, h int) error {
	if f.now != nil && f.now.clip != fr.clip {
		if err := f.now.finish(); err != nil {
			return err
		}
		f.now = nil
	}
	at := &f.now
	if fr.clip == nil {
		at = &f.stills
	}
	if *at == nil {
		var err error
		if *at, err = f.begin(fr.clip, w, h); err != nil {
			return err
		}
	}
	if err := (*at).add(fr, pix, w, h); err != nil {
		return fmt.Errorf("%s: %w", (*at).file, err)
	}
	return nil
}

// begin begins a film of frames of w × h pixels, under a name that it has until it is whole.
func (f *films) begin(c *clip, w, h int) (*film, error) {
	e, rate := entry{}, rateOf(f.o.FPS)
	if c != nil {
		e, rate = c.entry, c.info.Rate
	}
	n := &film{films: f, clip: c, file: f.file(e), rate: rate, w: w, h: h}
	if err := os.MkdirAll(filepath.Dir(n.file), 0o755); err != nil {
		return nil, err
	}
	var err error
	if n.unfinished, err = atomicfile.Begin(n.file); err != nil {
		return nil, err
	}
	if n.writer, err = f.tools.Write(f.ctx, n.unfinished.Name(), w, h, rate, f.o.Encoder); err != nil {
		return nil, errors.Join(err, n.unfinished.Abandon())
	}
	return n, nil
}

// rateOf is a number of frames a second as a fraction.
func rateOf(fps float64) ffmpeg.Rate {
	const den = 1000
	return ffmpeg.Rate{Num: max(1, int(math.Round(fps*den))), Den: den}
}

func (f *films) finish() error {
	var errs []error
	for _, at := range []**film{&f.now, &f.stills} {
		if *at != nil {
			errs = append(errs, (*at).finish())
			*at = nil
		}
	}
	return errors.Join(errs...)
}

func (f *films) abort() {
	for _, at := range []*film{f.now, f.stills} {
		if at != nil {
			at.abort()
		}
	}
}

// film is one video under way.
type film struct {
	*films
	clip       *clip // nil: of images
	file       string
	unfinished *atomicfile.Unfinished
	writer     *ffmpeg.Writer
	rate       ffmpeg.Rate
	w, h       int
	first      string // what the first frame is called

	// Where the times between frames vary, each is shown from its own time to the next one's.
	held    []byte  // the last frame, whose end is not known
	from    float64 // the first frame's time
	written int     // frames of the film
}

// add adds a frame.
func (f *film) add(fr frame, pix []byte, w, h int) error {
	if f.first == "" {
		f.first = fr.label
	}
	if w != f.w || h != f.h {
		return fmt.Errorf("%s has %d×%d pixels, and %s %d×%d: a video has one size, so make one of each", fr.label, w, h, f.first, f.w, f.h)
	}
	if f.clip == nil || !f.clip.info.Variable {
		return f.writer.Add(pix)
	}
	if f.held == nil {
		f.from = fr.time
	} else if err := f.hold(fr.time); err != nil {
		return err
	}
	f.held = pix
	return nil
}

// longestHold is how long a frame is shown at most, seconds: times may jump.
const longestHold = 60

// hold shows the frame that is held until a time.
func (f *film) hold(until float64) error {
	end := int(math.Round((until - f.from) * f.rate.Value()))
	if most := f.written + int(longestHold*f.rate.Value()); end > most {
		f.from += float64(end-most) / f.rate.Value()
		end = most
	}
	for ; f.written < end; f.written++ {
		if err := f.writer.Add(f.held); err != nil {
			return err
		}
	}
	return nil
}

// finish gives the film its name.
func (f *film) finish() error {
	if f.held != nil {
		if err := f.writer.Add(f.held); err != nil {
			return f.failed(err)
		}
	}
	err := f.writer.Finish()
	if err == nil {
		err = f.free(f.file)
	}
	if err != nil {
		return f.failed(err)
	}
	if err := f.unfinished.Finish(); err != nil {
		return err
	}
	f.count.Add(1)
	return nil
}

func (f *film) failed(err error) error {
	f.abort()
	return fmt.Errorf("%s: %w", f.file, err)
}

// abort removes it.
func (f *film) abort() {
	f.writer.Abort()
	_ = f.unfinished.Abandon() // what made it end is told
}
