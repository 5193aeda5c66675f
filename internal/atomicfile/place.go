package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// place is where a path leads once its symbolic links are followed.
type place struct {
	path       string
	info       fs.FileInfo // nil: nothing is there
	descriptor int         // of this process, which the path stands for; -1: none
}

// Target returns the file that [WriteFunc] makes or replaces for a path, absolute
// and free of links, also where a link leads to no file yet. It is empty where
// several results may go one after the other (devices, FIFOs, open files of this
// process), and where nothing can be written.
func Target(path string) string {
	p, err := follow(path)
	if err != nil || p.special() {
		return ""
	}
	dir, base := filepath.Split(p.path)
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return ""
	}
	return filepath.Join(dir, base)
}

// maxLinks is the number of symbolic links that are followed, as Linux has it.
const maxLinks = 40

// follow follows the links of a path, of which the last may lead to a file that
// is not there; its folder must be.
func follow(path string) (place, error) {
	at := path
	for range maxLinks {
		dir, base := filepath.Split(at)
		if dir == "" {
			dir = "./"
		}
		real, err := filepath.EvalSymlinks(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return place{}, fmt.Errorf("there is no folder %s: make it first", filepath.Clean(dir))
		}
		if err != nil {
			return place{}, err
		}
		if n, ok := descriptor(real, base); ok {
			return place{path: at, descriptor: n}, nil
		}
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && base != "":
			return place{path: at, descriptor: -1}, nil
		case err != nil:
			return place{}, err
		case info.Mode()&fs.ModeSymlink == 0:
			return place{path: at, info: info, descriptor: -1}, nil
		}
		text, err := os.Readlink(at)
		if err != nil {
			return place{}, err
		}
		if !filepath.IsAbs(text) {
			text = dir + text // filepath.Join would take "link/.." for the folder of link
		}
		at = text
	}
	return place{}, &fs.PathError{Op: "follow", Path: path, Err: unix.ELOOP}
}

// descriptor reports whether the name in a folder stands for one of the open
// files of this process, as /dev/stdout does after its links. Opened by its
// name, a regular file behind it would be written from its beginning, over what
// the process writes through the descriptor itself.
func descriptor(folder, name string) (int, bool) {
	if folder != fmt.Sprintf("/proc/%d/fd", os.Getpid()) && folder != "/dev/fd" {
		return -1, false
	}
	n, err := strconv.Atoi(name)
	return n, err == nil && n >= 0
}

// fault says why nothing can be written to the place, whoever asks.
func (p place) fault() error {
	switch {
	case p.info == nil:
		return nil
	case p.info.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", p.path)
	case p.info.Mode()&fs.ModeSocket != 0:
		return fmt.Errorf("%s is a socket, which takes no file", p.path)
	}
	return nil
}

// special reports whether the place is written into, and not replaced: a device,
// a FIFO or an open file of this process.
func (p place) special() bool {
	return p.descriptor >= 0 || p.info != nil && !p.info.Mode().IsRegular()
}

// open opens what is there, to be written into.
func (d Disk) open(p place) (File, error) {
	if p.descriptor >= 0 {
		n, err := unix.Dup(p.descriptor)
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(n), p.path), nil
	}
	flags := os.O_WRONLY | unix.O_NOCTTY
	if p.info.Mode().IsRegular() {
		flags |= os.O_TRUNC
	}
	return d.sys().OpenFile(p.path, flags, 0)
}

// takesNoFile reports whether an error of making a file, or of renaming one to
// the place, means that the file which is there can only be written into: its
// folder may not be written to, or it is mounted by itself, as containers do.
func (p place) takesNoFile(err error) bool {
	return p.info != nil && (errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.EBUSY))
}
