package shards

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"t2sda/internal/catalog"
	"t2sda/internal/parallel"
	"t2sda/internal/sealed"
)

// Archive is a tar file, wherever it lies.
type Archive interface {
	catalog.Content
	Name() string       // its place
	ID() string         // tells it from all others, and from what it was before a change
	Size() int64        // bytes
	ModTime() time.Time // of its last change
	// Reader opens the archive for its headers: small reads at rising places.
	Reader(ctx context.Context) (Reader, error)
}

// Reader is an open archive.
type Reader interface {
	io.ReaderAt
	io.Closer
}

// indexVersion is part of every index's name; it grows with what an index holds.
const indexVersion = 1

// Read returns the files of archives in their order. The indices are kept in the folder
// cache (empty: nowhere), each under a name made of its archive's ID,
// so that an archive is read through once, and again when it has changed. What is wrong
// with an archive goes to problem, which is called in the archives' order: what it
// returns ends the work, unless it is nil, in which case the files before the fault stay.
func Read(ctx context.Context, cache string, archives []Archive, problem func(error) error) ([]catalog.Entry, error) {
	const workers = 8 // that wait for disks and networks
	members, faults := make([][]Member, len(archives)), make([]error, len(archives))
	err := parallel.ForEach(ctx, workers, len(archives), nil, func(i int) error {
		members[i], faults[i] = read(ctx, cache, archives[i])
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	var all []catalog.Entry
	for i, a := range archives {
		if faults[i] != nil {
			if err := problem(fmt.Errorf("shard %s: %w", a.Name(), faults[i])); err != nil {
				return nil, err
			}
		}
		for _, m := range members[i] {
			all = append(all, catalog.Entry{
				Path: m.Name, Place: a.Name() + "/" + m.Name,
				At: m.At, Size: m.Size, ModTime: a.ModTime(), Content: a,
			})
		}
	}
	return all, nil
}

// read returns the members of an archive, from its index if there is one.
func read(ctx context.Context, cache string, a Archive) ([]Member, error) {
	file := ""
	if cache != "" {
		file = filepath.Join(cache, indexName(a))
		if known, ok := readIndex(file, a.Size()); ok {
			return known, nil
		}
	}
	r, err := a.Reader(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	all, err := Index(r, a.Size())
	if err == nil && file != "" {
		_ = sealed.Write(file, all) // an index that is not kept is made anew
	}
	return all, err
}

// readIndex reads an index that can be that of an archive of size bytes.
func readIndex(file string, size int64) ([]Member, bool) {
	var all []Member
	if sealed.Read(file, &all) != nil {
		return nil, false
	}
	for _, m := range all {
		if m.Name == "" || m.At < 0 || m.Size < 0 || m.At > size || m.Size > size-m.At {
			return nil, false
		}
	}
	return all, true
}

func indexName(a Archive) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", indexVersion, a.ID()))
	return hex.EncodeToString(sum[:16]) + ".json"
}
