package predict

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"t2sda/datasets"
	"t2sda/internal/imagefile"
)

// inputs are the images to predict.
type inputs struct {
	files  []string // paths
	names  []string // of what is written, slash-separated, without extension
	passed []string // files below folders that are no images by name
}

func (in *inputs) add(file, name string) {
	in.files, in.names = append(in.files, file), append(in.names, name)
}

// find lists the images that paths and options name.
func (o FileOptions) find(paths []string) (inputs, error) {
	var in inputs
	if d := o.Dataset; d != nil {
		for i := range d.Len() {
			it := d.Item(i)
			in.add(it.Image, strings.TrimSuffix(it.Rel, filepath.Ext(it.Rel)))
		}
		in.passed = d.PassedOver()
		return in, nil
	}
	for _, path := range paths {
		if err := o.findAt(path, &in); err != nil {
			return inputs{}, err
		}
	}
	if len(in.files) == 0 {
		return inputs{}, fmt.Errorf("no images in %s (looked for %s%s)", strings.Join(paths, ", "),
			strings.Join(imagefile.Extensions(), ", "), passedText(in.passed))
	}
	return in, nil
}

func passedText(files []string) string {
	if len(files) == 0 {
		return ""
	}
	return "; " + datasets.Passed(files)
}

// findAt adds the images of one path: a file, a folder, a pattern, or - for names
// to read.
func (o FileOptions) findAt(path string, in *inputs) error {
	if path == "-" && o.Names != nil {
		files, err := readNames(o.Names)
		if err != nil {
			return err
		}
		return o.addNamed(files, in)
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) && strings.ContainsAny(path, "*?[") {
		files, globErr := filepath.Glob(path)
		if globErr != nil {
			return fmt.Errorf("%s: %w", path, globErr)
		}
		if len(files) == 0 {
			return fmt.Errorf("no file matches %s", path)
		}
		return o.addNamed(files, in)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		in.add(path, stem(filepath.Base(path)))
		return nil
	}
	return o.addFolder(path, in)
}

func stem(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

func (o FileOptions) addFolder(dir string, in *inputs) error {
	files, names, passed, err := datasets.ListImages(dir, o.Include, o.Exclude)
	in.files, in.names, in.passed = append(in.files, files...), append(in.names, names...), append(in.passed, passed...)
	return err
}

// addNamed adds files that a pattern or a list names, and the images of the
// folders among them. Files are called by their names, or, where two have the
// same one, by their paths below the folder that all have in common.
func (o FileOptions) addNamed(paths []string, in *inputs) error {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return err
		case info.IsDir():
			if err := o.addFolder(path, in); err != nil {
				return err
			}
		case imagefile.IsImage(path):
			files = append(files, path)
		default:
			in.passed = append(in.passed, path)
		}
	}
	for i, name := range namesOf(files) {
		in.add(files[i], name)
	}
	return nil
}

func namesOf(files []string) []string {
	names, taken, unique := make([]string, len(files)), map[string]bool{}, true
	for i, f := range files {
		names[i] = stem(filepath.Base(f))
		unique = unique && !taken[names[i]]
		taken[names[i]] = true
	}
	if unique {
		return names
	}
	common := filepath.Dir(filepath.Clean(files[0]))
	for _, f := range files {
		for !within(common, filepath.Clean(f)) {
			common = filepath.Dir(common)
		}
	}
	for i, f := range files {
		if rel, err := filepath.Rel(common, filepath.Clean(f)); err == nil {
			names[i] = filepath.ToSlash(stem(rel))
		}
	}
	return names
}

// within reports whether a file lies below a folder, by their paths; everything
// lies below the folder that has no other above it.
func within(dir, file string) bool {
	rel, err := filepath.Rel(dir, file)
	return dir == filepath.Dir(dir) || err == nil && filepath.IsLocal(rel)
}

// readNames reads paths, one a line as a list of a data set has them, or with
// zero bytes between them as find -print0 writes them.
func readNames(r io.Reader) ([]string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading names: %w", err)
	}
	lines := strings.Split(string(text), "\x00")
	if len(lines) == 1 {
		lines = datasets.ListLines(string(text))
	}
	var names []string
	for _, line := range lines {
		if line != "" {
			names = append(names, line)
		}
	}
	if names == nil {
		return nil, errors.New("no names to read")
	}
	return names, nil
}
