package fetch

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/internal/interrupt"
)

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
			until(func() bool { return come(f.Dir, half) })
			cancel()
			<-r.Context().Done()
		})
		slow.Dir = f.Dir
		_, err := Fetch(ctx, slow.URL+"/net.safetensors", slow.Options)
		const want = "interrupted; 0.2 MB of net.safetensors have come and are kept: the same command goes on from there"
		if text, ok := interrupt.Text(err); !ok || text != want {
			t.Errorf("%v: %q", err, text)
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

// come reports whether a partial file in the cache has reached size bytes.
func come(cache string, size int) bool {
	parts, _ := filepath.Glob(filepath.Join(cache, "*", "net.safetensors"+partSuffix)) // the pattern is one
	for _, part := range parts {
		if st, err := os.Stat(part); err == nil && st.Size() == int64(size) {
			return true
		}
	}
	return false
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
