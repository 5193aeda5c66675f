package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"t2sda/graphs/weights"
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

// until waits for something to become true, a minute at the most: the test finds out what
// it has waited for in vain.
func until(ready func() bool) {
	for deadline := time.Now().Add(time.Minute); !ready() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
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

	must(t, os.WriteFile(got, content[:len(content)-1], 0o644))
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
	const waits = "another process fetches the same: waiting for it"
	content := genuine(t, 1000)
	var f *fixture
	f = newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		until(func() bool { return strings.Count(f.said.String(), waits) == 3 })
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
	if strings.Count(f.said.String(), waits) != 3 {
		t.Errorf("said %s", &f.said)
	}
}
