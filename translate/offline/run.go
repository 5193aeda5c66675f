package offline

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"t2sda/internal/atomicfile"
	"t2sda/internal/interrupt"
	"t2sda/internal/parallel"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
	"t2sda/internal/rng"
	"t2sda/internal/translator"
	"t2sda/translate"
)

// Options of [Run].
type Options struct {
	Engine translate.Engine
	Source *Set
	Target *Set   // nil for engines that need no target
	Out    string // folder; a PNG file where the source is one file
	// To writes the picture in place of Out where the source is one file; may be nil.
	To    func(write func(w io.Writer) error) error
	Spare []string // further files and folders that nothing is written into
	Read  []*Set   // further pictures that nothing is written over
	Seed  uint64

	Workers int // goroutines; 0: one per core. The results do not depend on it
	// Resume keeps the pictures in Out that an earlier run with the same Settings
	// has written; Overwrite makes them anew. With neither, pictures that are there
	// are an error, unless the source is one file.
	Resume, Overwrite bool
	// Settings are kept in Out: what the results depend on, under names that a
	// user knows.
	Settings map[string]string
	Progress func(done, total int) // after each picture, from one goroutine at a time; may be nil
}

// Result counts the pictures.
type Result struct{ Written, Kept int }

// Run translates every source picture and writes it as an 8-bit PNG of the same
// path below Out. Picture i is translated towards the target picture that
// (Seed, i, "translate/target") draws, brought to its size; the engine's draws
// are those of (Seed, i, "translate"). Files appear whole or not at all, so an
// interrupted run is continued with Resume. Nothing is written among the
// pictures that are read. Errors name the file.
func Run(ctx context.Context, o Options) (Result, error) {
	p, err := newPlan(o)
	if err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	note, done, err := p.redo(o) // before the record says that all is of these settings
	if err != nil {
		return Result{}, err
	}
	if err := p.begin(o); err != nil {
		return Result{}, errors.Join(err, done(false))
	}
	var written atomic.Int64
	err = parallel.ForEach(ctx, o.Workers, len(p.outputs), []func(done, total int){o.Progress}, func(i int) error {
		if p.there[i] {
			return nil
		}
		if err := o.picture(ctx, i, p.outputs[i]); err != nil {
			return err
		}
		written.Add(1)
		return note(i)
	})
	err = errors.Join(err, done(err == nil))
	result := Result{Written: int(written.Load()), Kept: p.kept}
	if err != nil && !o.Source.Single() {
		err = interrupt.Explain(err, "stopped with %d of %d pictures written, each whole; --resume makes the others", result.Written+result.Kept, len(p.outputs))
	}
	return result, err
}

// picture translates picture i into the file out.
func (o Options) picture(ctx context.Context, i int, out string) error {
	source, err := o.Source.load(ctx, i)
	if err != nil {
		return err
	}
	var target *raster.Image
	if o.Target != nil {
		k := rng.New(o.Seed, i, "translate/target").IntN(o.Target.Len())
		if target, err = o.Target.load(ctx, k); err != nil {
			return err
		}
		target = resize.Image(target, source.W, source.H)
	}
	file, rel := o.Source.path(i)
	results, err := translator.All(ctx, o.Engine, []translator.Job{{
		Rand: rng.New(o.Seed, i, "translate"), ID: rel, File: file, Source: source, Target: target, Crop: image.Rect(0, 0, source.W, source.H),
	}})
	if err != nil {
		return err
	}
	if err := o.write(out, func(w io.Writer) error { return png.Encode(w, results[0].NRGBA()) }); err != nil {
		return fmt.Errorf("translate: output: %w", err)
	}
	return nil
}

func (o Options) write(out string, write func(w io.Writer) error) error {
	if o.To != nil {
		return o.To(write)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteUnsynced(out, write)
}
