// Package catalog shows files that lie in archives or buckets as a tree of folders.
package catalog

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"t2sda/internal/imagefile"
)

// Content is what the bytes of files are read from: an archive, or an object of a
// bucket. It is safe for concurrent use.
type Content interface {
	// Section opens size bytes from at on. Its errors name the archive or object.
	Section(ctx context.Context, at, size int64) (Section, error)
}

// Section is a part of a [Content], to be closed after use.
type Section interface {
	io.ReaderAt
	io.Closer
}

// Entry is one file.
type Entry struct {
	Path     string // below the tree's root, slash-separated
	Place    string // what people call the file: it names the archive that it lies in
	At, Size int64  // where its bytes lie in Content
	ModTime  time.Time
	Content  Content
}

// Tree is a tree of files. The names that it is asked for are paths as
// [filepath.Join] makes them of its root; files go by their Entry's Place as well.
type Tree struct {
	root    string
	folders map[string][]fs.DirEntry // by path below the root, each in lexical order
	paths   map[string]*Entry
	places  map[string]*Entry
}

// Double tells of two entries of one path, the second of which is in no tree.
type Double struct{ First, Second Entry }

// New makes a tree below root of the entries, in the order in which they come.
// Paths that are files and folders at once are errors.
func New(root string, entries []Entry) (*Tree, []Double, error) {
	t := &Tree{
		root: root, folders: map[string][]fs.DirEntry{".": nil},
		paths: make(map[string]*Entry, len(entries)), places: make(map[string]*Entry, len(entries)),
	}
	var doubles []Double
	for i := range entries {
		e := &entries[i]
		if first, taken := t.paths[e.Path]; taken {
			doubles = append(doubles, Double{*first, *e})
			continue
		}
		t.paths[e.Path], t.places[e.Place] = e, e
		t.add(path.Dir(e.Path), info{path.Base(e.Path), e})
	}
	for dir, all := range t.folders {
		if e := t.paths[dir]; e != nil {
			return nil, nil, fmt.Errorf("%s is a file, and a folder with other files in it", e.Place)
		}
		slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return t, doubles, nil
}

// add puts an entry into a folder, which it makes.
func (t *Tree) add(dir string, i info) {
	if _, known := t.folders[dir]; !known {
		t.folders[dir] = nil
		t.add(path.Dir(dir), info{path.Base(dir), nil})
	}
	t.folders[dir] = append(t.folders[dir], fs.FileInfoToDirEntry(i))
}

// below returns the path below the root that a name stands for.
func (t *Tree) below(name string) (rel string, ok bool) {
	root, name := filepath.Clean(t.root), filepath.Clean(name)
	if name == root {
		return ".", true
	}
	rel, ok = strings.CutPrefix(name, root+string(filepath.Separator))
	return filepath.ToSlash(rel), ok
}

func (t *Tree) entry(name string) *Entry {
	if e := t.places[name]; e != nil {
		return e
	}
	rel, _ := t.below(name)
	return t.paths[rel]
}

// Stat describes a file or folder. The time of a file is that of its archive.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	if e := t.entry(name); e != nil {
		return info{path.Base(e.Path), e}, nil
	}
	if rel, ok := t.below(name); ok {
		if _, known := t.folders[rel]; known {
			return info{path.Base(rel), nil}, nil
		}
	}
	return nil, &fs.PathError{Op: "stat", Path: t.Name(name), Err: fs.ErrNotExist}
}

// ReadDir lists a folder.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	if rel, ok := t.below(name); ok {
		if all, known := t.folders[rel]; known {
			return all, nil
		}
	}
	return nil, &fs.PathError{Op: "open", Path: t.Name(name), Err: fs.ErrNotExist}
}

// Name is what people call what lies at a path.
func (t *Tree) Name(name string) string {
	if e := t.entry(name); e != nil {
		return e.Place
	}
	if rel, ok := t.below(name); ok && rel != "." {
		return strings.TrimSuffix(t.root, "/") + "/" + rel
	}
	if ok := filepath.Clean(name) == filepath.Clean(t.root); ok {
		return t.root
	}
	return name
}

// Below returns a file's path below the root, slash-separated.
func (t *Tree) Below(name string) (rel string, ok bool) {
	if e := t.entry(name); e != nil {
		return e.Path, true
	}
	return "", false
}

// Source opens the tree's files until ctx ends.
func (t *Tree) Source(ctx context.Context) imagefile.Source {
	return func(name string) (imagefile.File, error) {
		e := t.entry(name)
		if e == nil {
			return nil, &fs.PathError{Op: "open", Path: t.Name(name), Err: fs.ErrNotExist}
		}
		s, err := e.Content.Section(ctx, e.At, e.Size)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Place, err)
		}
		return file{s, info{path.Base(e.Path), e}}, nil
	}
}

// file is an open file of a tree.
type file struct {
	Section
	info info
}

func (f file) Stat() (fs.FileInfo, error) { return f.info, nil }

// info describes a file, or a folder, which has no entry.
type info struct {
	name  string
	entry *Entry
}

func (i info) Name() string { return i.name }
func (i info) Sys() any     { return nil }
func (i info) IsDir() bool  { return i.entry == nil }

func (i info) Size() int64 {
	if i.IsDir() {
		return 0
	}
	return i.entry.Size
}

func (i info) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

func (i info) ModTime() time.Time {
	if i.IsDir() {
		return time.Time{}
	}
	return i.entry.ModTime
}
