package orchestrator

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/atomicfile"
)

// sumsFile holds the SHA-256 of every other file of a checkpoint, in the form of
// sha256sum(1): `sha256sum -c SHA256SUMS` says the same as [verify]. A network
// of 85 million parameters leaves 1.4 GB, which takes two or three seconds, of
// many minutes between checkpoints; a faster sum would need a tool of its own.
const sumsFile = "SHA256SUMS"

// errUnsummed is what checkpoints from before there were sums are met with:
// they are used, since nothing else of their runs is left.
var errUnsummed = errors.New("it was written before there were checksums: whether it is whole is not known")

// sums are digests, hexadecimal, by file name.
type sums map[string]string

// write writes a file of dir and notes the digest of what was to be written.
func (s sums) write(dir, name string, write func(w io.Writer) error) error {
	h := sha256.New()
	err := atomicfile.WriteFunc(filepath.Join(dir, name), func(w io.Writer) error {
		return write(io.MultiWriter(w, h))
	})
	s[name] = hex.EncodeToString(h.Sum(nil))
	return err
}

// text is the file's content, sorted by name.
func (s sums) text() []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s  %s\n", s[name], name)
	}
	return b.Bytes()
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
		s[name] = digest
	}
	if !bytes.Equal(s.text(), text) {
		return nil, fmt.Errorf("its %s is not what was written", sumsFile)
	}
	return s, nil
}

// verify reads every file of a checkpoint directory and returns an error that
// names the file unless each byte is what was written, and [errUnsummed] where
// nothing tells.
func verify(dir string) error {
	s, err := readSums(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return errUnsummed
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); s[name] == "" && (name == stateFile || filepath.Ext(name) == filepath.Ext(studentFile)) {
			return fmt.Errorf("its %s does not list %s", sumsFile, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if err := verifyFile(filepath.Join(dir, name), s[name]); err != nil {
			return err
		}
	}
	return nil
}

// verifyFile compares a file with its digest.
func verifyFile(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	h := sha256.New()
	if _, err := io.Copy(h, bufio.NewReaderSize(f, 1<<20)); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != want {
		return fmt.Errorf("its %s is not what was written", filepath.Base(path))
	}
	return nil
}

// verifyWeights compares a file of weights with its line in the sums file beside
// it: with what a run wrote, where it is of a checkpoint. Without such a line
// there is nothing to compare it with.
func verifyWeights(path string) error {
	dir, name := filepath.Split(path)
	text, err := os.ReadFile(filepath.Join(dir, sumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && strings.TrimPrefix(fields[1], "*") == name {
			if err := verifyFile(path, strings.ToLower(fields[0])); err != nil {
				return fmt.Errorf("%s is damaged, or changed: %w (%s says so)", path, err, filepath.Join(dir, sumsFile))
			}
		}
	}
	return nil
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
