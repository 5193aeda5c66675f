package bucket

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// server speaks as much of S3's protocol as this package asks for: listings in pages of
// two, ranges, conditions. Fault, if it is set, answers a request first.
type server struct {
	mu      sync.Mutex
	objects map[string]string
	fault   func(w http.ResponseWriter, r *http.Request) bool // reports whether it has answered
	asked   []string                                          // requests that were answered
}

type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []content
}

type content struct {
	Key, LastModified, ETag string
	Size                    int
}

func etag(text string) string { return fmt.Sprintf(`"%x-%d"`, len(text), len(text)%7) }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.Path+" "+r.Header.Get("Range"))
	if s.fault != nil && s.fault(w, r) {
		return
	}
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	text, there := s.objects[key]
	switch {
	case name != "data":
		answer(w, http.StatusNotFound, "NoSuchBucket")
	case key == "":
		s.list(w, r)
	case !there:
		answer(w, http.StatusNotFound, "NoSuchKey")
	case r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != etag(text):
		answer(w, http.StatusPreconditionFailed, "PreconditionFailed")
	default:
		w.Header().Set("ETag", etag(text))
		http.ServeContent(w, r, key, time.Time{}, strings.NewReader(text))
	}
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	const page = 2
	var out listing
	var keys []string
	for key := range s.objects {
		if strings.HasPrefix(key, r.URL.Query().Get("prefix")) && key > r.URL.Query().Get("continuation-token") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if len(keys) > page {
		keys = keys[:page]
		out.IsTruncated, out.NextContinuationToken = true, keys[page-1]
	}
	for _, key := range keys {
		out.Contents = append(out.Contents, content{key, "2026-01-02T03:04:05.000Z", etag(s.objects[key]), len(s.objects[key])})
	}
	_ = xml.NewEncoder(w).Encode(out)
}

func answer(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>because %s</Message></Error>", code, code)
}

// open starts a server of some objects and opens its bucket "data", with little patience.
func open(t *testing.T, objects map[string]string, cache *Cache) (*server, *Bucket) {
	t.Helper()
	s := &server{objects: objects}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	t.Setenv("AWS_ENDPOINT_URL", h.URL)
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "somebody")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	b, err := Open("data", cache)
	if err != nil {
		t.Fatal(err)
	}
	b.patience = patience{attempts: 4, first: time.Millisecond, most: 4 * time.Millisecond, whole: 5 * time.Second, stall: 200 * time.Millisecond}
	return s, b
}
