package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Try reports what would keep [WriteFunc] from writing to path, so that it is
// known before the work whose result goes there. What is there is neither opened
// nor changed: the reader of a FIFO sees nothing of it.
func Try(path string) error {
	if err := tryFile(path); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

func tryFile(path string) error {
	p, err := follow(path)
	if err != nil {
		return err
	}
	if err := p.fault(); err != nil {
		return err
	}
	switch {
	case p.descriptor >= 0:
		return tryDescriptor(p.descriptor)
	case p.special():
		return access(p.path)
	}
	err = probe(filepath.Dir(p.path))
	if p.takesNoFile(err) && access(p.path) == nil {
		return nil
	}
	return err
}

// TryDir reports what would keep files from being written below the folder path,
// which need not be there yet, nor the folders above it. Nothing is made.
func TryDir(path string) error {
	if err := tryFolder(path); err != nil {
		return fmt.Errorf("cannot write into %s: %w", path, err)
	}
	return nil
}

func tryFolder(path string) error {
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%s is a file, not a folder", at)
		case err == nil:
			return probe(at)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR):
			return err
		}
		if to, err := os.Readlink(at); err == nil {
			return fmt.Errorf("%s is a link to %s, which is not there: make that folder first", at, to)
		}
		if at == filepath.Dir(at) {
			return err
		}
	}
}

// probe makes a file in the folder and removes it: what permissions say is not
// all, network file systems and mounts have their own rules.
func probe(dir string) error {
	f, err := Disk{}.create(dir, "try")
	if err != nil {
		return refused(dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// refused says why a folder took no file, without the temporary name.
func refused(dir string, err error) error {
	if e := new(fs.PathError); errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("folder %s: %w", dir, err)
}

func access(path string) error {
	if err := unix.Access(path, unix.W_OK); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

func tryDescriptor(n int) error {
	flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFL, 0)
	switch {
	case err != nil:
		return fmt.Errorf("descriptor %d: %w", n, err)
	case flags&unix.O_ACCMODE == unix.O_RDONLY:
		return fmt.Errorf("descriptor %d is open for reading only", n)
	}
	return nil
}
