package reel

import (
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/internal/atomicfile"
	"t2sda/internal/npy"
	"t2sda/internal/raster"
)

// result is what the model sees in a frame.
type result struct {
	frame
	img    *raster.Image
	labels *raster.Labels // of the image's size
	task   *predict.Task

	drawn func() *image.NRGBA // the overlay, drawn once
}

// product is something that is made of predictions.
type product interface {
	// files names what becomes of an input, as far as that is known beforehand.
	files(e entry) []string
	// take makes of a result what there is to make; several goroutines call it. What it
	// returns, if anything, is called in the order of the frames, by one goroutine.
	take(r *result) (inOrder func() error, err error)
	// finish ends what all frames share.
	finish() error
	// abort removes what is unfinished, if anything is.
	abort()
}

// place is where things are written: whole, and not over what is there.
type place struct {
	force bool
	count atomic.Int64 // files
}

// write writes a file.
func (p *place) write(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := p.free(path); err != nil {
		return err
	}
	p.count.Add(1)
	return atomicfile.WriteUnsynced(path, write)
}

// free reports an error where something is there that is not to be replaced.
func (p *place) free(path string) error {
	if p.force {
		return nil
	}
	switch _, err := os.Lstat(path); {
	case err == nil:
		return fmt.Errorf("%s is there already: --force replaces it", path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// path is the file of a name and extension below a folder.
func path(dir, name, ext string) string {
	return filepath.Join(dir, filepath.FromSlash(name)+ext)
}

// each is a product of one file per frame.
type each struct {
	*place
	dir, ext string
	make     func(r *result) (func(io.Writer) error, error)
}

func (p *each) files(e entry) []string {
	if e.kind == video {
		return []string{path(p.dir, fmt.Sprintf("%s/%06d", e.name, 1), p.ext)} // the first one stands for all
	}
	return []string{path(p.dir, e.name, p.ext)}
}

func (p *each) take(r *result) (func() error, error) {
	write, err := p.make(r)
	if err != nil {
		return nil, err
	}
	return nil, p.write(path(p.dir, r.name, p.ext), write)
}

func (*each) finish() error { return nil }

func (*each) abort() {}

// pictures makes PNG files.
func pictures(draw func(r *result) (image.Image, error)) func(*result) (func(io.Writer) error, error) {
	return func(r *result) (func(io.Writer) error, error) {
		picture, err := draw(r)
		if err != nil {
			return nil, err
		}
		data, err := raster.EncodePNG(picture)
		return func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		}, err
	}
}

// errUnsure is returned for models that say nothing of how sure they are.
var errUnsure = errors.New("the model gives labels, or scores of one channel, and no probabilities: choose an output of logits or softmax (--output), if it has one")

// confidence draws how sure the model is.
func confidence(r *result) (image.Image, error) {
	c := r.task.Confidence(r.labels.W, r.labels.H)
	if c == nil {
		return nil, fmt.Errorf("format %s: %w", FormatConfidence, errUnsure)
	}
	return &image.Gray{Pix: c.Pix, Stride: c.W, Rect: image.Rect(0, 0, c.W, c.H)}, nil
}

// probabilities makes arrays [classes,height,width].
func (o *Options) probabilities(space datasets.Space) func(*result) (func(io.Writer) error, error) {
	return func(r *result) (func(io.Writer) error, error) {
		w, h, c := r.labels.W, r.labels.H, len(space.Classes)
		a := npy.New(o.Type, c, h, w)
		ok := r.task.Probabilities(w, h, func(y int, values []float32) {
			for k := range c {
				a.Put((k*h+y)*w, values[k*w:(k+1)*w])
			}
		})
		if !ok {
			return nil, fmt.Errorf("format %s: %w", FormatProbabilities, errUnsure)
		}
		if o.Archive {
			return func(to io.Writer) error { return a.EncodeArchive(to, FormatProbabilities) }, nil
		}
		return a.Encode, nil
	}
}
