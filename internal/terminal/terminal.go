// Package terminal keeps text that comes from outside (names of files and classes, what
// models and checkpoints say) from steering the terminal that it is shown on.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Writer writes to a terminal. Control characters other than tabs and ends of lines, and
// those that turn the direction of writing, appear as \x1b or \u202e would in Go.
type Writer struct{ file *os.File }

// Wrap returns what text for f should be written to: a [Writer] where f is a terminal, else
// f itself, because pipes and files may take anything.
func Wrap(f *os.File) io.Writer {
	if term.IsTerminal(int(f.Fd())) {
		return &Writer{f}
	}
	return f
}

// Is reports whether w leads to a terminal.
func Is(w io.Writer) bool {
	_, ok := w.(*Writer)
	return ok
}

// Raw returns the file that w leads to, for control characters that are meant; w itself
// where it is no [Writer].
func Raw(w io.Writer) io.Writer {
	if t, ok := w.(*Writer); ok {
		return t.file
	}
	return w
}

// Write implements [io.Writer].
func (w *Writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.file, Escape(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Escape makes text harmless.
func Escape(text string) string {
	if strings.IndexFunc(text, steers) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case steers(r) && r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case steers(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// steers reports whether a terminal does something else with r than show it.
func steers(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}
