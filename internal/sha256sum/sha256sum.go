// Package sha256sum makes SHA-256 digests, hexadecimal, and lists of them in the form of
// sha256sum(1), so that this program and that one check the same files.
package sha256sum

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// Of returns the digest of content.
func Of(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Line is the line of a list about the file of that name.
func Line(digest, name string) string { return digest + "  " + name + "\n" }

// List is the list of digests by file name, sorted by name.
func List(digests map[string]string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		b.WriteString(Line(digests[name], name))
	}
	return b.Bytes()
}

// File returns the digest of a regular file.
func File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &fs.PathError{Op: "hash", Path: path, Err: errors.New("not a regular file")}
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
