package fetch

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

// digest is what is known of a file's content before it is there.
type digest struct {
	sha256 string // hex, all or the beginning of it; empty: unknown
	blob   string // hex, SHA-1 of Git's blob; empty: unknown
	says   string // who says so, in words
}

// digestError is a file that is not what it should be.
type digestError struct{ what, have, want, says string }

func (e *digestError) Error() string {
	return fmt.Sprintf("%s has the digest %s, %s says %s: it is another file, or was damaged on its way; nothing of it was kept", e.what, e.have[:min(len(e.have), max(16, len(e.want)))], e.says, e.want)
}

func (d digest) known() bool { return d.sha256 != "" || d.blob != "" }

// check compares a file with what is known of it; what names it in the error.
func (d digest) check(path, what string) error {
	if !d.known() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	var h hash.Hash
	want := d.sha256
	if h = sha256.New(); want == "" {
		st, err := f.Stat()
		if err != nil {
			return err
		}
		h, want = sha1.New(), d.blob
		fmt.Fprintf(h, "blob %d\x00", st.Size())
	}
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if have := hex.EncodeToString(h.Sum(nil)); !strings.HasPrefix(have, want) {
		return &digestError{what, have, want, d.says}
	}
	return nil
}

var hashInName = regexp.MustCompile(`-([0-9a-f]{8,64})\.[A-Za-z0-9.]+$`)

// digestOfName reads the beginning of the SHA-256 that names after torch.hub's fashion
// carry: resnet50-0676ba61.pth. Eight digits that are a date are none.
func digestOfName(name string) digest {
	m := hashInName.FindStringSubmatch(name)
	if m == nil {
		return digest{}
	}
	if _, err := time.Parse("20060102", m[1]); err == nil && (m[1][:2] == "19" || m[1][:2] == "20") {
		return digest{}
	}
	return digest{sha256: m[1], says: "its name"}
}

var wholeSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// pinned is a digest that the user gives.
func pinned(text string) (digest, error) {
	text = strings.ToLower(text)
	if !wholeSHA256.MatchString(text) {
		return digest{}, fmt.Errorf("SHA-256 %q: want 64 hexadecimal digits", text)
	}
	return digest{sha256: text, says: "what was asked for"}, nil
}
