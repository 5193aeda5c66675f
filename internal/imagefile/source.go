package imagefile

import (
	"io"
	"io/fs"
	"os"
)

// File is an open file, wherever it lies; [os.File] is one.
type File interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}

// Source opens files by their names: of the disk, of an archive, of a bucket. Its
// errors name the file.
type Source func(name string) (File, error)

// Disk opens the files of the file system.
var Disk Source = func(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err // not f: a File that holds a nil pointer is none
	}
	return f, nil
}
