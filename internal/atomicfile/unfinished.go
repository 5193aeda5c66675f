package atomicfile

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Unfinished is a file under the temporary name that it has until it is whole, for
// programs that write files by their names. It must be finished or abandoned.
type Unfinished struct {
	disk  Disk
	place place
	path  string // as the caller names it
	temp  File
}

// Begin begins the file that is at path once it is finished: the file that symbolic links
// lead to, as with [WriteFunc], but nothing that is written into. It is empty so far.
func Begin(path string) (*Unfinished, error) {
	p, err := follow(path)
	if err == nil {
		err = p.fault()
	}
	if err == nil && p.special() {
		err = fmt.Errorf("%s is a device or a pipe: a file is needed, which can be written at any place", p.path)
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	u, err := Disk{}.begin(p)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, refused(filepath.Dir(p.path), err))
	}
	u.path = path
	return u, nil
}

func (d Disk) begin(p place) (*Unfinished, error) {
	temp, err := d.create(filepath.Split(p.path))
	if err != nil {
		return nil, err
	}
	return &Unfinished{disk: d, place: p, temp: temp}, nil
}

// Name is the file to write to, which is there and may be truncated, but not replaced.
func (u *Unfinished) Name() string { return u.temp.Name() }

// Finish syncs the file and gives it its name, or removes it when that fails.
func (u *Unfinished) Finish() error {
	if err := u.finish(true); err != nil {
		return fmt.Errorf("write %s: %w", u.path, err)
	}
	return nil
}

func (u *Unfinished) finish(sync bool) (err error) {
	defer held(u.temp)()
	if sync {
		err = u.temp.Sync()
	}
	if err := errors.Join(err, u.temp.Close()); err != nil {
		return errors.Join(err, u.remove())
	}
	err = u.disk.sys().Rename(u.temp.Name(), u.place.path)
	switch {
	case u.place.takesNoFile(err):
		return errors.Join(u.disk.copyOf(u.place, u.temp.Name()), u.remove())
	case err != nil:
		return errors.Join(err, u.remove())
	case !sync:
		return nil
	}
	return u.disk.syncDir(filepath.Dir(u.place.path))
}

// Abandon removes the file.
func (u *Unfinished) Abandon() error {
	if err := u.abandon(); err != nil {
		return fmt.Errorf("write %s: %w", u.path, err)
	}
	return nil
}

func (u *Unfinished) abandon() error { return errors.Join(u.remove(), u.temp.Close()) }

func (u *Unfinished) remove() error { return u.disk.removeIfThere(u.temp.Name()) }
