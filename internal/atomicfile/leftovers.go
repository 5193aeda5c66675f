package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"
)

// temporaryName is what [Disk.create] calls its files.
var temporaryName = regexp.MustCompile(`^\..+\.[0-9a-f]{16}$`)

// RemoveLeftovers removes from the folders, not from those in them, the temporary files
// of writers that were killed. Those of writers at work, in any process, stay: they hold
// locks on them, which go when the process does. Where a file system knows no locks
// nothing is removed. A folder that is not there holds none.
func RemoveLeftovers(dirs ...string) error {
	var errs []error
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if e.Type().IsRegular() && temporaryName.MatchString(e.Name()) {
				errs = append(errs, removeAbandoned(filepath.Join(dir, e.Name())))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("removing what killed processes have left: %w", err)
	}
	return nil
}

// RemoveLeftoversBeside is [RemoveLeftovers] for the folders that the files lie in.
func RemoveLeftoversBeside(files ...string) error {
	var dirs []string
	for _, file := range files {
		dirs = append(dirs, filepath.Dir(file))
	}
	slices.Sort(dirs)
	return RemoveLeftovers(slices.Compact(dirs)...)
}

// removeAbandoned removes a temporary file unless somebody is writing it. A writer that
// has made its file and not locked it yet makes another, see [ours].
func removeAbandoned(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its writer has finished
	}
	if err != nil {
		return err
	}
	defer f.Close() // and with it the lock
	if lock(f) != nil {
		return nil
	}
	return Disk{}.removeIfThere(path)
}

// lock makes the file this process's own until it is closed, or fails at once.
func lock(f File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// held keeps a file's lock beyond its being closed, until release: between closing a
// temporary file and renaming it, it looks as if it were a leftover.
func held(f File) (release func()) {
	n, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return func() {} // in the worst case somebody tidies up just then, and the renaming fails
	}
	return func() { _ = unix.Close(n) } // nothing was written through it
}
