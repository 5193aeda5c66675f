package datasets

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"t2sda/internal/catalog"
	"t2sda/internal/imagefile"
)

// place is where the files of a data set lie: on disk, or in shards or a bucket, which
// a [catalog.Tree] shows as folders.
type place interface {
	Stat(name string) (fs.FileInfo, error) // links followed
	ReadDir(dir string) ([]fs.DirEntry, error)
	// Source opens files until ctx ends.
	Source(ctx context.Context) imagefile.Source
	// Name is what people, Stat and the source call what lies at a path.
	Name(path string) string
	// Below returns a file's path below the root, slash-separated.
	Below(root, name string) (rel string, ok bool)
	// Real is a folder's path with symbolic links followed.
	Real(dir string) (string, error)
	// IsDir tells whether there is a folder of that name. A link on the way that
	// cannot be followed is an error.
	IsDir(name string) (bool, error)
}

// below is what lies below a folder of a place, for [fs.WalkDir], which opens nothing.
type below struct {
	place
	dir string
}

func (b below) in(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b below) Stat(name string) (fs.FileInfo, error)      { return b.place.Stat(b.in(name)) }
func (b below) ReadDir(name string) ([]fs.DirEntry, error) { return b.place.ReadDir(b.in(name)) }
func (b below) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: b.in(name), Err: errors.ErrUnsupported}
}

// at returns where the files of o lie.
func (o Options) at() place {
	if o.tree != nil {
		return inTree{o.tree}
	}
	return onDisk{}
}

// source opens the data set's files until ctx ends.
func (d *Dataset) source(ctx context.Context) imagefile.Source { return d.opts.at().Source(ctx) }

// ReadHeader reads what the file of image i says of its picture.
func (d *Dataset) ReadHeader(ctx context.Context, i int) (imagefile.Header, error) {
	return d.source(ctx).ReadHeader(d.items[i].Image)
}

// onDisk is the file system.
type onDisk struct{}

func (onDisk) Stat(name string) (fs.FileInfo, error)     { return os.Stat(name) }
func (onDisk) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }
func (onDisk) Source(context.Context) imagefile.Source   { return imagefile.Disk }
func (onDisk) Name(path string) string                   { return path }
func (onDisk) Real(dir string) (string, error)           { return filepath.EvalSymlinks(dir) }

func (onDisk) Below(root, name string) (string, bool) {
	rel, err := filepath.Rel(root, name)
	return filepath.ToSlash(rel), err == nil && filepath.IsLocal(rel)
}

func (onDisk) IsDir(name string) (bool, error) {
	info, err := os.Stat(name)
	if err == nil {
		return info.IsDir(), nil
	}
	for dir := name; ; dir = filepath.Dir(dir) {
		if link, e := os.Lstat(dir); e == nil {
			if _, e := os.Stat(dir); e != nil && link.Mode()&fs.ModeSymlink != 0 {
				return false, deadLink(dir)
			}
			return false, nil // what should follow is not there
		}
		if dir == filepath.Dir(dir) {
			return false, nil
		}
	}
}

// inTree is a tree of files of shards or a bucket. Labels that a list names may lie
// on disk.
type inTree struct{ *catalog.Tree }

func (t inTree) Stat(name string) (fs.FileInfo, error) {
	info, err := t.Tree.Stat(name)
	if errors.Is(err, fs.ErrNotExist) && !isURL(name) {
		return os.Stat(name)
	}
	return info, err
}

func (t inTree) Source(ctx context.Context) imagefile.Source {
	inside := t.Tree.Source(ctx)
	return func(name string) (imagefile.File, error) {
		if _, known := t.Tree.Below(name); !known && !isURL(name) {
			return imagefile.Disk(name)
		}
		return inside(name)
	}
}

func (t inTree) Below(_, name string) (string, bool) { return t.Tree.Below(name) }
func (t inTree) Real(dir string) (string, error)     { return dir, nil }

func (t inTree) IsDir(name string) (bool, error) {
	info, err := t.Tree.Stat(name)
	return err == nil && info.IsDir(), nil
}

// isURL reports whether a name is no path of the file system.
func isURL(name string) bool { return strings.Contains(name, "://") }

// wholeName is a name that leads to the file from any working directory.
func wholeName(name string) (string, error) {
	if isURL(name) {
		return name, nil
	}
	return filepath.Abs(name)
}
