package packages

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/atomicfile"
)

// Archive is a package of a registry.
type Archive struct {
	Name, Version string
	SHA256        string // of the file, hex; one of the two digests is set
	SHA512        string
}

// Member is a file to take out of an archive.
type Member struct {
	Path   string // inside of the archive
	As     string // file name to give it
	SHA256 string // hex
}

// DigestError reports content that is not what was pinned.
type DigestError struct{ What, Got, Want string }

// Error names what was compared.
func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has the digest %.16s…, pinned is %.16s…: it is not the package this program was built for, nothing was installed", e.What, e.Got, e.Want)
}

// Check compares the archive's file with the pinned digest.
func (a Archive) Check(file string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	var h hash.Hash
	want := a.SHA256
	if h = sha256.New(); want == "" {
		h, want = sha512.New(), a.SHA512
	}
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return &DigestError{What: filepath.Base(file), Got: got, Want: want}
	}
	return nil
}

// Unpack takes the members out of a .tgz or .whl and puts them into dir, each only
// when all of them have their digests. The first member comes last: its presence
// says that all is there.
func Unpack(ctx context.Context, file string, members []Member, dir string) (err error) {
	staging, err := os.MkdirTemp(dir, ".install-") // same file system, so that renaming is atomic
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging)) }()
	wanted := map[string]Member{}
	for _, m := range members {
		wanted[m.Path] = m
	}
	each := eachInZip
	if strings.HasSuffix(file, ".tgz") {
		each = eachInTar
	}
	err = each(file, func(path string, content io.Reader) error {
		m, ok := wanted[path]
		if !ok {
			return ctx.Err()
		}
		delete(wanted, path)
		return stage(ctx, filepath.Join(staging, m.As), m, content)
	})
	if err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
	}
	for path := range wanted {
		return fmt.Errorf("unpack %s: there is no %s in it", filepath.Base(file), path)
	}
	for _, m := range slices.Backward(members) {
		if err := os.Rename(filepath.Join(staging, m.As), filepath.Join(dir, m.As)); err != nil {
			return err
		}
	}
	return nil
}

// stage writes a member under a temporary name and checks its digest.
func stage(ctx context.Context, path string, m Member, content io.Reader) error {
	h := sha256.New()
	err := atomicfile.WriteFunc(path, func(w io.Writer) error {
		_, err := io.Copy(io.MultiWriter(w, h), &contextReader{ctx, content})
		return err
	})
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != m.SHA256 {
		return &DigestError{What: m.Path, Got: got, Want: m.SHA256}
	}
	return nil
}

// contextReader ends reading when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func eachInTar(file string, f func(path string, content io.Reader) error) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close() // only read
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	t := tar.NewReader(z)
	for {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := f(header.Name, t); err != nil {
			return err
		}
	}
}

func eachInZip(file string, f func(path string, content io.Reader) error) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer z.Close() // only read
	for _, entry := range z.File {
		if !entry.Mode().IsRegular() {
			continue
		}
		if err := visit(entry, f); err != nil {
			return err
		}
	}
	return nil
}

func visit(entry *zip.File, f func(path string, content io.Reader) error) error {
	content, err := entry.Open()
	if err != nil {
		return err
	}
	defer content.Close() // only read
	return f(entry.Name, content)
}
