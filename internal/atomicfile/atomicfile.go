// Package atomicfile writes files and directories so that a crash leaves
// either all of them under their names or nothing.
package atomicfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write writes data to path. See [WriteFunc].
func Write(path string, data []byte) error {
	return WriteFunc(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteJSON writes the value to path as indented JSON. See [WriteFunc].
func WriteJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return Write(path, append(text, '\n'))
}

// WriteFunc writes what write produces to path. A file that is there, and the
// file that symbolic links lead to, also where it is not there yet, is replaced:
// by a temporary file in its folder, synced, then renamed, and the folder synced.
// When anything before the renaming fails the temporary file is removed and what
// was there is as it was. The file's mode is what the umask leaves of 0666.
//
// Devices, FIFOs and open files of this process (/dev/stdout) are written into.
// So is, not in one step then, a file that may be written to in a folder that
// takes no other one, or that is mounted by itself. Errors name path.
func WriteFunc(path string, write func(w io.Writer) error) error {
	return put(path, write, true)
}

// WriteUnsynced is [WriteFunc] without syncing, which takes longer than making a
// small file does: for many files that can be made again. Whoever else looks
// finds all of path or nothing, as there, but after the machine itself has failed
// it may be empty or hold anything.
func WriteUnsynced(path string, write func(w io.Writer) error) error {
	return put(path, write, false)
}

func put(path string, write func(w io.Writer) error, sync bool) error {
	p, err := follow(path)
	if err == nil {
		err = p.fault()
	}
	switch {
	case err != nil:
	case p.special():
		err = p.into(write)
	default:
		err = p.replace(write, sync)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// replace makes the place's file anew.
func (p place) replace(write func(w io.Writer) error, sync bool) (err error) {
	temp, err := p.temporary()
	if p.takesNoFile(err) {
		return p.into(write)
	}
	if err != nil {
		return refused(filepath.Dir(p.path), err)
	}
	name := temp.Name()
	defer func() {
		if err != nil {
			err = errors.Join(err, removeIfThere(name))
		}
	}()
	err = write(temp)
	if sync {
		err = errors.Join(err, temp.Sync())
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	err = os.Rename(name, p.path)
	switch {
	case p.takesNoFile(err):
		return errors.Join(p.copyOf(name), os.Remove(name))
	case err != nil || !sync:
		return err
	}
	return syncDir(filepath.Dir(p.path))
}

// copyOf writes the content of the file of that name into the place.
func (p place) copyOf(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	return p.into(func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// RenameDir gives the finished directory temp its name path and syncs both
// directories. What path was before is moved aside first, as temp + ".old", and
// removed last: a crash leaves no half removed directory under path, and a
// failure leaves path as it was. temp and path must lie in one file system.
func RenameDir(temp, path string) error {
	if err := syncDir(temp); err != nil {
		return err
	}
	old := temp + ".old"
	aside := os.Rename(path, old)
	if aside != nil && !errors.Is(aside, fs.ErrNotExist) {
		return aside
	}
	if err := os.Rename(temp, path); err != nil {
		if aside == nil {
			err = errors.Join(err, os.Rename(old, path))
		}
		return err
	}
	return errors.Join(syncDir(filepath.Dir(path)), os.RemoveAll(old))
}

// syncDir makes the entries of a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
