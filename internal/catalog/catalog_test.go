package catalog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// memory is content that is there.
type memory []byte

func (m memory) Section(_ context.Context, at, size int64) (Section, error) {
	if at+size > int64(len(m)) {
		return nil, errors.New("shard x is gone")
	}
	return struct {
		io.ReaderAt
		io.Closer
	}{bytes.NewReader(m[at : at+size]), io.NopCloser(nil)}, nil
}

func entry(path string, at, size int64) Entry {
	return Entry{Path: path, Place: "x.tar/" + path, At: at, Size: size, ModTime: time.Unix(7, 0), Content: memory("0123456789")}
}

func TestTree(t *testing.T) {
	for _, root := range []string{"/data/{a,b}.tar", "s3://bucket/data", "s3://bucket/data/"} {
		tree, doubles, err := New(root, []Entry{entry("b/2.jpg", 2, 3), entry("b/1.jpg", 0, 2), entry("a.txt", 5, 1), entry("b/1.jpg", 1, 1), entry("lost.jpg", 8, 9)})
		if err != nil || len(doubles) != 1 || doubles[0].Second.At != 1 {
			t.Fatalf("%v, %v", doubles, err)
		}
		var names []string
		for _, dir := range []string{root, filepath.Join(root, "b")} {
			all, err := tree.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				names = append(names, e.Name()+map[bool]string{true: "/"}[e.IsDir()])
			}
		}
		if got := strings.Join(names, " "); got != "a.txt b/ lost.jpg 1.jpg 2.jpg" {
			t.Errorf("%s", got)
		}
		f, err := tree.Source(t.Context())("x.tar/b/2.jpg")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(io.NewSectionReader(f, 0, 100))
		info, _ := f.Stat()
		if string(b) != "234" || info.Size() != 3 || !info.ModTime().Equal(time.Unix(7, 0)) || !info.Mode().IsRegular() {
			t.Errorf("%q, %v", b, info)
		}
		if name := tree.Name(filepath.Join(root, "b", "1.jpg")); name != "x.tar/b/1.jpg" {
			t.Error(name)
		}
		if name := tree.Name(filepath.Join(root, "b")); name != strings.TrimSuffix(root, "/")+"/b" {
			t.Error(name)
		}
		if rel, ok := tree.Below("x.tar/b/1.jpg"); rel != "b/1.jpg" || !ok {
			t.Error(rel)
		}
		_, err = tree.Source(t.Context())("x.tar/lost.jpg")
		if err == nil || err.Error() != "x.tar/lost.jpg: shard x is gone" {
			t.Error(err)
		}
		for _, none := range []string{"/none", filepath.Join(root, "none"), filepath.Join(root, "b/1.jpg/x")} {
			if _, err := tree.Stat(none); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", none, err)
			}
			if _, err := tree.ReadDir(none); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", none, err)
			}
		}
	}
	if _, _, err := New("r", []Entry{entry("a", 0, 1), entry("a/b", 0, 1)}); err == nil || !strings.Contains(err.Error(), "x.tar/a is a file, and a folder") {
		t.Error(err)
	}
}
