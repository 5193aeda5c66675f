package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// temporaryName is what [create] calls its files.
var temporaryName = regexp.MustCompile(`^\..+\.[0-9a-f]{16}$`)

// young is the age up to which a temporary file is left alone, whatever its lock says:
// between making and locking it a writer needs no time worth speaking of.
const young = time.Minute

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

// removeAbandoned removes a temporary file unless somebody may be writing it.
func removeAbandoned(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its writer has finished
	}
	if err != nil {
		return err
	}
	defer f.Close() // and with it the lock
	info, err := f.Stat()
	if err != nil || time.Since(info.ModTime()) < young || lock(f) != nil {
		return err
	}
	return removeIfThere(path)
}

// lock makes the file this process's own until it is closed, or fails at once.
func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
