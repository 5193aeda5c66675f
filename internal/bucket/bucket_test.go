package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/internal/bucket/buckettest"
	"t2sda/internal/shards"
)

// An object is an archive of shards.
var _ shards.Archive = (*Object)(nil)

// open serves a bucket and opens it, with little patience.
func open(t *testing.T, objects map[string]string, cache *Cache) (*buckettest.Server, *Bucket) {
	t.Helper()
	s := buckettest.Serve(t, objects)
	b, err := Open(t.Context(), buckettest.Name, cache)
	if err != nil {
		t.Fatal(err)
	}
	b.patience = patience{attempts: 4, first: time.Millisecond, most: 4 * time.Millisecond, whole: 5 * time.Second, stall: 200 * time.Millisecond}
	return s, b
}

// all reads a section of an object.
func all(ctx context.Context, o *Object, at, size int64) (string, error) {
	s, err := o.Section(ctx, at, size)
	if err != nil {
		return "", err
	}
	defer s.Close()
	b, err := io.ReadAll(io.NewSectionReader(s, 0, 1<<40))
	return string(b), err
}

func list(t *testing.T, b *Bucket, prefix string) []*Object {
	t.Helper()
	objects, err := b.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestListAndFetch(t *testing.T) {
	_, b := open(t, map[string]string{"a/1.jpg": "0123456789", "a/2.jpg": "", "a/sub/": "", "a/ü 3+.jpg": "xyz", "b/4.jpg": "no"}, nil)
	objects := list(t, b, "a/")
	var names []string
	for _, o := range objects {
		names = append(names, fmt.Sprintf("%s:%d", o.Name(), o.Size()))
	}
	if !slices.Equal(names, []string{"s3://data/a/1.jpg:10", "s3://data/a/2.jpg:0", "s3://data/a/ü 3+.jpg:3"}) || objects[0].ModTime().Year() != 2026 {
		t.Fatal(names)
	}
	for _, c := range []struct {
		o        *Object
		at, size int64
		want     string
	}{{objects[0], 0, 10, "0123456789"}, {objects[0], 3, 4, "3456"}, {objects[0], 9, 1, "9"}, {objects[1], 0, 0, ""}, {objects[2], 0, 3, "xyz"}} {
		if have, err := all(t.Context(), c.o, c.at, c.size); err != nil || have != c.want {
			t.Errorf("%s from %d: %q, %v", c.o.Name(), c.at, have, err)
		}
	}
	if none := list(t, b, "c/"); none != nil {
		t.Error(none)
	}
}

// What passes is waited for; what stays is told at once, by name and without secrets.
func TestFaults(t *testing.T) {
	once := func(answered func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
		done := false
		return func(w http.ResponseWriter, _ *http.Request) bool {
			if done {
				return false
			}
			done = true
			answered(w)
			return true
		}
	}
	always := func(code int, name string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { buckettest.Answer(w, code, name); return true }
	}
	for name, c := range map[string]struct {
		fault func(w http.ResponseWriter, r *http.Request) bool
		want  string // in the error; empty: none
		asked int
	}{
		"500 once":       {once(func(w http.ResponseWriter) { buckettest.Answer(w, 500, "InternalError") }), "", 2},
		"slow down once": {once(func(w http.ResponseWriter) { buckettest.Answer(w, 503, "SlowDown") }), "", 2},
		"cut off once": {once(func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "0123")
			panic(http.ErrAbortHandler)
		}), "", 2},
		"shorter once":   {once(func(w http.ResponseWriter) { fmt.Fprint(w, "01234") }), "", 2},
		"longer once":    {once(func(w http.ResponseWriter) { fmt.Fprint(w, "01234567890") }), "", 2},
		"hung up once":   {once(func(http.ResponseWriter) { panic(http.ErrAbortHandler) }), "", 2},
		"no answer once": {once(func(http.ResponseWriter) { time.Sleep(400 * time.Millisecond) }), "", 2},
		"stalls once": {once(func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "0123")
			w.(http.Flusher).Flush()
			time.Sleep(400 * time.Millisecond)
		}), "", 2},
		"500 always": {always(500, "InternalError"), "s3://data/a.jpg: given up after 4 attempts: the server says 500 InternalError: because", 4},
		"403":        {always(403, "AccessDenied"), "s3://data/a.jpg: access is denied at http://127.0.0.1", 1},
		"404":        {always(404, "NoSuchKey"), "s3://data/a.jpg is gone", 1},
		"no bucket":  {always(404, "NoSuchBucket"), `there is no bucket "data" at http://127.0.0.1`, 1},
		"region":     {always(301, "PermanentRedirect"), "is AWS_REGION, or the profile's region, the bucket's? the server says 301", 1},
		"changed":    {always(412, "PreconditionFailed"), "s3://data/a.jpg has changed since", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, b := open(t, map[string]string{"a.jpg": "0123456789"}, nil)
			o := list(t, b, "")[0]
			s.Fault, s.Asked = c.fault, nil
			have, err := all(t.Context(), o, 0, 10)
			if len(s.Asked) != c.asked {
				t.Errorf("%d requests, want %d", len(s.Asked), c.asked)
			}
			if c.want == "" {
				if err != nil || have != "0123456789" {
					t.Errorf("%q, %v", have, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || slices.ContainsFunc(buckettest.Secrets, func(s string) bool { return strings.Contains(err.Error(), s) }) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if gone := errors.Is(err, fs.ErrNotExist); gone != (name == "404") {
				t.Errorf("%v is of a file that is not there: %v", err, gone)
			}
		})
	}
}

// An object that is another one by now is no longer read.
func TestChanged(t *testing.T) {
	s, b := open(t, map[string]string{"a.jpg": "0123456789"}, nil)
	o := list(t, b, "")[0]
	s.Objects["a.jpg"] = "9876543210x"
	if _, err := all(t.Context(), o, 0, 10); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Error(err)
	}
}

// The context ends a wait, and a request.
func TestCancelled(t *testing.T) {
	s, b := open(t, map[string]string{"a.jpg": "0123456789"}, nil)
	b.patience.first, b.patience.most = time.Hour, time.Hour
	o := list(t, b, "")[0]
	s.Fault = func(w http.ResponseWriter, _ *http.Request) bool {
		buckettest.Answer(w, 500, "InternalError")
		return true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := all(ctx, o, 0, 10); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "a.jpg") {
		t.Error(err)
	}
}

// The headers of an archive take few requests.
func TestReader(t *testing.T) {
	text := strings.Repeat("0123456789", 30000)
	s, b := open(t, map[string]string{"a.tar": text}, nil)
	o := list(t, b, "")[0]
	r, err := o.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s.Asked = nil
	for _, at := range []int64{0, 500, 4000, ahead - 3, 250000} {
		p := make([]byte, 512)
		if _, err := r.ReadAt(p, at); err != nil || string(p) != text[at:at+512] {
			t.Errorf("at %d: %v", at, err)
		}
	}
	if len(s.Asked) != 2 {
		t.Errorf("%v", s.Asked)
	}
	if n, err := r.ReadAt(make([]byte, 20), o.Size()-7); n != 7 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
}

// What was fetched is not fetched again, by no process, unless it is another object.
func TestCache(t *testing.T) {
	dir := t.TempDir()
	cache, err := OpenCache(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	cache.reserve = 0 // however full the disk is
	s, b := open(t, map[string]string{"a.jpg": "0123456789"}, cache)
	o := list(t, b, "")[0]
	s.Asked = nil
	for range 3 {
		if have, err := all(t.Context(), o, 2, 4); err != nil || have != "2345" {
			t.Errorf("%q, %v", have, err)
		}
	}
	if b.cache, err = OpenCache(dir, 1<<20); err != nil {
		t.Fatal(err)
	}
	if have, err := all(t.Context(), o, 2, 4); err != nil || have != "2345" || len(s.Asked) != 1 {
		t.Errorf("%q, %v, %v", have, err, s.Asked)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "??", "*"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	if err := os.WriteFile(files[0], []byte("damaged!"), 0o600); err != nil {
		t.Fatal(err)
	}
	if have, err := all(t.Context(), o, 2, 4); err != nil || have != "2345" || len(s.Asked) != 2 {
		t.Errorf("a damaged entry: %q, %v, %v", have, err, s.Asked)
	}
	s.Objects["a.jpg"] = "abcdefghijk"
	if have, err := all(t.Context(), list(t, b, "")[0], 2, 4); err != nil || have != "cdef" {
		t.Errorf("of a new object: %q, %v", have, err)
	}
}

// The folder stays within its bound, whoever writes, and what was used last stays.
func TestCacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	const limit = 16 << 10
	var both [2]*Cache
	for i := range both {
		var err error
		if both[i], err = OpenCache(dir, limit); err != nil {
			t.Fatal(err)
		}
		both[i].reserve = 0
	}
	size := func() (n int64) {
		files, _ := filepath.Glob(filepath.Join(dir, "??", "*"))
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				n += info.Size()
			}
		}
		return n
	}
	name := func(i int) string { return fmt.Sprintf("%02x%030x", i, i) }
	both[0].put(name(0), make([]byte, 500))
	old := time.Now().Add(-time.Hour)
	for i := 1; i < 100; i++ {
		both[i%2].put(name(i), make([]byte, 500))
		_ = os.Chtimes(both[0].file(name(i)), old.Add(time.Duration(i)*time.Second), old.Add(time.Duration(i)*time.Second))
		if _, ok := both[0].get(name(0)); !ok {
			t.Fatalf("after %d entries the one that is used most has gone", i)
		}
		if n := size(); n > limit+2*limit/16 {
			t.Fatalf("%d bytes of %d after %d entries", n, limit, i)
		}
	}
	if size() < limit/2 {
		t.Errorf("%d bytes of %d are kept", size(), limit)
	}
	both[0].put(name(7), make([]byte, limit+1))
	if _, ok := both[0].get(name(7)); ok && size() > limit {
		t.Error("an entry larger than the cache is kept")
	}
	both[0].reserve = math.MaxUint64
	both[0].put(name(101), []byte("x"))
	if _, ok := both[0].get(name(101)); ok {
		t.Error("a disk without space was written to")
	}
	both[0].reserve = 0
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	both[0].put(name(1), []byte("x"))
	if b, ok := both[0].get(name(1)); !ok || string(b) != "x" {
		t.Error("a folder that was deleted is not made again")
	}
}

func TestEnvironment(t *testing.T) {
	buckettest.NoProfile(t)
	for name, c := range map[string]struct{ id, secret, endpoint, want string }{
		"anybody":   {"", "", "", ""},
		"half":      {"x", "", "", "want both"},
		"no scheme": {"", "", "localhost:9000", "AWS_ENDPOINT_URL, or endpoint_url of the profile, is no address"},
		"password":  {"", "", "http://u:verysecret@/", "AWS_ENDPOINT_URL, or endpoint_url of the profile, is no address"},
	} {
		t.Setenv("AWS_ACCESS_KEY_ID", c.id)
		t.Setenv("AWS_SECRET_ACCESS_KEY", c.secret)
		t.Setenv("AWS_ENDPOINT_URL", c.endpoint)
		_, err := Open(t.Context(), "data", nil)
		if c.want == "" != (err == nil) || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "verysecret")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]string{"s3://b/k/x": "b k/x", "s3://b": "b ", "s3:///k": "error", "s3:/b/k": "error"} {
		bucket, key, err := Split(text)
		if got := bucket + " " + key; (err != nil) != (want == "error") || err == nil && got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

// TestUsualPatience: all attempts together outlast the restart of a server.
func TestUsualPatience(t *testing.T) {
	least, wait := time.Duration(0), usual.first
	for range usual.attempts - 1 {
		least += wait / 2
		wait = min(2*wait, usual.most)
	}
	if least < 30*time.Second || 2*least > 90*time.Second {
		t.Errorf("between the first attempt and the last lie %v to %v", least, 2*least)
	}
}
