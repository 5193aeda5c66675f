package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
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

// Missing returns the names of the classes that no file has.
func (s *Stats) Missing() []string {
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
	if missing := s.Missing(); len(missing) > 0 {
		return &EmptyClassError{Root: s.Root, Classes: missing, Files: len(s.Files)}
	}
	return nil
}

// Stats counts the pixels per class of every label file, at the files' own
// size, on workers goroutines (0: one per core). The counts are kept in
// cacheDir (empty: nowhere) under a name made of everything they depend on: the
// label files' paths, sizes and modification times, the label map and the
// channel. A changed file thus leads to a new count, never to a stale one.
// Each progress function is called after each file, from one goroutine at a
// time; not at all when the counts come from the cache.
func (d *Dataset) Stats(ctx context.Context, workers int, cacheDir string, progress ...func(done, total int)) (*Stats, error) {
	if i := d.firstUnlabelled(); i >= 0 {
		return nil, fmt.Errorf("datasets: class statistics need labels: %w", d.needLabel(i))
	}
	file := ""
	if cacheDir != "" {
		key, err := d.statsKey()
		if err != nil {
			return nil, err
		}
		file = filepath.Join(cacheDir, "class-stats-"+key+".json")
		if s := d.readStats(file); s != nil {
			return s, nil
		}
		if err := checkWritable(cacheDir); err != nil { // before the work, not after it
			return nil, fmt.Errorf("datasets: class statistics: %w", err)
		}
	}
	s, err := d.count(ctx, workers, progress)
	if err != nil {
		return nil, err
	}
	if file != "" {
		if err := writeStats(file, s); err != nil {
			return nil, fmt.Errorf("datasets: class statistics: %w", err)
		}
	}
	return s, nil
}

// count reads all label files.
func (d *Dataset) count(ctx context.Context, workers int, progress []func(done, total int)) (*Stats, error) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	s := &Stats{Root: d.opts.Root, Classes: d.Space().Names(), Files: make([]FileStats, d.Len())}
	s.Pixels = make([]int64, len(s.Classes))
	var mu sync.Mutex
	done := 0
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(workers, d.Len()) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= d.Len() {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				f, err := d.countFile(i)
				if err != nil {
					return err
				}
				s.Files[i] = f
				mu.Lock()
				done++
				for _, report := range progress {
					report(done, d.Len())
				}
				mu.Unlock()
			}
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, f := range s.Files {
		s.Void += f.Void
		for c, n := range f.Pixels {
			s.Pixels[c] += n
		}
	}
	return s, nil
}

// statsVersion is part of the key; it grows with the meaning of the counts.
const statsVersion = 1

// statsKey hashes everything that the counts depend on.
func (d *Dataset) statsKey() (string, error) {
	h := sha256.New()
	hashInt(h, statsVersion, int64(d.channel), int64(len(d.labels.table)), int64(len(d.labels.space.Classes)))
	for _, id := range d.labels.table {
		hashInt(h, int64(id))
	}
	for _, name := range d.labels.space.Names() {
		hashString(h, name)
	}
	for _, it := range d.items {
		info, err := os.Stat(it.Label)
		if err != nil {
			return "", fmt.Errorf("datasets: label: %w", err)
		}
		abs, err := filepath.Abs(it.Label)
		if err != nil {
			return "", fmt.Errorf("datasets: label: %w", err)
		}
		hashString(h, it.ID)
		hashString(h, abs)
		hashInt(h, info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

func hashInt(h hash.Hash, values ...int64) {
	var b [8]byte
	for _, v := range values {
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		h.Write(b[:]) // never fails
	}
}

func hashString(h hash.Hash, s string) {
	hashInt(h, int64(len(s)))
	io.WriteString(h, s) // never fails
}

// readStats returns the cached counts, or nil when there are none that fit: a
// damaged file is counted anew, not reported.
func (d *Dataset) readStats(file string) *Stats {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	s := new(Stats)
	if json.Unmarshal(data, s) != nil || len(s.Files) != d.Len() || len(s.Pixels) != len(d.labels.space.Classes) {
		return nil
	}
	for i, f := range s.Files {
		if f.ID != d.items[i].ID || len(f.Pixels) != len(s.Pixels) {
			return nil
		}
	}
	s.Root = d.opts.Root
	return s
}

func checkWritable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".class-stats-*")
	if err != nil {
		return err
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// writeStats replaces the file in one step, so that a reader or a crash never
// meets half of it. The folder exists.
func writeStats(file string, s *Stats) (err error) {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".class-stats-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
