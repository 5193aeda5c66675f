package translate

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"path/filepath"
	"strings"

	"github.com/disintegration/imaging"

	"t2sda/internal/atomicfile"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/internal/translator"
)

// Files translates the picture in the file source (PNG or JPEG) and writes the
// result to out as an 8-bit PNG, atomically: out is either complete or
// untouched. The picture in the file target is resized (bicubic)
// to the source's size; the name may be empty for engines that need no target.
// The draws are those of (o.Seed, 0, "translate"). Errors name the file.
func Files(ctx context.Context, o Options, source, target, out string) error {
	engine, err := New(o)
	if err != nil {
		return err
	}
	if !strings.EqualFold(filepath.Ext(out), ".png") {
		return fmt.Errorf("translate: output %s: the result is a PNG; name it .png", out)
	}
	src, err := open(ctx, "source", source)
	if err != nil {
		return err
	}
	s := raster.FromImage(src)
	t, err := openTarget(ctx, o.Engine, target, s.W, s.H)
	if err != nil {
		return err
	}
	r := rng.New(o.Seed, 0, "translate")
	var result *raster.Image
	if named, ok := engine.(translator.Named); ok {
		result, err = named.TranslateNamed(r, filepath.Base(source), s, t)
	} else {
		result, err = engine.Translate(r, s, t)
	}
	if err != nil {
		return fmt.Errorf("translating %s: %w", source, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = atomicfile.WriteFunc(out, func(w io.Writer) error { return png.Encode(w, result.NRGBA()) })
	if err != nil {
		return fmt.Errorf("translate: output: %w", err)
	}
	return nil
}

func openTarget(ctx context.Context, engine, file string, w, h int) (*raster.Image, error) {
	if file == "" {
		if engine == EngineFDA {
			return nil, fmt.Errorf("translate: target: engine %s needs a target picture", engine)
		}
		return nil, nil
	}
	img, err := open(ctx, "target", file)
	if err != nil {
		return nil, err
	}
	if b := img.Bounds(); b.Dx() != w || b.Dy() != h {
		img = imaging.Resize(img, w, h, imaging.CatmullRom)
	}
	return raster.FromImage(img), nil
}

func open(ctx context.Context, what, file string) (image.Image, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if file == "" {
		return nil, fmt.Errorf("translate: %s: no file is named", what)
	}
	img, err := imaging.Open(file)
	if err != nil {
		return nil, fmt.Errorf("translate: %s picture %s: %w", what, file, err)
	}
	return img, nil
}
