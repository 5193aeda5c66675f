package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/s2"

	"t2sda/internal/atomicfile"
	"t2sda/internal/cachedir"
	"t2sda/internal/freespace"
	"t2sda/internal/imagefile"
	"t2sda/internal/limit"
)

// diskVersion is part of every key; it grows when the same pixels, size and map give
// other bytes. [imagefile.Version] tells of other pixels.
const diskVersion = 1

// diskReserve is the space that a cache leaves free on its disk: what the
// checkpoints of the largest network take, so that filling the cache never
// costs a run its result.
const diskReserve = 10 << 30

// DiskCache keeps decoded, resized images and mapped, resized labels in a
// folder, so that only the first epoch decodes. An entry's name is made of all
// that it depends on: the file's path, size and modification time, the target
// size, for labels the map, and the format. A changed file or setting thus
// leads to another entry, never to a stale one; entries appear whole or not at
// all and carry a checksum. Any number of processes may share a folder, and
// anyone may delete it at any time.
//
// Entries are S2 blocks: about 2 bytes a pixel of a photograph, next to nothing
// for labels, read in less than a tenth of the time that decoding takes.
type DiskCache struct {
	dir     string
	reserve uint64
	warn    func(error)
	stopped atomic.Bool   // nothing is written any more
	written atomic.Uint64 // entries, for looking at the free space now and then
}

// OpenDiskCache makes the folder and proves that it can be written to. When
// writing fails later, or the disk has less than 10 GB left, warn is called
// once; from then on the cache is only read.
func OpenDiskCache(dir string, warn func(error)) (*DiskCache, error) {
	c := &DiskCache{dir: dir, reserve: diskReserve, warn: warn}
	if err := cachedir.Open(dir, "Images decoded"); err != nil {
		return nil, fmt.Errorf("datasets: image cache: %w", err)
	}
	return c, nil
}

// entry is what the cache keeps: a picture or labels.
type entry struct {
	w, h   int
	w0, h0 int // size of the file
	pix    []byte
}

// entryKind says what is made of a file: the size (0×0: the file's), the bytes
// a pixel, and for labels the fingerprint of their map.
type entryKind struct {
	w, h, bytes int
	mapping     string
}

// fingerprint tells label maps, and what they read, apart.
func (d *Dataset) fingerprint() string {
	if d.labels == nil || d.opts.Disk == nil {
		return ""
	}
	h := sha256.New()
	hashInt(h, int64(d.channel), int64(len(d.labels.table)))
	d.labels.hash(h)
	return string(h.Sum(nil))
}

// through returns the entry of a file from the cache or else from decode, whose
// result it keeps. A nil cache decodes.
func (c *DiskCache) through(at place, name string, kind entryKind, decode func() (entry, error)) (entry, error) {
	if c == nil {
		return decode()
	}
	before, err := at.Stat(name)
	if err != nil {
		return decode() // its error says more
	}
	file := c.file(name, before, kind)
	if e, err := readEntry(file, kind); err == nil {
		return e, nil
	}
	e, err := decode()
	if err != nil {
		return e, err
	}
	after, err := at.Stat(name)
	if err == nil && after.Size() == before.Size() && after.ModTime().Equal(before.ModTime()) {
		c.write(file, e)
	}
	return e, nil
}

// file names the entry of a file.
func (c *DiskCache) file(name string, info fs.FileInfo, kind entryKind) string {
	if abs, err := wholeName(name); err == nil {
		name = abs
	}
	h := sha256.New()
	hashInt(h, diskVersion, imagefile.Version, int64(kind.w), int64(kind.h), int64(kind.bytes), info.Size(), info.ModTime().UnixNano())
	hashString(h, kind.mapping)
	hashString(h, name)
	return cachedir.Entry(c.dir, hex.EncodeToString(h.Sum(nil)[:16]))
}

// entryHead is at the start of an entry: magic and four sizes; a checksum of
// them and of the packed pixels follows it.
const (
	entryMagic = "t2sdapix"
	entryHead  = len(entryMagic) + 4*4
	entryStart = entryHead + 4
)

var errEntry = errors.New("not an entry of this cache")

// buffers hold entries on their way.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// readEntry returns an error for files that are missing, damaged or of another
// kind: what they should hold is then decoded.
func readEntry(file string, kind entryKind) (entry, error) {
	f, err := os.Open(file)
	if err != nil {
		return entry{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return entry{}, err
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if info.Size() > maxEntry(kind) { // no memory for what cannot be one
		return entry{}, errEntry
	}
	*buf = growBytes(*buf, int(info.Size()))
	if _, err := f.ReadAt(*buf, 0); err != nil {
		return entry{}, err
	}
	return parseEntry(*buf, kind)
}

// maxEntry is the size of the largest file that holds an entry of the kind.
func maxEntry(kind entryKind) int64 {
	pixels := kind.w * kind.h
	if pixels == 0 {
		pixels, _ = limit.Pixels() // an error leaves none: everything is decoded then, and says it
	}
	return int64(entryStart) + int64(max(s2.MaxEncodedLen(pixels*kind.bytes), 0))
}

func growBytes(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

func parseEntry(b []byte, kind entryKind) (entry, error) {
	if len(b) < entryStart || string(b[:len(entryMagic)]) != entryMagic {
		return entry{}, errEntry
	}
	sum := crc32.Update(crc32.ChecksumIEEE(b[:entryHead]), crc32.IEEETable, b[entryStart:])
	if sum != binary.LittleEndian.Uint32(b[entryHead:]) {
		return entry{}, errEntry
	}
	size := func(i int) int { return int(binary.LittleEndian.Uint32(b[len(entryMagic)+4*i:])) }
	e := entry{w: size(0), h: size(1), w0: size(2), h0: size(3)}
	// The products below do not overflow: four bytes a pixel are the most.
	if limit.Check(e.w, e.h) != nil || limit.Check(e.w0, e.h0) != nil || min(e.w, e.h, e.w0, e.h0) == 0 {
		return entry{}, errEntry
	}
	n, err := s2.DecodedLen(b[entryStart:])
	if err != nil || n != e.w*e.h*kind.bytes || kind.w > 0 && (e.w != kind.w || e.h != kind.h) {
		return entry{}, errEntry
	}
	if e.pix, err = s2.Decode(nil, b[entryStart:]); err != nil {
		return entry{}, err
	}
	return e, nil
}

// write keeps an entry, unless an earlier failure has ended writing.
func (c *DiskCache) write(file string, e entry) {
	if c.stopped.Load() {
		return
	}
	if err := c.put(file, e); err != nil && !c.stopped.Swap(true) {
		c.warn(fmt.Errorf("image cache: nothing more is written, what is not in it yet is decoded each time: %w", err))
	}
}

func (c *DiskCache) put(file string, e entry) error {
	const every = 32 // entries, at most some 100 MB
	if c.written.Add(1)%every == 1 {
		if free, ok := freespace.Of(c.dir); ok && free < c.reserve {
			return fmt.Errorf("%s has %.1f GB left on its disk, %.0f GB are left free", c.dir, float64(free)/1e9, float64(c.reserve)/1e9)
		}
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	*buf = growBytes(*buf, entryStart+s2.MaxEncodedLen(len(e.pix)))
	b := *buf
	copy(b, entryMagic)
	for i, n := range []int{e.w, e.h, e.w0, e.h0} {
		binary.LittleEndian.PutUint32(b[len(entryMagic)+4*i:], uint32(n))
	}
	packed := s2.Encode(b[entryStart:], e.pix)
	sum := crc32.Update(crc32.ChecksumIEEE(b[:entryHead]), crc32.IEEETable, packed)
	binary.LittleEndian.PutUint32(b[entryHead:], sum)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	// The checksum tells what a failing machine leaves of it.
	return atomicfile.WriteUnsynced(file, func(w io.Writer) error {
		_, err := w.Write(b[:entryStart+len(packed)])
		return err
	})
}
