package datasets

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"t2sda/internal/parallel"
	"t2sda/internal/sealed"
)

// FileStats counts the pixels of one label file at its own size.
type FileStats struct {
	ID     string  `json:"id"`
	W      int     `json:"w"`
	H      int     `json:"h"`
	Pixels []int64 `json:"pixels"` // per class
	Void   int64   `json:"void"`
}

// Stats counts the pixels of each class in a data set's label files.
type Stats struct {
	Root    string      `json:"root"`
	Classes []string    `json:"classes"`
	Pixels  []int64     `json:"pixels"` // per class, all files
	Void    int64       `json:"void"`
	Files   []FileStats `json:"files"` // in the data set's order

	// Unkept says why counts that were just made will have to be made again; nil
	// where they are kept, or were not to be.
	Unkept error `json:"-"`
	// Faults are the images whose labels could not be read, with Options.KeepGoing:
	// no pixel of theirs is counted. Such counts are never kept.
	Faults []Fault `json:"faults,omitempty"`
}

// EmptyClassError tells which classes occur in no label file.
type EmptyClassError struct {
	Root    string
	Classes []string
	Files   int
}

func (e *EmptyClassError) Error() string {
	return fmt.Sprintf("datasets: %s: no pixel of %s in any of the %d label files (check the label map; a class that the data set does not have is never learned from it)",
		e.Root, quoteAll(e.Classes), e.Files)
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	kind := "class "
	if len(names) > 1 {
		kind = "classes "
	}
	return kind + strings.Join(quoted, ", ")
}

// missing returns the names of the classes that no file has.
func (s *Stats) missing() []string {
	var names []string
	for c, n := range s.Pixels {
		if n == 0 {
			names = append(names, s.Classes[c])
		}
	}
	return names
}

// CheckClasses returns an [EmptyClassError] when a class occurs in no file.
// Whether that is a mistake depends on the data (SYNTHIA has no terrain), so
// callers decide whether to stop or to warn with its text.
func (s *Stats) CheckClasses() error {
	if missing := s.missing(); len(missing) > 0 {
		return &EmptyClassError{Root: s.Root, Classes: missing, Files: len(s.Files)}
	}
	return nil
}

// Stats counts the pixels per class of every label file, at the files' own
// size, on workers goroutines (0: one per core). The counts are kept in
// cacheDir (empty: nowhere) under a name made of everything they depend on: the
// label files' paths, sizes and modification times, the label map and the
// channel. A changed file thus leads to a new count, never to a stale one. A
// folder that cannot be read or written costs time only, see [Stats.Unkept]. An
// image of another size than its label is an error.
// Each progress function is called after each file, from one goroutine at a
// time; not at all when the counts come from the cache.
func (d *Dataset) Stats(ctx context.Context, workers int, cacheDir string, progress ...func(done, total int)) (*Stats, error) {
	if i := d.firstUnlabelled(); i >= 0 {
		return nil, fmt.Errorf("datasets: class statistics need labels: %w", d.needLabel(i))
	}
	if cacheDir == "" {
		return d.count(ctx, workers, progress)
	}
	key, err := d.statsKey()
	if err != nil && d.opts.KeepGoing {
		return d.count(ctx, workers, progress)
	}
	if err != nil {
		return nil, err
	}
	file := filepath.Join(cacheDir, "class-stats-"+key+".json")
	if s := d.readStats(file); s != nil {
		return s, nil
	}
	s, err := d.count(ctx, workers, progress)
	if err != nil {
		return nil, err
	}
	if now, err := d.statsKey(); err != nil || now != key || len(s.Faults) > 0 {
		return s, nil // a file changed while the counts were made: of which of its contents they are is unknown
	}
	if err := sealed.Write(file, s); err != nil {
		s.Unkept = fmt.Errorf("class statistics are not kept for the next time: %w", err)
	}
	return s, nil
}

// count reads all label files.
func (d *Dataset) count(ctx context.Context, workers int, progress []func(done, total int)) (*Stats, error) {
	s := &Stats{Root: d.opts.Root, Classes: d.Space().Names(), Files: make([]FileStats, d.Len())}
	s.Pixels = make([]int64, len(s.Classes))
	faults := make([]error, d.Len())
	src := d.source(ctx)
	err := parallel.ForEach(ctx, workers, d.Len(), progress, func(i int) (err error) {
		if s.Files[i], err = d.countFile(src, i); err != nil && d.opts.KeepGoing {
			s.Files[i] = FileStats{ID: d.items[i].ID, Pixels: make([]int64, len(s.Pixels))}
			faults[i], err = err, nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, err := range faults {
		if err != nil {
			s.Faults = append(s.Faults, Fault{d.items[i].Image, err.Error()})
		}
	}
	if n := len(s.Faults); n > 0 && n == d.Len() {
		return nil, fmt.Errorf("none of the %d labels can be read, the first: %s", n, s.Faults[0].Error)
	}
	for _, f := range s.Files {
		s.Void += f.Void
		for c, n := range f.Pixels {
			s.Pixels[c] += n
		}
	}
	return s, nil
}
