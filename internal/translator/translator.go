// Package translator is what a loader of images and the engines that translate
// them agree on: one interface that every engine has, and abilities that some
// have on top of it. [All] uses the best ability that an engine has, so that
// its caller need not know them.
package translator

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"

	"t2sda/internal/raster"
)

// Translator gives a source image the target domain's appearance and keeps its
// content, so that its labels still hold.
//
// Translate returns a new image of the source's size. The target is nil where
// there are no target images; engines that do not look at it take that, the
// others return an error. It keeps neither image: their memory is used again.
// It is called from several goroutines at once, with one generator each.
type Translator interface {
	Translate(r *rand.Rand, source, target *raster.Image) (*raster.Image, error)
}

// Named is a [Translator] that needs to know which image it gets, because the
// result lies in a file. It is given the whole source image and returns its
// whole translation. The id is the image's path below its folder,
// slash-separated, with or without extension.
type Named interface {
	TranslateNamed(r *rand.Rand, id string, source, target *raster.Image) (*raster.Image, error)
}

// Cropper is a [Translator] that works out a part of an image for less than
// the whole. The result is the rectangle, bit for bit, of what Translate
// returns.
type Cropper interface {
	TranslateCrop(r *rand.Rand, source, target *raster.Image, crop image.Rectangle) (*raster.Image, error)
}

// Batcher is a [Translator] that translates several images at once for less
// than one by one. The results are those of the jobs in their order; each
// job's draws come from its own generator alone. Errors name the job's file.
type Batcher interface {
	TranslateBatch(ctx context.Context, jobs []Job) ([]*raster.Image, error)
}

// FileError is the fault of a file that a translator reads instead of making an
// image: of that image's translation alone.
type FileError struct {
	ID  string // of the source image, see [Named]
	Err error  // names the file
}

func (e *FileError) Error() string { return e.Err.Error() }

func (e *FileError) Unwrap() error { return e.Err }

// Job is one image to translate.
type Job struct {
	Rand           *rand.Rand      // of this image's draws
	ID             string          // see [Named]
	File           string          // names the image in errors
	Source, Target *raster.Image   // whole ones; the target may be nil
	Crop           image.Rectangle // the part of the result that is wanted
}

// All translates every job and returns the parts that they want, by the first
// of the abilities [Batcher], [Named] and [Cropper] that the engine has, or
// else by Translate. Errors name the job's file.
func All(ctx context.Context, t Translator, jobs []Job) ([]*raster.Image, error) {
	if b, ok := t.(Batcher); ok {
		out, err := b.TranslateBatch(ctx, jobs)
		if err == nil && len(out) != len(jobs) {
			err = fmt.Errorf("translating %d images gave %d", len(jobs), len(out))
		}
		return out, err
	}
	out := make([]*raster.Image, len(jobs))
	for i, j := range jobs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = one(t, j); err != nil {
			return nil, fmt.Errorf("translating %s: %w", j.File, err)
		}
	}
	return out, nil
}

// one translates a job by an engine that takes one image at a time.
func one(t Translator, j Job) (*raster.Image, error) {
	var out *raster.Image
	var err error
	switch t := t.(type) {
	case Named:
		out, err = t.TranslateNamed(j.Rand, j.ID, j.Source, j.Target)
	case Cropper:
		out, err = t.TranslateCrop(j.Rand, j.Source, j.Target, j.Crop)
		if err == nil && !sized(out, j.Crop.Dx(), j.Crop.Dy()) {
			err = fmt.Errorf("the result has another size than the crop's %d×%d", j.Crop.Dx(), j.Crop.Dy())
		}
		return out, err
	default:
		out, err = t.Translate(j.Rand, j.Source, j.Target)
	}
	if err != nil {
		return nil, err
	}
	return j.Cut(out)
}

// Cut returns the job's part of a whole translation, which must have the
// source's size.
func (j Job) Cut(out *raster.Image) (*raster.Image, error) {
	if !sized(out, j.Source.W, j.Source.H) {
		return nil, fmt.Errorf("the result has another size than the image's %d×%d", j.Source.W, j.Source.H)
	}
	if j.Crop.Dx() == out.W && j.Crop.Dy() == out.H {
		return out, nil
	}
	return out.Crop(j.Crop.Min.X, j.Crop.Min.Y, j.Crop.Dx(), j.Crop.Dy()), nil
}

func sized(m *raster.Image, w, h int) bool { return m != nil && m.W == w && m.H == h }
