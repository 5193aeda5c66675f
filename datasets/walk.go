package datasets

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/imagefile"
)

// file is a file found below a folder.
type file struct {
	path string // to open it
	rel  string // below the folder (and its prefix), slash-separated
	key  string // rel without extension and suffix: what pairs images and labels
}

// report is told of a file or folder that cannot be used. What it returns ends
// the search, unless it is nil.
type report func(error) error

// strict ends the search at the first problem.
func strict(err error) error { return err }

// problems collects what a search goes on after.
type problems struct {
	errs  []error
	known map[string]bool
}

// add keeps a problem, once: images and labels may lie behind the same link.
func (p *problems) add(err error) error {
	if text := err.Error(); !p.known[text] {
		if p.known == nil {
			p.known = map[string]bool{}
		}
		p.known[text] = true
		p.errs = append(p.errs, err)
	}
	return nil
}

// sameNameError tells of two files that only their extensions or folders tell
// apart: which of them is meant?
type sameNameError struct{ first, second string }

func (e *sameNameError) Error() string {
	return fmt.Sprintf("datasets: %s and %s have the same name", e.first, e.second)
}

// listFiles returns the files with one of the extensions and the suffix before
// it below the folders, in lexical order of their keys. Symbolic links are
// followed. Names that begin with a dot are skipped. Problems are links that
// lead nowhere or in a circle, folders that cannot be read, and files of one
// key, of which the first is kept.
func listFiles(dirs []folder, extensions []string, suffix string, problem report) ([]file, error) {
	var files []file
	for _, f := range dirs {
		w := walker{extensions: extensions, active: map[string]bool{}, problem: problem}
		if err := w.walk(f.dir, f.prefix); err != nil {
			return nil, err
		}
		files = append(files, w.files...)
	}
	kept := files[:0]
	for _, f := range files {
		stem := strings.TrimSuffix(f.rel, path.Ext(f.rel))
		if key, ok := strings.CutSuffix(stem, suffix); ok {
			f.key = key
			kept = append(kept, f)
		}
	}
	slices.SortFunc(kept, func(a, b file) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
	return withoutDoubles(kept, problem)
}

// ListImages returns the PNG and JPEG files below a folder, in lexical order, and
// their slash-separated paths below it without extension. Symbolic links are
// followed; links that lead nowhere or in a circle and two files of one name are
// errors that name them.
func ListImages(dir string) (files, names []string, err error) {
	found, err := listFiles([]folder{{dir: dir}}, imagefile.Extensions(), "", strict)
	for _, f := range found {
		files, names = append(files, f.path), append(names, f.key)
	}
	return files, names, err
}

// withoutDoubles keeps the first of neighbours of one key.
func withoutDoubles(files []file, problem report) ([]file, error) {
	kept := files[:0]
	for i, f := range files {
		if i > 0 && f.key == kept[len(kept)-1].key {
			if err := problem(&sameNameError{kept[len(kept)-1].path, f.path}); err != nil {
				return nil, err
			}
			continue
		}
		kept = append(kept, f)
	}
	return kept, nil
}

// walker collects files below a folder, following symbolic links.
type walker struct {
	extensions []string
	active     map[string]bool // real paths of the folders being walked
	problem    report
	files      []file
}

func (w *walker) walk(dir, rel string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return w.problem(fmt.Errorf("datasets: %w", err))
	}
	if w.active[real] {
		return w.problem(fmt.Errorf("datasets: symbolic link %s leads back to %s, which contains it: a loop", lastLink(dir), real))
	}
	w.active[real] = true
	defer delete(w.active, real)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return w.problem(fmt.Errorf("datasets: %w", err))
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := w.entry(e, filepath.Join(dir, e.Name()), path.Join(rel, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// lastLink returns the last symbolic link on the way to dir.
func lastLink(dir string) string {
	for at := dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return at
		}
	}
	return dir
}

func (w *walker) entry(e fs.DirEntry, name, rel string) error {
	wanted := slices.Contains(w.extensions, strings.ToLower(path.Ext(rel)))
	mode := e.Type()
	if mode&fs.ModeSymlink != 0 {
		info, err := os.Stat(name)
		if err != nil {
			if path.Ext(rel) != "" && !wanted {
				return nil // a stray link that is no image
			}
			return w.problem(deadLink(name))
		}
		mode = info.Mode().Type()
	}
	switch {
	case mode.IsDir():
		return w.walk(name, rel)
	case wanted && mode.IsRegular():
		w.files = append(w.files, file{path: name, rel: rel})
	case wanted:
		return w.problem(fmt.Errorf("datasets: %s is not a regular file", name))
	}
	return nil
}
