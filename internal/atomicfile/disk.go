package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// System is all that a writer asks of the operating system. Its errors name the file, as
// those of package os do.
type System interface {
	OpenFile(name string, flag int, mode fs.FileMode) (File, error)
	Mkdir(name string, mode fs.FileMode) error
	Rename(from, to string) error
	// Exchange gives two paths each other's name, in one step. Where that cannot be
	// done the error is [errors.ErrUnsupported].
	Exchange(a, b string) error
	Remove(name string) error
	RemoveAll(name string) error
}

// File is an open file or folder of a [System].
type File interface {
	io.Writer
	Sync() error
	Close() error
	Name() string
	Fd() uintptr
}

// Disk writes files and folders through a [System]. The zero value writes through the
// operating system.
type Disk struct{ system System }

// On returns the disk that writes through s.
func On(s System) Disk { return Disk{s} }

func (d Disk) sys() System {
	if d.system == nil {
		return osSystem{}
	}
	return d.system
}

// osSystem is package os.
type osSystem struct{}

func (osSystem) OpenFile(name string, flag int, mode fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err // and not a File that is nil inside
	}
	return f, nil
}

func (osSystem) Mkdir(name string, mode fs.FileMode) error { return os.Mkdir(name, mode) }
func (osSystem) Rename(from, to string) error              { return os.Rename(from, to) }
func (osSystem) Remove(name string) error                  { return os.Remove(name) }
func (osSystem) RemoveAll(name string) error               { return os.RemoveAll(name) }

func (osSystem) Exchange(a, b string) error {
	err := exchange(a, b)
	if errors.Is(err, syscall.EINVAL) { // what a file system says that knows renames only
		err = errors.ErrUnsupported
	}
	if err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return nil
}

// OS is the operating system, for a [System] that changes some of it.
func OS() System { return osSystem{} }

// create makes a hidden file in dir, locked until it is closed, see [RemoveLeftovers].
// os.CreateTemp's could be read by its owner alone.
func (d Disk) create(dir, base string) (File, error) {
	for {
		name := filepath.Join(dir, temporary(base))
		f, err := d.sys().OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil || ours(f) {
			return f, err
		}
		// Somebody who tidies up took it for a leftover before it was locked.
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// ours locks a file that was just made, and reports false where somebody else had locked,
// and is to remove or has removed it.
func ours(f File) bool {
	switch err := lock(f); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false
	case err != nil:
		return true // without locks nothing is tidied up, either
	}
	var info unix.Stat_t
	return unix.Fstat(int(f.Fd()), &info) != nil || info.Nlink > 0
}

// temporary is a name that nothing has, for what becomes base when it is finished.
func temporary(base string) string { return fmt.Sprintf(".%s.%016x", base, rand.Uint64()) }

// MkdirTemp makes a hidden folder in dir whose name begins with prefix.
func (d Disk) MkdirTemp(dir, prefix string) (string, error) {
	name := filepath.Join(dir, fmt.Sprintf("%s%016x", prefix, rand.Uint64()))
	return name, d.sys().Mkdir(name, 0o777)
}

// MkdirAll makes a folder and those above it that are not there, and sees to it that
// they stay: the folders in which they appeared are synced.
func (d Disk) MkdirAll(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(path)
	if err := d.MkdirAll(parent); err != nil {
		return err
	}
	if err := d.sys().Mkdir(path, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.syncDir(parent)
}

// Append opens a file, which is made where there is none, to be added to.
func (d Disk) Append(path string) (File, error) {
	return d.sys().OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
}

// Rename gives what is at from the name to. It is not synced: see [Disk.RenameDir].
func (d Disk) Rename(from, to string) error { return d.sys().Rename(from, to) }

// RemoveAll removes what is at path, if anything is.
func (d Disk) RemoveAll(path string) error { return d.sys().RemoveAll(path) }

// RenameDir gives the finished directory temp its name path and syncs the directory that
// both must lie in. Where there was a directory of that name, it is called temp
// afterwards, and the caller's to remove. Before an error everything is made as it was,
// as far as that can be done. A crash leaves the one or the other under path, whole (both
// as temp and as temp + ".old" where the file system cannot exchange names).
func (d Disk) RenameDir(temp, path string) error {
	if err := d.syncDir(temp); err != nil {
		return err
	}
	replaced, err := d.nameDir(temp, path)
	if err != nil {
		return err
	}
	err = d.syncDir(filepath.Dir(path))
	switch {
	case err == nil:
		return nil
	case replaced:
		return errors.Join(err, d.swap(path, temp))
	}
	return errors.Join(err, d.sys().Rename(path, temp))
}

// nameDir renames temp to path, or exchanges them where path is a directory that holds
// something.
func (d Disk) nameDir(temp, path string) (replaced bool, err error) {
	err = d.sys().Rename(temp, path)
	if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	return true, d.swap(temp, path)
}

// swap exchanges the names of two directories, in three steps where it cannot be one.
func (d Disk) swap(temp, path string) error {
	err := d.sys().Exchange(temp, path)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	old := temp + ".old"
	if err := d.sys().Rename(path, old); err != nil {
		return err
	}
	if err := d.sys().Rename(temp, path); err != nil {
		return errors.Join(err, d.sys().Rename(old, path))
	}
	return d.sys().Rename(old, temp)
}

// syncDir makes the entries of a directory durable.
func (d Disk) syncDir(path string) error {
	f, err := d.sys().OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d Disk) removeIfThere(path string) error {
	if err := d.sys().Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
