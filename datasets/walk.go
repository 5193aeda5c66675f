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

// report is told of a file or folder that cannot be used. What it returns ends
// the search, unless it is nil.
type report func(error) error

// strict ends the search at the first problem.
func strict(err error) error { return err }

// ignore goes on at any problem, which is said when the files are opened.
func ignore(error) error { return nil }

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

// listing is what lies below some folders, each in lexical order of the folders'
// entries.
type listing struct {
	files  []file // whose names are wanted
	others []file // all others
}

// list returns the files below the folders. Symbolic links are followed. Names
// that begin with a dot are skipped. Problems are links that lead nowhere or in a
// circle, and folders that cannot be read.
func list(at place, dirs []folder, wanted func(name string) bool, problem report) (listing, error) {
	var all listing
	for _, f := range dirs {
		w := walker{at: at, listing: all, wanted: wanted, active: map[string]bool{}, problem: problem}
		if err := w.walk(f.dir, f.prefix); err != nil {
			return listing{}, err
		}
		all = w.listing
	}
	return all, nil
}

// inside returns the folders that lie in one of the others and are none of them.
func inside(dirs, others []folder) []folder {
	return slices.DeleteFunc(slices.Clone(dirs), func(d folder) bool {
		return !slices.ContainsFunc(others, func(other folder) bool {
			rel, err := filepath.Rel(other.dir, d.dir)
			return err == nil && rel != "." && filepath.IsLocal(rel)
		})
	})
}

// without leaves out what lies below the folders: where the labels' folder lies among
// the images, its files are no images, and the other way round.
func (l listing) without(dirs []folder) listing {
	below := func(f file) bool {
		return slices.ContainsFunc(dirs, func(d folder) bool { return strings.HasPrefix(f.path, d.dir+string(filepath.Separator)) })
	}
	return listing{slices.DeleteFunc(l.files, below), slices.DeleteFunc(l.others, below)}
}

// name calls the files what people call them, and what they are opened by.
func (l listing) name(at place) {
	for _, files := range [][]file{l.files, l.others} {
		for i := range files {
			files[i].path = at.Name(files[i].path)
		}
	}
}

// sortFiles brings files into lexical order of their keys.
func sortFiles(files []file) {
	slices.SortFunc(files, func(a, b file) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
}

// withoutDoubles keeps the first of the files of one name, in the composed form
// of Unicode; each other one is a problem.
func withoutDoubles(files []file, name func(file) string, problem report) ([]file, error) {
	first := make(map[string]string, len(files))
	kept := files[:0:0]
	for _, f := range files {
		if other, taken := first[name(f)]; taken {
			if err := problem(&sameNameError{other, f.path}); err != nil {
				return nil, err
			}
			continue
		}
		first[name(f)] = f.path
		kept = append(kept, f)
	}
	return kept, nil
}

func byKey(f file) string  { return composed(f.key) }
func byPair(f file) string { return f.pair }

// ListImages returns the image files below a folder, in lexical order, their
// slash-separated paths below it without extension, and the files that it passed
// over. Symbolic links are followed; links that lead nowhere or in a circle are
// errors that name them, and so are two images of one name. Include and exclude
// are patterns as in [Options].
func ListImages(dir string, include, exclude []string) (files, names, passed []string, err error) {
	all, err := list(onDisk{}, []folder{{dir: dir}}, imagefile.IsImage, strict)
	if err != nil {
		return nil, nil, nil, err
	}
	found, _ := suffix("").cutAll(all.files)
	found = slices.DeleteFunc(found, func(f file) bool { return !chosenBy(include, exclude, f) })
	sortFiles(found)
	if found, err = withoutDoubles(found, byKey, strict); err != nil {
		return nil, nil, nil, err
	}
	for _, f := range found {
		files, names = append(files, f.path), append(names, f.key)
	}
	for _, f := range all.others {
		passed = append(passed, f.path)
	}
	return files, names, passed, nil
}

// walker collects files below a folder, following symbolic links.
type walker struct {
	at place
	listing
	wanted  func(name string) bool
	active  map[string]bool // real paths of the folders being walked
	problem report
}

func (w *walker) walk(dir, rel string) error {
	real, err := w.at.Real(dir)
	if err != nil {
		return w.problem(fmt.Errorf("datasets: %w", err))
	}
	if w.active[real] {
		return w.problem(fmt.Errorf("datasets: symbolic link %s leads back to %s, which contains it: a loop", lastLink(dir), real))
	}
	w.active[real] = true
	defer delete(w.active, real)
	entries, err := w.at.ReadDir(dir)
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
	wanted := w.wanted(rel)
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
	default:
		w.others = append(w.others, file{path: name, rel: rel})
	}
	return nil
}
