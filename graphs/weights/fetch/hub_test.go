package fetch

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hubServer behaves as Hugging Face's does: small files come at once, large ones from
// another server, and what is known of a file comes with the first answer.
type hubServer struct {
	*fixture
	store  *httptest.Server // of large files
	tokens []string         // that came to the store
}

const commit = "0123456789abcdef0123456789abcdef01234567"

func newHub(t *testing.T, small, large map[string][]byte) *hubServer {
	t.Helper()
	h := &hubServer{}
	h.store = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := r.Header.Get("Authorization"); token != "" {
			h.tokens = append(h.tokens, token)
		}
		file(large[strings.TrimPrefix(r.URL.Path, "/")], `"store"`)(w, r)
	}))
	t.Cleanup(h.store.Close)
	h.fixture = newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		w.Header().Set("X-Repo-Commit", commit)
		if content, ok := small[name]; ok {
			blob := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
			file(content, `"`+hex.EncodeToString(blob[:])+`"`)(w, r)
			return
		}
		content, ok := large[name]
		if !ok {
			w.Header().Set("X-Error-Code", "EntryNotFound")
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("X-Linked-Etag", `"`+hexSum(content)+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(content)))
		http.Redirect(w, r, h.store.URL+"/"+name, http.StatusFound)
	})
	// Neither is encrypted here: what leads from https to http is refused.
	h.Server.Close()
	h.Server = httptest.NewServer(h.Config.Handler)
	t.Cleanup(h.Server.Close)
	h.client = h.Client()
	t.Setenv(hubEndpointEnv, h.URL+"/")
	t.Setenv(hubTokenEnv, "")
	return h
}

// TestHub takes the first file that a model has, from the commit that the revision
// means, and shows the token to nobody else.
func TestHub(t *testing.T) {
	content := genuine(t, 5000)
	h := newHub(t, nil, map[string][]byte{"pytorch_model.bin": content, "other.pth": content})
	t.Setenv(hubTokenEnv, "secret")
	got, err := h.fetch(t, "hf:nvidia/mit-b0")
	h.wantFetched(t, got, err, content)
	if filepath.Base(got) != "pytorch_model.bin" || !strings.HasPrefix(filepath.Base(filepath.Dir(got)), "nvidia--mit-b0-") {
		t.Errorf("got %s", got)
	}
	const at = "/nvidia/mit-b0/resolve/"
	want := "HEAD " + at + "main/model.safetensors  Bearer secret, HEAD " + at + "main/model.safetensors.index.json  Bearer secret, " +
		"HEAD " + at + "main/pytorch_model.bin  Bearer secret, GET " + at + commit + "/pytorch_model.bin  Bearer secret"
	if have := h.asked(); have != want {
		t.Errorf("asked %s\nwant  %s", have, want)
	}
	if h.tokens != nil {
		t.Errorf("the store saw %v", h.tokens)
	}
	same, err := h.fetch(t, "mit_b0")
	if err != nil || same != got || h.asked() != "" {
		t.Errorf("by its name: %s, %v", same, err)
	}

	got, err = h.fetch(t, "hf:nvidia/mit-b0@v1:sub/other.pth")
	h.wantFetched(t, got, err, content)
	if have := h.asked(); !strings.HasPrefix(have, "HEAD "+at+"v1/sub/other.pth") {
		t.Errorf("asked %s", have)
	}
	_, err = h.fetch(t, "hf:nvidia/mit-b0:none.pth")
	wantError(t, err, "nvidia/mit-b0 at main has no such file (404 Not Found): "+h.URL+"/nvidia/mit-b0/tree/main lists them")
	_, err = h.fetch(t, "hf:nvidia/mit-b0:other.pth#sha256="+strings.Repeat("0", 64))
	wantError(t, err, "other.pth has the digest "+hexSum(content), "what was asked for says 0000")
}

// TestHubShards fetches all files that an index names, and no others.
func TestHubShards(t *testing.T) {
	one, two := genuine(t, 100), genuine(t, 200)
	index := func(shards ...string) []byte {
		return fmt.Appendf(nil, `{"weight_map": {"w": %q, "x": %q}}`, shards[0], shards[1])
	}
	small := map[string][]byte{"model.safetensors.index.json": index("a.safetensors", "b.safetensors")}
	h := newHub(t, small, map[string][]byte{"a.safetensors": one, "b.safetensors": two})
	_, err := h.fetch(t, "hf:o/n")
	// The second shard has no tensor x: all is there, and is not weights.
	wantError(t, err, "what was fetched is not weights, and not kept")
	h.wantNothing(t)
	small["model.safetensors.index.json"] = fmt.Appendf(nil, `{"weight_map": {"w": "a.safetensors"}}`)
	got, err := h.fetch(t, "hf:o/n")
	h.wantFetched(t, got, err, small["model.safetensors.index.json"])
	sums, err := readSums(filepath.Dir(got))
	must(t, err)
	if len(sums) != 2 || sums[1].digest != hexSum(one) {
		t.Errorf("%v", sums)
	}

	must(t, os.RemoveAll(h.Dir))
	small["model.safetensors.index.json"] = index("a.safetensors", "../../evil")
	_, err = h.fetch(t, "hf:o/n")
	wantError(t, err, `names "../../evil", want files beside it`)
	must(t, os.RemoveAll(h.Dir))
	_, err = newHub(t, nil, nil).fetch(t, "hf:o/n")
	wantError(t, err, "o/n at main has none of model.safetensors, ", "name its file, hf:o/n:FILE")
}

// TestHubRefusals: each refusal says what mends it.
func TestHubRefusals(t *testing.T) {
	for _, c := range []struct {
		status      int
		code, token string
		want        string
	}{
		{401, "", "", "there is no public model o/n (401 Unauthorized): is the name right? For a private one set HF_TOKEN"},
		{401, "", "x", "the token in HF_TOKEN may not read o/n (401 Unauthorized)"},
		{401, "GatedRepo", "", "o/n is given to those who accept its conditions (401 Unauthorized): do so at "},
		{403, "", "x", "o/n is given to those who accept its conditions (403 Forbidden)"},
		{404, "RepoNotFound", "", "there is no model o/n (404 Not Found)"},
		{404, "RevisionNotFound", "", "o/n has no revision main (404 Not Found)"},
		{500, "", "", "the server says 500 Internal Server Error. Without a network here: fetch "},
	} {
		h := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Error-Code", c.code)
			w.WriteHeader(c.status)
		})
		t.Setenv(hubEndpointEnv, h.URL)
		t.Setenv(hubTokenEnv, c.token)
		_, err := h.fetch(t, "hf:o/n")
		wantError(t, err, "weights hf:o/n: ", c.want)
		h.wantNothing(t)
	}
}

// TestHubDigest: what is not what the server says it is, is not kept.
func TestHubDigest(t *testing.T) {
	content := genuine(t, 1000)
	for name, c := range map[string]struct{ tag, size, want string }{
		"sha256": {strings.Repeat("1", 64), fmt.Sprint(len(content)), "model.safetensors has the digest " + hexSum(content)},
		"blob":   {strings.Repeat("2", 40), fmt.Sprint(len(content)), ", the server says " + strings.Repeat("2", 40)},
		"size":   {hexSum(content), "17", fmt.Sprintf("the server sends %d bytes, the file has 17", len(content))},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Linked-Etag", `"`+c.tag+`"`)
				w.Header().Set("X-Linked-Size", c.size)
				file(content, `"`+c.tag+`"`)(w, r)
			})
			t.Setenv(hubEndpointEnv, h.URL)
			_, err := h.fetch(t, "hf:o/n")
			wantError(t, err, c.want)
			h.wantNothing(t)
		})
	}
}

// TestHubByHand takes a model that was put into the cache by hand.
func TestHubByHand(t *testing.T) {
	content := genuine(t, 10)
	h := newFixture(t, nil)
	t.Setenv(hubEndpointEnv, h.URL)
	h.Close()
	_, err := h.fetch(t, "mit_b0")
	wantError(t, err, "weights mit_b0: ask ", "Without a network here: fetch "+h.URL+"/nvidia/mit-b0/resolve/main/model.safetensors (or another of the model's files) elsewhere, put it as model.safetensors into ")
	src, err := parse("mit_b0", "")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(h.Dir, entryName(src), "pytorch_model.bin"), content, 0o644))
	got, err := h.fetch(t, "mit_b0")
	h.wantFetched(t, got, err, content)
	for _, k := range List(h.Options) {
		if (k.Cached != "") != (k.Name == "mit_b0") {
			t.Errorf("%s: cached %q", k.Name, k.Cached)
		}
	}
}
