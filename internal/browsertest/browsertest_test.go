package browsertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gif is a picture of one pixel.
const gif = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

func problems(t *testing.T, body string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "the page #1.html")
	if err := os.WriteFile(path, []byte("<!DOCTYPE html><html><head><title>t</title></head><body>"+body+"</body></html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(t, path).Problems()
}

func TestGoodPage(t *testing.T) {
	if got := problems(t, `<p id="a"><img src="`+gif+`" alt="dot"><a href="#a">a</a></p>`); len(got) > 0 {
		t.Errorf("problems: %q", got)
	}
}

// TestBadPage: everything that a page must not do is seen. The address is one
// that no resolver knows (RFC 2606).
func TestBadPage(t *testing.T) {
	got := strings.Join(problems(t, `
		<img src="http://nowhere.invalid/a.png" alt="fetched">
		<img src="beside.png" alt="beside">
		<img src="`+gif+`">
		<a href="#b">nowhere</a> <a href="http://nowhere.invalid/">out</a>
		<div style="width: 600px">wide</div>
		<script>console.warn("x"); throw new Error("thrown")</script>`), "\n")
	for _, want := range []string{
		"fetches http://nowhere.invalid/a.png", "beside.png", "image is broken: fetched", "image is broken: beside", "image without alt: data:image/gif",
		"link leads nowhere: #b", "link leads nowhere: http://nowhere.invalid/", "the content is 608 wide in a window of 390", "console.warning is called", "thrown",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no word of %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "in a window of 1280") {
		t.Errorf("600 pixels are too wide for 1280:\n%s", got)
	}
}
