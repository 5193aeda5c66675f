package cli

import (
	"bytes"
	"testing"
	"time"
)

// TestProgressLines: where there is no terminal, a line each half minute says
// how far the work is; short work says nothing.
func TestProgressLines(t *testing.T) {
	at := time.Unix(0, 0)
	var out bytes.Buffer
	tell := progressLines(&out, "checking", "images", func() time.Time { return at })
	for done := 1; done <= 100; done++ {
		at = at.Add(time.Second)
		tell(done, 100)
	}
	const want = "checking: 30/100 images, 1 a second, ETA 1m10s\n" +
		"checking: 60/100 images, 1 a second, ETA 40s\n" +
		"checking: 90/100 images, 1 a second, ETA 10s\n"
	if out.String() != want {
		t.Errorf("have\n%swant\n%s", out.String(), want)
	}
}
