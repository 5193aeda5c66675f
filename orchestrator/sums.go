package orchestrator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"t2sda/graphs/weights"
	"t2sda/internal/atomicfile"
	"t2sda/internal/sha256sum"
)

// sumsFile holds the SHA-256 of every other file of a checkpoint, in the form of
// sha256sum(1): `sha256sum -c SHA256SUMS` says the same as [saved.rest]. A network
// of 85 million parameters leaves 1.4 GB, which takes a second or two of one
// core beside the writing, of many minutes between checkpoints; a faster sum would need a
// tool of its own.
const sumsFile = "SHA256SUMS"

// errUnsummed is what checkpoints from before there were sums are met with:
// they are used, since nothing else of their runs is left.
var errUnsummed = errors.New("it was written before there were checksums: whether it is whole is not known")

// sums are digests, hexadecimal, by file name.
type sums map[string]string

// write writes a file of dir and notes the digest of what was to be written. It is made
// meanwhile, from what write produces a second time: disks take longer than that, and
// nothing is copied from one to the other.
func (s sums) write(disk atomicfile.Disk, dir, name string, write func(w io.Writer) error) error {
	h := sha256.New()
	hashed := make(chan error, 1)
	go func() { hashed <- write(h) }()
	err := disk.WriteFunc(filepath.Join(dir, name), write)
	err = errors.Join(err, <-hashed)
	s[name] = hex.EncodeToString(h.Sum(nil))
	return err
}

// readSums reads the sums file of dir; none is [fs.ErrNotExist].
func readSums(dir string) (sums, error) {
	text, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if err != nil {
		return nil, err
	}
	s := sums{}
	for line := range strings.Lines(string(text)) {
		digest, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if name != filepath.Base(name) || !filepath.IsLocal(name) { // never read what lies elsewhere
			return nil, changedError(sumsFile)
		}
		s[name] = digest
	}
	if !bytes.Equal(sha256sum.List(s), text) {
		return nil, changedError(sumsFile)
	}
	return s, nil
}

// summed is a file whose digest is taken while it is read, so that large files are
// read once. Nothing of it may be read by two goroutines.
type summed struct {
	file *os.File
	hash hash.Hash
	end  int64 // of what is in the hash
}

func openSummed(path string) (*summed, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a FIFO, say, is waited for, a device never ends
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &summed{file: f, hash: sha256.New()}, nil
}

// ReadAt implements [io.ReaderAt]. What is passed over is read for the digest
// alone.
func (s *summed) ReadAt(p []byte, at int64) (int, error) {
	if err := s.pass(at); err != nil {
		return 0, err
	}
	n, err := s.file.ReadAt(p, at)
	if known := s.end - at; known >= 0 && known < int64(n) { // else at is behind the file's end, or all is known
		s.hash.Write(p[known:n]) // never fails
		s.end = at + int64(n)
	}
	return n, err
}

// pass puts what lies before an offset into the digest.
func (s *summed) pass(to int64) error {
	if to <= s.end {
		return nil // as for every tensor but those after a gap
	}
	n, err := io.CopyBuffer(s.hash, io.NewSectionReader(s.file, s.end, to-s.end), make([]byte, 1<<20))
	s.end += n
	return err
}

// close reads what is left of the file, closes it and returns its digest.
func (s *summed) close() (digest string, err error) {
	err = errors.Join(s.pass(math.MaxInt64), s.file.Close())
	return hex.EncodeToString(s.hash.Sum(nil)), err
}

// loadSummed reads a file of tensors, and with it its digest. want is the digest
// of what was written; empty: not known. A file of another one is not looked into:
// what else is wrong with it follows from that.
func loadSummed(path, want string) (_ []weights.Tensor, err error) {
	f, err := openSummed(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		have, sumErr := f.close()
		switch {
		case sumErr != nil:
			err = errors.Join(err, sumErr)
		case want != "" && have != want:
			err = changedError(filepath.Base(path))
		}
	}()
	info, err := f.file.Stat()
	if err != nil {
		return nil, err
	}
	tensors, _, err := weights.Decode(path, f, info.Size())
	return tensors, err
}

// changedError names a file whose digest is not that of what was written.
type changedError string

func (e changedError) Error() string { return fmt.Sprintf("its %s is not what was written", string(e)) }

// digestBeside returns the digest of a file of weights by the sums file beside
// it, which says what a run wrote where the file is of a checkpoint; empty where
// nothing is said of it.
func digestBeside(path string) (string, error) {
	dir, name := filepath.Split(path)
	text, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && strings.TrimPrefix(fields[1], "*") == name {
			return strings.ToLower(fields[0]), nil
		}
	}
	return "", nil
}

// damagedError tells of a checkpoint that is not what was written.
type damagedError struct {
	dir   string
	fault error
}

func (e *damagedError) Error() string {
	return fmt.Sprintf("checkpoint %s is damaged, or changed: %v", e.dir, e.fault)
}

func (e *damagedError) Unwrap() error { return e.fault }
