package reel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/datasets"
	"t2sda/internal/imagefile"
	"t2sda/internal/raster"
)

// kind is what an input is.
type kind int

const (
	imageFile kind = iota
	video
	content // of an image, that was read from standard input
)

// entry is an input: a frame, or a video's frames.
type entry struct {
	kind kind
	path string
	name string                                       // of what is written, slash-separated, without extension; empty until [inputs.call]
	data []byte                                       // of content
	load func(context.Context) (*raster.Image, error) // of a data set's image; nil: path is a file on disk
}

// inputs are what is predicted.
type inputs struct {
	entries []entry
	passed  []string // files below folders that are no images by name
	seen    map[string]bool
}

// videos are what the names of videos end in.
var videos = []string{
	".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv",
	".ogv", ".3gp", ".mjpeg", ".mjpg", ".h264", ".h265", ".hevc", ".y4m",
}

func isVideo(name string) bool {
	return slices.Contains(videos, strings.ToLower(filepath.Ext(name)))
}

// add adds a file, once, however often it is named. Without a name it is called
// later, by [inputs.call].
func (in *inputs) add(file, name string) {
	clean := filepath.Clean(file)
	if in.seen[clean] {
		return
	}
	in.seen[clean] = true
	e := entry{path: file, name: name}
	if isVideo(file) {
		e.kind = video
	}
	in.entries = append(in.entries, e)
}

// find lists what paths and options name.
func (o Options) find(paths []string) (inputs, error) {
	in := inputs{seen: map[string]bool{}}
	if d := o.Dataset; d != nil {
		for i := range d.Len() {
			it := d.Item(i)
			load := func(ctx context.Context) (*raster.Image, error) {
				s, err := d.LoadImage(ctx, i)
				return s.Image, err
			}
			in.entries = append(in.entries, entry{path: it.Image, name: stem(it.Rel), load: load})
		}
		in.passed = d.PassedOver()
		return in, nil
	}
	for _, path := range paths {
		if err := o.findAt(path, &in); err != nil {
			return inputs{}, err
		}
	}
	if len(in.entries) == 0 {
		return inputs{}, o.noImages(paths, in.passed)
	}
	return in, in.call()
}

func (o Options) noImages(paths, passed []string) error {
	chosen := ""
	if len(o.Include)+len(o.Exclude) > 0 {
		chosen = " that the patterns to include and exclude leave"
	}
	return fmt.Errorf("no images in %s%s (looked for %s%s)", strings.Join(paths, ", "), chosen,
		strings.Join(imagefile.Extensions(), ", "), passedText(passed))
}

func passedText(files []string) string {
	if len(files) == 0 {
		return ""
	}
	return "; " + datasets.Passed(files)
}

// findAt adds what one path names: a file, a folder, a pattern, a numbered sequence, or -
// for what is read from standard input.
func (o Options) findAt(path string, in *inputs) error {
	if path == "-" && o.Stdin != nil {
		return o.addStdin(in)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && isSequence(path):
		files, err := sequence(path)
		if err == nil && len(files) == 0 {
			err = fmt.Errorf("no file is one of the sequence %s", path)
		}
		if err != nil {
			return err
		}
		for _, f := range files {
			in.add(f, "")
		}
		return nil
	case errors.Is(err, os.ErrNotExist) && strings.ContainsAny(path, "*?["):
		files, err := glob(path)
		if err != nil {
			return err
		}
		return o.addNamed(files, in)
	case err != nil && !o.KeepGoing:
		return err
	case err == nil && info.IsDir():
		return o.addFolder(path, in)
	}
	in.add(path, "") // whatever its extension
	return nil
}

// glob returns the files and folders that a pattern names, at least one.
func glob(pattern string) ([]string, error) {
	if slices.Contains(strings.Split(filepath.ToSlash(pattern), "/"), "**") {
		return nil, fmt.Errorf("%s: ** is not read: name the folder, below which all images are taken, and choose among them (--include)", pattern)
	}
	files, err := filepath.Glob(pattern)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", pattern, err)
	case len(files) == 0:
		return nil, fmt.Errorf("no file matches %s", pattern)
	}
	slices.SortFunc(files, natural)
	return files, nil
}

func stem(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

// addFolder adds the images below a folder.
func (o Options) addFolder(dir string, in *inputs) error {
	files, names, passed, err := datasets.ListImages(dir, o.Include, o.Exclude)
	order := make([]int, len(files))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return natural(names[a], names[b]) })
	for _, i := range order {
		in.add(files[i], names[i])
	}
	in.passed = append(in.passed, passed...)
	return err
}

// addNamed adds files that a pattern or a list names, and the images of the
// folders among them.
func (o Options) addNamed(paths []string, in *inputs) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil && !o.KeepGoing:
			return err
		case err == nil && info.IsDir():
			if err := o.addFolder(path, in); err != nil {
				return err
			}
		case imagefile.IsImage(path) || isVideo(path):
			in.add(path, "")
		default:
			in.passed = append(in.passed, path)
		}
	}
	return nil
}

// call names what becomes of the files that were named themselves, not by a
// folder: as they are called, or, where two are called the same, by their paths
// below the folder that all have in common.
func (in *inputs) call() error {
	var files []string
	for _, e := range in.entries {
		if e.name == "" {
			files = append(files, e.path)
		}
	}
	names, err := namesOf(files)
	if err != nil {
		return err
	}
	for i := range in.entries {
		if e := &in.entries[i]; e.name == "" {
			e.name, names = names[0], names[1:]
		}
	}
	return nil
}

func namesOf(files []string) ([]string, error) {
	names, taken, unique := make([]string, len(files)), map[string]bool{}, true
	for i, f := range files {
		names[i] = stem(filepath.Base(f))
		unique = unique && !taken[names[i]]
		taken[names[i]] = true
	}
	if unique {
		return names, nil
	}
	// Of paths relative to where the program runs, the folder in common may lie above that.
	whole := make([]string, len(files))
	for i, f := range files {
		var err error
		if whole[i], err = filepath.Abs(f); err != nil {
			return nil, err
		}
	}
	common := filepath.Dir(whole[0])
	for _, f := range whole {
		for !within(common, f) {
			common = filepath.Dir(common)
		}
	}
	for i, f := range whole {
		rel, err := filepath.Rel(common, f)
		if err != nil {
			return nil, err
		}
		names[i] = filepath.ToSlash(stem(rel))
	}
	return names, nil
}

// within reports whether a file lies below a folder, by their absolute paths.
func within(dir, file string) bool {
	rel, err := filepath.Rel(dir, file)
	return err == nil && filepath.IsLocal(rel)
}
