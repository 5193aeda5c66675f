package bucket

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"t2sda/internal/atomicfile"
	"t2sda/internal/cachedir"
	"t2sda/internal/freespace"
)

// Cache keeps what was fetched in a folder, up to a number of bytes: what was not
// looked at for the longest time goes first. Entries appear whole or not at all and
// carry a checksum. Any number of processes may share a folder, and anyone may delete
// it at any time. Each process looks at what the others have written after every
// sixteenth of the limit that it writes itself: together they exceed it by no more.
//
// A cache that cannot be written to costs time only. It is safe for concurrent use; a
// nil one keeps nothing.
type Cache struct {
	dir     string
	limit   int64
	reserve uint64 // what is left free on the disk, bytes

	mu     sync.Mutex
	total  int64 // bytes in the folder, as far as this process knows
	unseen int64 // written since it looked
}

// OpenCache opens a cache of a folder, which it makes.
func OpenCache(dir string, limit int64) (*Cache, error) {
	if err := cachedir.Open(dir, "Files fetched"); err != nil {
		return nil, fmt.Errorf("cache of fetched files: %w", err)
	}
	return &Cache{dir: dir, limit: limit, reserve: reserve, unseen: limit}, nil // the first put looks at the folder
}

// reserve is the space that is left free on the disk: what the checkpoints of the
// largest network take, so that what was fetched never costs a run its result.
const reserve = 10 << 30

// sumBytes is the length of the checksum behind an entry.
const sumBytes = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (c *Cache) file(name string) string { return cachedir.Entry(c.dir, name) }

// get returns an entry that is whole.
func (c *Cache) get(name string) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	b, err := os.ReadFile(c.file(name))
	if err != nil || len(b) < sumBytes {
		return nil, false
	}
	content, sum := b[:len(b)-sumBytes], b[len(b)-sumBytes:]
	if crc32.Checksum(content, castagnoli) != binary.LittleEndian.Uint32(sum) {
		return nil, false
	}
	now := time.Now()
	_ = os.Chtimes(c.file(name), now, now) // else it goes earlier than it should
	return content, true
}

// put keeps an entry, after others have made room for it, unless the disk is short of
// space.
func (c *Cache) put(name string, content []byte) {
	size := int64(len(content) + sumBytes)
	if c == nil || size > c.limit {
		return
	}
	if free, ok := freespace.Of(c.dir); ok && free < c.reserve {
		return
	}
	c.mu.Lock()
	if c.total+size > c.limit || c.unseen > c.limit/16 {
		c.shrink(c.limit - size)
	}
	c.total, c.unseen = c.total+size, c.unseen+size
	c.mu.Unlock()
	file := c.file(name)
	if os.MkdirAll(filepath.Dir(file), 0o777) != nil {
		return
	}
	_ = atomicfile.WriteUnsynced(file, func(w io.Writer) error { // the checksum tells what a failing machine leaves of it
		if _, err := w.Write(content); err != nil {
			return err
		}
		return binary.Write(w, binary.LittleEndian, crc32.Checksum(content, castagnoli))
	})
}

// shrink looks at the folder and, if it holds more than bound, removes entries until it
// holds nine tenths of it. The caller holds the lock.
func (c *Cache) shrink(bound int64) {
	type entry struct {
		path string
		size int64
		used time.Time
	}
	var all []entry
	c.total, c.unseen = 0, 0
	_ = filepath.WalkDir(c.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || filepath.Dir(path) == c.dir {
			return nil
		}
		if info, err := e.Info(); err == nil { // else another process has removed it
			all = append(all, entry{path, info.Size(), info.ModTime()})
			c.total += info.Size()
		}
		return nil
	})
	if c.total <= bound {
		return
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path))
	})
	for _, e := range all {
		if c.total <= bound*9/10 {
			return
		}
		if err := os.Remove(e.path); err == nil || os.IsNotExist(err) {
			c.total -= e.size
		}
	}
}
