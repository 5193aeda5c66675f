// Package atomicfile writes files and directories so that a crash leaves
// either all of them under their names or nothing.
package atomicfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Write replaces path by data. See [WriteFunc].
func Write(path string, data []byte) error {
	return WriteFunc(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteJSON replaces path by the value as indented JSON. See [WriteFunc].
func WriteJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return Write(path, append(text, '\n'))
}

// WriteFunc replaces path by what write produces: a temporary file in the same
// directory, synced, then renamed, and the directory synced. When anything
// before the renaming fails the temporary file is removed and path is as it was;
// errors name path. The file's mode is what the umask leaves of 0666.
func WriteFunc(path string, write func(w io.Writer) error) error {
	return replace(path, write, true)
}

// WriteUnsynced is [WriteFunc] without syncing, which takes longer than making a
// small file does: for many files that can be made again. Whoever else looks
// finds all of path or nothing, as there, but after the machine itself has failed
// it may be empty or hold anything.
func WriteUnsynced(path string, write func(w io.Writer) error) error {
	return replace(path, write, false)
}

func replace(path string, write func(w io.Writer) error, sync bool) (err error) {
	dir, base := filepath.Split(path)
	// os.CreateTemp would make a file that its owner alone may read.
	name := filepath.Join(dir, fmt.Sprintf(".%s.%016x", base, rand.Uint64()))
	temp, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, removeIfThere(name)))
		}
	}()
	err = write(temp)
	if sync {
		err = errors.Join(err, temp.Sync())
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(name, path); err != nil || !sync {
		return err
	}
	return syncDir(filepath.Dir(path))
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
