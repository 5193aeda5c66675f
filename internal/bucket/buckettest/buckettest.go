// Package buckettest serves buckets to tests.
package buckettest

import (
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Name is the bucket's.
const Name = "data"

// Server speaks as much of S3's protocol as package bucket asks for: listings in pages
// of two, ranges, conditions. Its fields are to be changed between requests only.
type Server struct {
	Objects map[string]string // contents by key
	// Fault, if it is set, sees a request first and reports whether it has answered.
	Fault func(w http.ResponseWriter, r *http.Request) bool
	Asked []string // paths and ranges of the requests

	mu sync.Mutex
}

// Secrets are in the environment that [Serve] sets, and belong in no output.
var Secrets = []string{"somebodysid", "verysecret", "thetoken"}

// Serve starts a server of some objects and leads the environment to it.
func Serve(t testing.TB, objects map[string]string) *Server {
	t.Helper()
	s := &Server{Objects: objects}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	NoProfile(t)
	t.Setenv("AWS_ENDPOINT_URL", h.URL)
	for i, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, Secrets[i])
	}
	return s
}

// NoProfile makes the environment one without keys, profiles or roles.
func NoProfile(t testing.TB) {
	t.Helper()
	nothing := filepath.Join(t.TempDir(), "nothing")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": nothing, "AWS_SHARED_CREDENTIALS_FILE": nothing, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
}

// Answer is an error of S3's.
func Answer(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>because %s</Message></Error>", code, code)
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

// etag tells contents apart.
func etag(text string) string { return fmt.Sprintf(`"%08x"`, crc32.ChecksumIEEE([]byte(text))) }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Asked = append(s.Asked, r.URL.Path+" "+r.Header.Get("Range"))
	if s.Fault != nil && s.Fault(w, r) {
		return
	}
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	text, there := s.Objects[key]
	switch {
	case name != Name:
		Answer(w, http.StatusNotFound, "NoSuchBucket")
	case key == "":
		s.list(w, r)
	case !there:
		Answer(w, http.StatusNotFound, "NoSuchKey")
	case r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != etag(text):
		Answer(w, http.StatusPreconditionFailed, "PreconditionFailed")
	default:
		w.Header().Set("ETag", etag(text))
		http.ServeContent(w, r, key, time.Time{}, strings.NewReader(text))
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	const page = 2
	var out listing
	var keys []string
	for key := range s.Objects {
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
		out.Contents = append(out.Contents, content{key, "2026-01-02T03:04:05.000Z", etag(s.Objects[key]), len(s.Objects[key])})
	}
	_ = xml.NewEncoder(w).Encode(out)
}
