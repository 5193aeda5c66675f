package reel

import (
	"context"
	"fmt"
	"image"
	pathpkg "path"
	"path/filepath"
	"strings"

	"t2sda/export/predict"
	"t2sda/internal/ffmpeg"
	"t2sda/internal/inode"
)

// products are what the formats ask for: in outDir itself where there is one, each in a
// folder of its own where there are several.
func (o *Options) products(ctx context.Context, p *predict.Predictor, outDir string, at *place, tools *ffmpeg.Tools) ([]product, error) {
	var all []product
	for _, format := range o.Formats {
		dir := outDir
		if len(o.Formats) > 1 {
			dir = filepath.Join(outDir, format)
		}
		one, err := o.product(ctx, p, format, dir, outDir, at, tools)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// product is what one format asks for, in dir; what is one file for all frames, in top.
func (o *Options) product(ctx context.Context, p *predict.Predictor, format, dir, top string, at *place, tools *ffmpeg.Tools) (product, error) {
	png := func(draw func(r *result) (image.Image, error)) *each {
		return &each{place: at, dir: dir, ext: ".png", make: pictures(draw)}
	}
	switch format {
	case predict.FormatOverlay:
		return png(func(r *result) (image.Image, error) { return r.drawn(), nil }), nil
	case FormatConfidence:
		return png(confidence), nil
	case FormatProbabilities:
		ext := ".npy"
		if o.Archive {
			ext = ".npz"
		}
		return &each{place: at, dir: dir, ext: ext, make: o.probabilities(p.Space())}, nil
	case FormatRLE:
		return newAnnotations(at, top, format, p.Space(), o.Categories)
	case FormatPanoptic:
		a, err := newAnnotations(at, top, format, p.Space(), o.Categories)
		if err == nil {
			a.segments = png(segmentIDs)
		}
		return a, err
	case FormatVideo:
		return &films{place: at, ctx: ctx, tools: tools, o: o, dir: dir}, nil
	}
	render, err := predict.NewRenderer(format, p.Space(), o.Map)
	return png(func(r *result) (image.Image, error) { return render(r.img, r.labels), nil }), err
}

// check reports, before anything is predicted, whether two inputs would become one file, an
// input would be overwritten, or something is there already.
func (o *Options) check(entries []entry, all []product, at *place) error {
	inputs := files(entries)
	for _, p := range all {
		from := map[string]entry{} // by file
		for _, e := range entries {
			for _, file := range p.files(e) {
				other, seen := from[file]
				if seen && shared(p, other, e, file) {
					continue
				}
				if seen {
					return fmt.Errorf("%s and %s would both become %s: predict them into folders of their own", other.path, e.path, file)
				}
				from[file] = e
				if input, is := inputs.Find(file); is {
					return fmt.Errorf("%s is one of the inputs (%s): choose another output folder", file, input)
				}
				if err := at.free(file); err != nil {
					return err
				}
			}
		}
	}
	return checkFrames(entries)
}

// outputs are the files that inputs become, as far as they are known beforehand.
func outputs(entries []entry, all []product) (files []string) {
	for _, p := range all {
		for _, e := range entries {
			files = append(files, p.files(e)...)
		}
	}
	return files
}

// shared reports whether a file is made of two inputs together.
func shared(p product, a, b entry, file string) bool {
	switch p := p.(type) {
	case *annotations:
		return file == p.file
	case *films:
		return a.kind != video && b.kind != video
	}
	return false
}

// checkFrames reports an image that is called as a frame of a video will be.
func checkFrames(entries []entry) error {
	clips := map[string]string{} // path by name
	for _, e := range entries {
		if e.kind == video {
			clips[e.name] = e.path
		}
	}
	for _, e := range entries {
		dir, base := pathpkg.Split(e.name)
		clip, is := clips[strings.TrimSuffix(dir, "/")]
		if is && base != "" && digits(base) == len(base) {
			return fmt.Errorf("%s and a frame of %s would become one file: predict them into folders of their own", e.path, clip)
		}
	}
	return nil
}

// files returns the inputs that are files.
func files(entries []entry) (all inode.Set) {
	for _, e := range entries {
		if e.kind != content {
			all.Add(e.path)
		}
	}
	return all
}
