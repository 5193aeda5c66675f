// Package shards finds the files of tar archives ("shards", as WebDataset calls them)
// without unpacking them: an index says where the bytes of each lie, so that any of
// them is read by itself.
package shards

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Member is one file of an archive.
type Member struct {
	Name string `json:"n"` // its path in the archive, clean
	At   int64  `json:"a"` // where its bytes begin
	Size int64  `json:"s"`
}

// block is the unit of tar archives, bytes.
const block = 512

// Index lists the regular files of an archive of size bytes, in its order, by reading
// the headers alone. Errors do not name the archive. Of one that is cut off, they come
// with the files before.
func Index(r io.ReaderAt, size int64) ([]Member, error) {
	if err := plain(r, size); err != nil {
		return nil, err
	}
	s := io.NewSectionReader(r, 0, size)
	archive := tar.NewReader(s)
	var all []Member
	for end := int64(0); ; {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			if end+block > size {
				return all, errors.New("it ends without the empty blocks that end an archive: writing it was never finished, or it is cut off")
			}
			return all, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return all, cutOff(all)
		case err != nil:
			return all, fmt.Errorf("behind %s: %w", last(all), err)
		}
		at, err := s.Seek(0, io.SeekCurrent)
		if err != nil {
			return all, err
		}
		m, err := member(h, at)
		if err != nil {
			return all, err
		}
		end = (at + m.Size + block - 1) / block * block
		if m.Name == "" {
			continue
		}
		if at+m.Size > size {
			return all, cutOff(all)
		}
		all = append(all, m)
	}
}

// member is what a header tells of, unnamed if it is no file.
func member(h *tar.Header, at int64) (Member, error) {
	name := path.Clean(strings.TrimLeft(h.Name, "/"))
	sparse := h.Typeflag == tar.TypeGNUSparse
	for key := range h.PAXRecords {
		sparse = sparse || strings.HasPrefix(key, "GNU.sparse.")
	}
	switch {
	case name == ".." || strings.HasPrefix(name, "../"):
		return Member{}, fmt.Errorf("%q leads out of the archive", h.Name)
	case sparse:
		return Member{}, fmt.Errorf("%s is kept as a sparse file, which no single read gives: make the archive without tar's --sparse", name)
	case h.Typeflag == tar.TypeLink || h.Typeflag == tar.TypeSymlink:
		return Member{}, fmt.Errorf("%s is a link to %s, not a file: make the archive with tar's --dereference --hard-dereference", name, h.Linkname)
	case h.Typeflag != tar.TypeReg:
		return Member{}, nil
	}
	return Member{Name: name, At: at, Size: h.Size}, nil
}

func cutOff(all []Member) error { return fmt.Errorf("it is cut off behind %s", last(all)) }

func last(all []Member) string {
	if len(all) == 0 {
		return "its beginning"
	}
	return all[len(all)-1].Name
}

// plain refuses what is no tar archive as it stands.
func plain(r io.ReaderAt, size int64) error {
	head := make([]byte, min(size, 6))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, c := range []struct{ name, magic, tool string }{
		{"gzip", "\x1f\x8b", "gunzip"},
		{"zstd", "\x28\xb5\x2f\xfd", "zstd -d"},
		{"xz", "\xfd7zXZ\x00", "unxz"},
		{"bzip2", "BZh", "bunzip2"},
		{"lz4", "\x04\x22\x4d\x18", "lz4 -d"},
	} {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return fmt.Errorf("it is compressed (%s), so that no image can be read without all before it: unpack it to a plain .tar (%s); images are compressed already", c.name, c.tool)
		}
	}
	if size == 0 {
		return errors.New("it is empty")
	}
	return nil
}
