package fetch

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"t2sda/internal/atomicfile"
	"t2sda/internal/sha256sum"
	"t2sda/internal/usercache"
)

const (
	// sumsFile makes a folder of the cache an entry: it comes last, and holds the
	// digests of all files, the one to open first, as sha256sum writes them.
	sumsFile = "SHA256SUMS"
	lockFile = ".lock"
	// partSuffix and stateSuffix end the names of what has come of a file so far, and
	// of what that is.
	partSuffix, stateSuffix = ".part", ".part.json"
)

// ours reports whether a file name is taken by what the cache itself keeps.
func ours(name string) bool {
	return strings.HasPrefix(name, ".") || name == sumsFile || strings.HasSuffix(name, partSuffix) || strings.HasSuffix(name, stateSuffix)
}

// CacheDir returns the folder of fetched weights: <user's cache>/t2sda/weights.
func CacheDir() (string, error) {
	dir, err := usercache.Dir("weights")
	if err != nil {
		return "", fmt.Errorf("there is no cache folder: %w", err)
	}
	return dir, nil
}

// entryName is the folder of a source in the cache: in words, and by what is pinned,
// so that another version of the program that pins another file does not take this one.
func entryName(src source) string {
	id, slug := src.id()
	sum := sha256.Sum256([]byte(id))
	return slug + "-" + hex.EncodeToString(sum[:4])
}

// damagedError is a file of the cache that is not what was fetched.
type damagedError struct{ file string }

func (e *damagedError) Error() string {
	return fmt.Sprintf("%s is damaged, or changed: its digest is not the one noted in %s", e.file, sumsFile)
}

// cached returns the file to open of a folder of the cache, once all its files are
// what was fetched.
func cached(dir string) (string, error) {
	sums, err := readSums(dir)
	if err != nil {
		return "", err
	}
	for _, s := range sums {
		file := filepath.Join(dir, s.name)
		if have, err := sha256sum.File(file); err != nil || have != s.digest {
			return "", &damagedError{file}
		}
	}
	return filepath.Join(dir, sums[0].name), nil
}

// sum is a line of sumsFile.
type sum struct{ digest, name string }

func readSums(dir string) ([]sum, error) {
	f, err := os.Open(filepath.Join(dir, sumsFile))
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	var sums []sum
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		digest, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || len(digest) != 64 || name != filepath.Base(name) {
			return nil, &damagedError{f.Name()}
		}
		sums = append(sums, sum{digest, name})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(sums) == 0 {
		return nil, &damagedError{f.Name()}
	}
	return sums, nil
}

// record makes the folder an entry of these files.
func (j *job) record(files []string) error {
	return atomicfile.WriteFunc(filepath.Join(j.dir, sumsFile), func(w io.Writer) error {
		for _, name := range files {
			digest, err := sha256sum.File(filepath.Join(j.dir, name))
			if err != nil {
				return err
			}
			if _, err := io.WriteString(w, sha256sum.Line(digest, name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// clear removes an entry, which is damaged or not wanted any more, sums first. Files
// without sums stay unless all is meant: what has come of a download, and what was
// put there by hand.
func (j *job) clear(all bool) error {
	_, err := os.Stat(filepath.Join(j.dir, sumsFile))
	switch {
	case err == nil:
		if err := os.Remove(filepath.Join(j.dir, sumsFile)); err != nil {
			return err
		}
	case !all:
		return nil
	}
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != lockFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(j.dir, e.Name())))
		}
	}
	return err
}

// lock makes this process the only one that fetches into the folder, until the
// returned function is called. It waits for another one.
func (j *job) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(j.dir, lockFile), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, &CacheError{err}
	}
	unlock = func() { _ = f.Close() } // the lock goes with it
	for waits := 0; ; waits++ {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil, errors.Is(err, errors.ErrUnsupported): // some network file systems know no locks
			return unlock, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			unlock()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		case waits == 0:
			j.sayf("another process fetches the same: waiting for it")
		}
		select {
		case <-ctx.Done():
			unlock()
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// there reports whether the folder has a file of that name.
func (j *job) there(name string) (bool, error) {
	_, err := os.Stat(filepath.Join(j.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
