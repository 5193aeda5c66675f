package shards

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"t2sda/internal/catalog"
)

// onDisk is an archive in the file system, as it was when it was found.
type onDisk struct {
	name string
	size int64
	time time.Time
}

// OnDisk returns an archive in the file system. It reads its files as long as they are
// what they were: an archive that has changed or gone since is an error that names it.
func OnDisk(name string) (Archive, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, gone(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("shard %s is not a regular file", name)
	}
	return &onDisk{name, info.Size(), info.ModTime()}, nil
}

func (a *onDisk) Name() string { return a.name }
func (a *onDisk) ID() string {
	name, err := filepath.Abs(a.name)
	if err != nil {
		name = a.name // there is no working directory: then it is no other one's either
	}
	return fmt.Sprintf("%d %d %s", a.size, a.time.UnixNano(), name)
}

func (a *onDisk) Size() int64        { return a.size }
func (a *onDisk) ModTime() time.Time { return a.time }

func (a *onDisk) Reader(context.Context) (Reader, error) { return a.open() }

func (a *onDisk) open() (*os.File, error) {
	f, err := os.Open(a.name)
	if err != nil {
		return nil, gone(a.name, err)
	}
	info, err := f.Stat()
	if err == nil && (info.Size() != a.size || !info.ModTime().Equal(a.time)) {
		err = fmt.Errorf("shard %s has changed since the data set was opened: start anew (--resume goes on)", a.name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// gone names a shard that is not there as what it is.
func gone(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("shard %s is gone: %w", name, fs.ErrNotExist)
	}
	return fmt.Errorf("shard: %w", err)
}

func (a *onDisk) Section(_ context.Context, at, size int64) (catalog.Section, error) {
	f, err := a.open()
	if err != nil {
		return nil, err
	}
	return section{io.NewSectionReader(f, at, size), f}, nil
}

// section is a part of an open file.
type section struct {
	io.ReaderAt
	io.Closer
}
