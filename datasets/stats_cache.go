package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"

	"t2sda/internal/imagefile"
	"t2sda/internal/sealed"
	"t2sda/internal/usercache"
)

// statsVersion is part of the key; it grows with the meaning of the counts.
const statsVersion = 1

// statsKey hashes everything that the counts depend on.
func (d *Dataset) statsKey() (string, error) {
	h := sha256.New()
	hashInt(h, statsVersion, imagefile.Version, int64(d.channel), int64(len(d.labels.table)), int64(len(d.labels.space.Classes)))
	d.labels.hash(h)
	for _, name := range d.labels.space.Names() {
		hashString(h, name)
	}
	for _, it := range d.items {
		hashString(h, it.ID)
		if err := hashFile(h, d.opts.at(), it.Label); err != nil {
			return "", fmt.Errorf("datasets: label: %w", err)
		}
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
	s := new(Stats)
	if sealed.Read(file, s) != nil || d.CheckStats(s) != nil {
		return nil
	}
	s.Root = d.opts.Root
	return s
}

// CheckStats returns an error unless the counts, which were read from a file, can be
// those of the data set: of its files, in its order, and of its classes.
func (d *Dataset) CheckStats(s *Stats) error {
	classes := d.Space().Names()
	if len(s.Files) != d.Len() || !slices.Equal(s.Classes, classes) {
		return fmt.Errorf("class counts of %d files and classes %v, not of the %d files and classes %v here", len(s.Files), s.Classes, d.Len(), classes)
	}
	sum := make([]int64, len(classes))
	for i, f := range s.Files {
		if f.ID != d.items[i].ID || len(f.Pixels) != len(classes) || f.W < 0 || f.H < 0 {
			return fmt.Errorf("class counts of file %d: of %q, for %d classes, at %d×%d pixels", i, f.ID, len(f.Pixels), f.W, f.H)
		}
		for c, n := range f.Pixels {
			if n < 0 || sum[c] > math.MaxInt64/256-n { // of 255 classes the sum fits as well
				return fmt.Errorf("class counts of file %d: %d pixels of class %s", i, n, classes[c])
			}
			sum[c] += n
		}
	}
	if !slices.Equal(sum, s.Pixels) {
		return errors.New("class counts that are not the sums of the files' ones")
	}
	return nil
}

// StatsCache returns the folder for class statistics, and for models of cameras,
// in the user's cache, which training and the command line share. Where the
// environment names no cache, the error says what to set.
func StatsCache() (string, error) {
	dir, err := usercache.Dir("stats")
	if err != nil {
		return "", fmt.Errorf("there is no cache folder to keep class statistics in (set HOME or XDG_CACHE_HOME): %w", err)
	}
	return dir, nil
}

// ImagesKey identifies what [Dataset.LoadImage] returns: it is a hash of the
// image files' paths, sizes and modification times and of the size that images
// are brought to.
func (d *Dataset) ImagesKey() (string, error) {
	h := sha256.New()
	hashInt(h, imagefile.Version, int64(d.opts.Width), int64(d.opts.Height), int64(d.Len()))
	for _, it := range d.items {
		if err := hashFile(h, d.opts.at(), it.Image); err != nil {
			return "", fmt.Errorf("datasets: image: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// NamesKey identifies the images by their names, in order, wherever they lie.
func (d *Dataset) NamesKey() string {
	h := sha256.New()
	for _, it := range d.items {
		hashString(h, it.ID)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// hashFile adds a file's absolute path, size and modification time.
func hashFile(h hash.Hash, at place, name string) error {
	info, err := at.Stat(name)
	if err != nil {
		return err
	}
	abs, err := wholeName(name)
	if err != nil {
		return err
	}
	hashString(h, abs)
	hashInt(h, info.Size(), info.ModTime().UnixNano())
	return nil
}
