// Package atomicfile writes files and directories so that a crash leaves
// either all of them under their names or nothing.
package atomicfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write writes data to path. See [WriteFunc].
func Write(path string, data []byte) error { return Disk{}.Write(path, data) }

// WriteJSON writes the value to path as indented JSON. See [WriteFunc].
func WriteJSON(path string, value any) error { return Disk{}.WriteJSON(path, value) }

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
	return Disk{}.WriteFunc(path, write)
}

// WriteUnsynced is [WriteFunc] without syncing, which takes longer than making a
// small file does: for many files that can be made again. Whoever else looks
// finds all of path or nothing, as there, but after the machine itself has failed
// it may be empty or hold anything.
func WriteUnsynced(path string, write func(w io.Writer) error) error {
	return Disk{}.put(path, write, false)
}

// Write is [Write] on this disk.
func (d Disk) Write(path string, data []byte) error {
	return d.WriteFunc(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteJSON is [WriteJSON] on this disk.
func (d Disk) WriteJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return d.Write(path, append(text, '\n'))
}

// WriteFunc is [WriteFunc] on this disk.
func (d Disk) WriteFunc(path string, write func(w io.Writer) error) error {
	return d.put(path, write, true)
}

func (d Disk) put(path string, write func(w io.Writer) error, sync bool) error {
	p, err := follow(path)
	if err == nil {
		err = p.fault()
	}
	switch {
	case err != nil:
	case p.special():
		err = d.into(p, write)
	default:
		err = d.replace(p, write, sync)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// replace makes the place's file anew.
func (d Disk) replace(p place, write func(w io.Writer) error, sync bool) error {
	u, err := d.begin(p)
	if p.takesNoFile(err) {
		return d.into(p, write)
	}
	if err != nil {
		return refused(filepath.Dir(p.path), err)
	}
	if err := write(u.temp); err != nil {
		return errors.Join(err, u.abandon())
	}
	return u.finish(sync)
}

// into writes to what is there. In a regular file, that drops what it held.
func (d Disk) into(p place, write func(w io.Writer) error) error {
	f, err := d.open(p)
	if err != nil {
		return err
	}
	err = write(f)
	return errors.Join(err, f.Close())
}

// copyOf writes the content of the file of that name into the place.
func (d Disk) copyOf(p place, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	return d.into(p, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}
