package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"t2sda/graphs/weights"
	"t2sda/internal/atomicfile"
	"t2sda/internal/packages"
)

// Options says where weights go and what is told on the way.
type Options struct {
	Dir      string                                         // the cache; empty: [CacheDir]
	Force    bool                                           // fetch what is there already, too
	SHA256   string                                         // of the file, hex; empty: as the name and the source have it
	Say      func(line string)                              // steps of the work; nil: silence
	Progress func(what, units string) func(done, total int) // of one download; nil: silence
	client   *http.Client                                   // nil: the program's own
	backoff  func(failures int) time.Duration               // nil: a second, two, four, …
}

// CacheError says that weights cannot be cached: there is no folder for them, or none
// that takes files. They can still be fetched into another one.
type CacheError struct{ err error }

// Error says what mends it.
func (e *CacheError) Error() string {
	return fmt.Sprintf("weights cannot be cached: %v (set XDG_CACHE_HOME to a folder that takes files, or write them elsewhere: t2sda weights fetch NAME --out F, then model.init=F)", e.err)
}

func (e *CacheError) Unwrap() error { return e.err }

// Fetch returns the file of the weights called name, which [weights.Open] reads: out
// of the cache, or else fetched there. Names are those of [Known],
// hf:OWNER/NAME[@REVISION][:FILE], and https URLs; #sha256=… behind one of the latter
// pins its content. What an interrupted download has left is continued. One process
// fetches at a time, the others wait. When it fails, nothing that is not whole stands
// in the cache under its name; where the network is at fault the error says what to
// put there by hand. A cache that takes no files is a *[CacheError].
func Fetch(ctx context.Context, name string, o Options) (string, error) {
	src, err := parse(name, o.SHA256)
	if err != nil {
		return "", err
	}
	j, err := o.job(src)
	if err != nil {
		return "", err
	}
	if !o.Force {
		file, err := cached(j.dir)
		if err == nil {
			return file, nil
		}
		if d := new(damagedError); errors.As(err, &d) {
			j.sayf("%v: it is fetched again", err)
		}
	}
	if err := atomicfile.TryDir(j.dir); err != nil {
		return "", &CacheError{err}
	}
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return "", &CacheError{err}
	}
	file, err := j.locked(ctx, o.Force)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("weights %s: %w", name, j.advise(err))
	}
	return file, err
}

// job is the fetching of one source into its folder of the cache.
type job struct {
	Options
	src source
	dir string
}

func (o Options) job(src source) (*job, error) {
	if o.Dir == "" {
		dir, err := CacheDir()
		if err != nil {
			return nil, &CacheError{err}
		}
		o.Dir = dir
	}
	if o.client == nil {
		o.client = newClient()
	}
	return &job{o, src, filepath.Join(o.Dir, entryName(src))}, nil
}

// locked fetches while no other process does.
func (j *job) locked(ctx context.Context, force bool) (string, error) {
	unlock, err := j.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if !force {
		if file, err := cached(j.dir); err == nil {
			return file, nil // another process has just fetched it
		}
	}
	if err := j.clear(force); err != nil {
		return "", err
	}
	files, err := j.src.get(ctx, j)
	if err != nil {
		return "", err
	}
	if err := j.try(files[0]); err != nil {
		return "", errors.Join(err, j.clear(true))
	}
	if err := j.record(files); err != nil {
		return "", err
	}
	return filepath.Join(j.dir, files[0]), nil
}

// try opens what was fetched: a page of a hotel's network is not weights.
func (j *job) try(file string) error {
	f, err := weights.Open(filepath.Join(j.dir, file))
	if err != nil {
		return fmt.Errorf("what was fetched is not weights, and not kept: %w", err)
	}
	return f.Close()
}

// advise adds what to do without a network to an error that comes of there being none.
func (j *job) advise(err error) error {
	if offline := new(offlineError); errors.As(err, &offline) || isPassing(err) || packages.IsClientFailure(err) {
		return fmt.Errorf("%w. Without a network here: %s", err, j.src.byHand(j.dir))
	}
	return err
}

func (j *job) sayf(format string, args ...any) {
	if j.Say != nil {
		j.Say(fmt.Sprintf(format, args...))
	}
}

// offlineError is a server that was not reached.
type offlineError struct{ err error }

func (e *offlineError) Error() string { return e.err.Error() }
func (e *offlineError) Unwrap() error { return e.err }
