package streets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"t2sda/internal/atomicfile"
	"t2sda/internal/sha256sum"
)

// sumsName is the file in the root of a tree that lists the SHA-256 of every picture as
// it was rendered, in the form of sha256sum(1).
const sumsName = "SHA256SUMS"

// ledger is the list of a tree's digests: what is in it was written whole, and is whole
// as long as the digest is that of the file. A line is added when its file is there, so
// that a rendering that was stopped goes on; of two lines about one file the later one
// holds. Processes that render the same tree at the same time add the same lines.
type ledger struct {
	root string
	sums map[string]string // hexadecimal, by path below root with slashes; not modified
	mu   sync.Mutex
	file *os.File
}

// openLedger reads the list, leaves out what is not among files, and opens it to be added
// to.
func openLedger(root string, files map[string]bool) (*ledger, error) {
	l := &ledger{root: root, sums: map[string]string{}}
	path := filepath.Join(root, sumsName)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if ok && len(sum) == hex.EncodedLen(sha256.Size) && files[name] && strings.HasSuffix(line, "\n") {
			l.sums[name] = sum
		}
	}
	if tidy := sha256sum.List(l.sums); !bytes.Equal(tidy, text) {
		if err := atomicfile.Write(path, tidy); err != nil {
			return nil, err
		}
	}
	l.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	return l, err
}

// holds reports whether the file at path is, byte for byte, one that was rendered.
func (l *ledger) holds(path string) bool {
	want := l.sums[l.name(path)]
	if want == "" {
		return false
	}
	have, err := sha256sum.File(path)
	return err == nil && have == want
}

// add notes that the file at path was written with this content.
func (l *ledger) add(path string, content []byte) error {
	line := sha256sum.Line(sha256sum.Of(content), l.name(path))
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.file.WriteString(line)
	return err
}

// name is the path below the root; both begin alike.
func (l *ledger) name(path string) string {
	return strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(path, l.root)), "/")
}

func (l *ledger) close() error { return l.file.Close() }
