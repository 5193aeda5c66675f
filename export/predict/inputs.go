package predict

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/datasets"
	"t2sda/internal/imagefile"
)

// inputs are the images to predict.
type inputs struct {
	files  []string // paths
	names  []string // of what is written, slash-separated, without extension; empty until [inputs.call]
	passed []string // files below folders that are no images by name
	seen   map[string]bool
}

// add adds a file, once, however often it is named. Without a name it is called
// later, by [inputs.call].
func (in *inputs) add(file, name string) {
	if clean := filepath.Clean(file); !in.seen[clean] {
		in.seen[clean] = true
		in.files, in.names = append(in.files, file), append(in.names, name)
	}
}

// find lists the images that paths and options name.
func (o FileOptions) find(paths []string) (inputs, error) {
	in := inputs{seen: map[string]bool{}}
	if d := o.Dataset; d != nil {
		for i := range d.Len() {
			it := d.Item(i)
			in.add(it.Image, stem(it.Rel))
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
		return inputs{}, o.noImages(paths, in.passed)
	}
	in.call()
	return in, nil
}

func (o FileOptions) noImages(paths, passed []string) error {
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
	switch {
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
	return files, nil
}

func stem(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

func (o FileOptions) addFolder(dir string, in *inputs) error {
	files, names, passed, err := datasets.ListImages(dir, o.Include, o.Exclude)
	for i, f := range files {
		in.add(f, names[i])
	}
	in.passed = append(in.passed, passed...)
	return err
}

// addNamed adds files that a pattern or a list names, and the images of the
// folders among them.
func (o FileOptions) addNamed(paths []string, in *inputs) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil && !o.KeepGoing:
			return err
		case err == nil && info.IsDir():
			if err := o.addFolder(path, in); err != nil {
				return err
			}
		case imagefile.IsImage(path):
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
func (in *inputs) call() {
	var files []string
	for i, f := range in.files {
		if in.names[i] == "" {
			files = append(files, f)
		}
	}
	names := namesOf(files)
	for i := range in.files {
		if in.names[i] == "" {
			in.names[i], names = names[0], names[1:]
		}
	}
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

// readNames reads paths, one a line as a list of a data set has them, with its
// comments and blanks at the ends, or with zero bytes between them as find -print0
// writes them. A line that names a file as it stands is that file.
func readNames(r io.Reader) ([]string, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading names: %w", err)
	}
	lines := strings.Split(string(text), "\x00")
	if len(lines) == 1 {
		lines = datasets.ListLines(string(text))
		for i, line := range lines {
			if _, err := os.Stat(line); errors.Is(err, os.ErrNotExist) {
				lines[i] = strings.TrimSpace(line)
				if strings.HasPrefix(lines[i], "#") {
					lines[i] = ""
				}
			}
		}
	}
	names := slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	if len(names) == 0 {
		return nil, errors.New("no names to read")
	}
	return names, nil
}
