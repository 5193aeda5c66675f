package terminal

import (
	"os"
	"path/filepath"
	"testing"
)

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"Straße\tÅ 3\n":        "Straße\tÅ 3\n",
		"a\x1b[2Jb":            `a\x1b[2Jb`,
		"a\rb\x07\x7f":         `a\x0db\x07\x7f`,
		"\u009b2J":             `\x9b2J`,
		"gnp.\u202eexe":        `gnp.\u202eexe`,
		"\xff\xfe":             `\xff\xfe`,
		"\ufffd is a rune":     "\ufffd is a rune",
		"\u2066x\u2069 \u200f": `\u2066x\u2069 \u200f`,
	} {
		if have := Escape(text); have != want {
			t.Errorf("%q became %q, want %q", text, have, want)
		}
	}
}

// TestWriter: a file that is no terminal takes everything; a terminal's writer escapes,
// counts what it was given, and its file is at hand.
func TestWriter(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if w := Wrap(f); w != f || Is(w) || Raw(w) != f {
		t.Errorf("a plain file is wrapped: %v", w)
	}
	w := &Writer{f}
	if n, err := w.Write([]byte("\x1b!")); n != 2 || err != nil || !Is(w) || Raw(w) != f {
		t.Errorf("%d, %v", n, err)
	}
	if have, err := os.ReadFile(f.Name()); err != nil || string(have) != `\x1b!` {
		t.Errorf("%q, %v", have, err)
	}
}
