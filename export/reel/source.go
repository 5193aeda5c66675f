package reel

import (
	"context"
	"errors"
	"fmt"
	"io"

	"t2sda/datasets"
	"t2sda/internal/ffmpeg"
	"t2sda/internal/imagefile"
	"t2sda/internal/plural"
	"t2sda/internal/raster"
)

// frame is what goes through the model.
type frame struct {
	name  string  // of what is written, slash-separated, without extension
	label string  // for errors
	file  string  // that it is, or would be, as annotations have it
	clip  *clip   // that it is of; nil: it is an image
	time  float64 // of its clip, seconds, where the source is asked for it
	read  func() (*raster.Image, error)
	fault error // why there is nothing to read
}

// clip is a video that is read.
type clip struct {
	entry
	info ffmpeg.Info
}

// source yields frames in order.
type source struct {
	entries []entry
	tools   *ffmpeg.Tools // nil where there is no video
	clips   map[string]*clip
	faults  map[string]error // of videos that cannot be opened
	timed   bool             // the frames of videos of variable rate have times
	strict  bool             // a video that is damaged has a fault at once, not at its end

	at      int
	playing *ffmpeg.Reader // of entry at
	n       int            // frames of it so far
}

// newSource looks at all videos. Where some cannot be read and that is to be passed over,
// they are faulty frames later.
func newSource(ctx context.Context, entries []entry, tools *ffmpeg.Tools, keepGoing, timed bool) (*source, error) {
	s := &source{entries: entries, tools: tools, clips: map[string]*clip{}, faults: map[string]error{}, timed: timed, strict: !keepGoing}
	for _, e := range entries {
		if e.kind != video {
			continue
		}
		info, err := tools.Probe(ctx, e.path)
		if err != nil && (ctx.Err() != nil || !keepGoing) {
			return nil, err
		}
		s.clips[e.path], s.faults[e.path] = &clip{e, info}, err
	}
	return s, nil
}

// total is how many frames there are, 0 where that is not known.
func (s *source) total() int {
	n := 0
	for _, e := range s.entries {
		if e.kind != video {
			n++
			continue
		}
		c := s.clips[e.path]
		switch {
		case s.faults[e.path] != nil:
			n++
		case c.info.Frames == 0:
			return 0
		}
		n += c.info.Frames
	}
	return n
}

// next returns the next frame, or io.EOF after the last one. Other errors are ctx's.
func (s *source) next(ctx context.Context) (frame, error) {
	for s.at < len(s.entries) {
		e := s.entries[s.at]
		if e.kind != video {
			s.at++
			return stillOf(ctx, e), nil
		}
		f, err := s.play(ctx, s.clips[e.path])
		if !errors.Is(err, io.EOF) {
			return f, err
		}
	}
	return frame{}, io.EOF
}

// stillOf is the frame that an image is.
func stillOf(ctx context.Context, e entry) frame {
	f := frame{name: e.name, label: e.path, file: e.path}
	if e.kind == content {
		f.file, f.read = e.name, func() (*raster.Image, error) { return imagefile.ReadOf(stdin, e.data) }
	} else if e.load != nil {
		f.read = func() (*raster.Image, error) { return e.load(ctx) }
	} else {
		f.read = func() (*raster.Image, error) { return datasets.ReadImage(e.path) }
	}
	return f
}

// play returns the next frame of a video. After its last one, which may be a fault, it goes
// on to the next entry and returns io.EOF.
func (s *source) play(ctx context.Context, c *clip) (frame, error) {
	fail := func(err error) (frame, error) {
		s.proceed()
		if ctx.Err() != nil {
			return frame{}, ctx.Err()
		}
		return frame{name: c.name, label: c.path, clip: c, fault: err}, nil
	}
	if err := s.faults[c.path]; err != nil {
		return fail(err)
	}
	if s.playing == nil {
		var err error
		if s.playing, err = s.tools.Read(ctx, c.path, s.timed && c.info.Variable); err != nil {
			return fail(err)
		}
	}
	picture, err := s.playing.Next()
	said := s.playing.Said()
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return fail(fmt.Errorf("%s after frame %d: %w", c.path, s.n, err))
	case said != "" && err != nil:
		return fail(fmt.Errorf("%s is damaged, %s of it could be read: ffmpeg: %s", c.path, plural.Of(s.n, "frame", "frames"), said))
	case said != "" && s.strict:
		return fail(fmt.Errorf("%s is damaged, about frame %d: ffmpeg: %s", c.path, s.n+1, said))
	case err != nil && s.n == 0:
		return fail(fmt.Errorf("%s has no frames", c.path))
	case err != nil:
		s.proceed()
		return frame{}, io.EOF
	}
	s.n++
	name := fmt.Sprintf("%s/%06d", c.name, s.n)
	return frame{
		name: name, label: fmt.Sprintf("%s, frame %d", c.path, s.n), file: name + ".png", clip: c, time: picture.Time,
		read: func() (*raster.Image, error) { return raster.FromRGB(picture.Pix, picture.W, picture.H), nil },
	}, nil
}

// proceed goes on to the next entry.
func (s *source) proceed() {
	s.close()
	s.at, s.n = s.at+1, 0
}

// close ends what is read.
func (s *source) close() {
	if s.playing != nil {
		s.playing.Close()
		s.playing = nil
	}
}
