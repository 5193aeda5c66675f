package shards

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pack makes an archive of files, whose contents are their names, in a format.
func pack(t testing.TB, format tar.Format, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(name)), Format: format}
		if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			fmt.Fprint(w, name)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func index(b []byte) ([]Member, error) { return Index(bytes.NewReader(b), int64(len(b))) }

// Every form of archive gives the bytes of its files, long and foreign names included.
func TestIndex(t *testing.T) {
	long := strings.Repeat("long/", 40) + "name.jpg"
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		names := []string{"city/", "city/0001.jpg", "./city/0001.seg.png", "/0002.jpg", strings.Repeat("x", 600)[:99] + "g"}
		if format != tar.FormatUSTAR {
			names = append(names, long, "straße/ü.jpg")
		}
		b := pack(t, format, names...)
		all, err := index(b)
		if err != nil || len(all) != len(names)-1 {
			t.Fatalf("%v: %v, %v", format, all, err)
		}
		for i, m := range all {
			want := names[i+1]
			if got := string(b[m.At : m.At+m.Size]); got != want || m.Name != strings.TrimPrefix(strings.TrimPrefix(want, "./"), "/") {
				t.Errorf("%v: %+v holds %q, want %q", format, m, got, want)
			}
		}
	}
}

// Wherever an archive is cut off, it is noticed, and the files before are whole.
func TestCutOff(t *testing.T) {
	names := []string{"a.jpg", strings.Repeat("b", 90) + ".jpg", "c.png"}
	whole := pack(t, tar.FormatUSTAR, names...)
	want, err := index(whole)
	if err != nil {
		t.Fatal(err)
	}
	// Behind the first of the two empty blocks that end it, nothing is lost.
	for n := range len(whole) - block {
		have, err := index(whole[:n])
		if err == nil || len(have) > 0 && !cmp.Equal(have, want[:len(have)]) {
			t.Fatalf("cut off at %d: %v, %v", n, have, err)
		}
		for _, m := range have {
			if m.At+m.Size > int64(n) {
				t.Fatalf("cut off at %d: %+v", n, m)
			}
		}
	}
}

func TestNoShard(t *testing.T) {
	link := func(kind byte) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		_ = w.WriteHeader(&tar.Header{Name: "a.jpg", Linkname: "b.jpg", Typeflag: kind})
		_ = w.Close()
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"gzip":   {[]byte("\x1f\x8b\x08 and more"), "compressed (gzip)"},
		"zstd":   {[]byte("\x28\xb5\x2f\xfd and more"), "zstd -d"},
		"empty":  {nil, "it is empty"},
		"text":   {bytes.Repeat([]byte("no archive "), 100), "behind its beginning: archive/tar: invalid tar header"},
		"short":  {[]byte("x"), "cut off behind its beginning"},
		"link":   {link(tar.TypeSymlink), "a.jpg is a link to b.jpg"},
		"hard":   {link(tar.TypeLink), "--hard-dereference"},
		"upward": {pack(t, tar.FormatUSTAR, "../a.jpg"), "leads out of the archive"},
	} {
		if _, err := index(c.content); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestExpand(t *testing.T) {
	for pattern, want := range map[string]string{
		"a.tar":                  "a.tar",
		"a-{000..003}.tar":       "a-000.tar a-001.tar a-002.tar a-003.tar",
		"a-{9..11}.tar":          "a-9.tar a-10.tar a-11.tar",
		"a-{08..10}.tar":         "a-08.tar a-09.tar a-10.tar",
		"{x,y}/a-{0..1}.tar":     "x/a-0.tar x/a-1.tar y/a-0.tar y/a-1.tar",
		"{split}-{1..2}.tar":     "{split}-1.tar {split}-2.tar",
		"a-{3..1}.tar":           "error: {3..1} is no range",
		"a-{0..x}.tar":           "error: {0..x} is no range",
		"a-{0..9999999}.tar":     "error: at most 1000000 apart",
		"{0..9999}{0..9999}.tar": "error: more than 1000000 shards",
		"}a{.tar":                "}a{.tar",
	} {
		names, err := Expand(pattern)
		got := strings.Join(names, " ")
		if text, bad := strings.CutPrefix(want, "error: "); bad {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want %q", pattern, err, text)
			}
		} else if err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", pattern, got, err, want)
		}
	}
}

// unread is an archive that must not be read for its headers.
type unread struct{ Archive }

func (unread) Reader(context.Context) (Reader, error) { return nil, errors.New("read again") }

// An index is kept, is not believed when it is of another archive, and is made anew
// for an archive that has changed.
func TestIndexIsKept(t *testing.T) {
	cache, name := t.TempDir(), filepath.Join(t.TempDir(), "a.tar")
	write := func(names ...string) Archive {
		if err := os.WriteFile(name, pack(t, tar.FormatUSTAR, names...), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := OnDisk(name)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	fail := func(err error) error { return err }
	a := write("a.jpg", "b.jpg")
	first, err := Read(t.Context(), cache, []Archive{a}, fail)
	if err != nil || len(first) != 2 || first[1].Place != name+"/b.jpg" {
		t.Fatalf("%v, %v", first, err)
	}
	if again, err := Read(t.Context(), cache, []Archive{unread{a}}, fail); err != nil || len(again) != 2 || again[1].At != first[1].At {
		t.Errorf("%v, %v", again, err)
	}
	files, _ := filepath.Glob(filepath.Join(cache, "*"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	if err := os.WriteFile(files[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := Read(t.Context(), cache, []Archive{a}, fail); err != nil || len(again) != 2 {
		t.Errorf("beside a damaged index: %v, %v", again, err)
	}
	longer := write("a.jpg", "b.jpg", "c.jpg", "d.jpg")
	if _, err := a.Section(t.Context(), first[0].At, first[0].Size); err == nil || !strings.Contains(err.Error(), name+" has changed") {
		t.Errorf("of a shard that has changed: %v", err)
	}
	if now, err := Read(t.Context(), cache, []Archive{longer}, fail); err != nil || len(now) != 4 {
		t.Errorf("%v, %v", now, err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	_, err = longer.Section(t.Context(), 0, 1)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "shard "+name+" is gone") {
		t.Errorf("of a shard that has gone: %v", err)
	}
}

// Faults are told in the shards' order, and what is whole stays.
func TestFaultyShards(t *testing.T) {
	dir := t.TempDir()
	var all []Archive
	for i := range 3 {
		name := filepath.Join(dir, fmt.Sprint(i, ".tar"))
		b := pack(t, tar.FormatUSTAR, fmt.Sprint(i, "a.jpg"), fmt.Sprint(i, "b.jpg"))
		if i < 2 {
			b = b[:2*block+100]
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := OnDisk(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	var told []string
	entries, err := Read(t.Context(), t.TempDir(), all, func(err error) error { told = append(told, err.Error()); return nil })
	want := []string{"0a.jpg", "1a.jpg", "2a.jpg", "2b.jpg"}
	var have []string
	for _, e := range entries {
		have = append(have, e.Path)
	}
	if err != nil || !cmp.Equal(have, want) || len(told) != 2 || told[1] != "shard "+all[1].Name()+": it is cut off behind 1a.jpg" {
		t.Errorf("%v, %v, %v", have, told, err)
	}
	stop := errors.New("stop")
	if _, err := Read(t.Context(), "", all, func(error) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// FuzzIndex: what is listed lies in the archive.
func FuzzIndex(f *testing.F) {
	whole := pack(f, tar.FormatPAX, "a.jpg", strings.Repeat("long/", 40)+"b.jpg")
	f.Add(whole)
	f.Add(whole[:700])
	f.Add(pack(f, tar.FormatGNU, strings.Repeat("long/", 40)+"c.jpg"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, _ := index(b)
		for _, m := range all {
			if m.Name == "" || m.At < block || m.Size < 0 || m.At+m.Size > int64(len(b)) || strings.HasPrefix(m.Name, "../") {
				t.Errorf("%+v in %d bytes", m, len(b))
			}
		}
		if len(all) > len(b)/block {
			t.Errorf("%d files in %d bytes", len(all), len(b))
		}
	})
}
