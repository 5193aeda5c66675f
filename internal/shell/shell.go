// Package shell writes command lines for people to type.
package shell

import (
	"strings"
	"unicode"
)

// Quote joins the words of a command line such that a POSIX shell takes them
// apart again: words of more than letters, digits and a few harmless marks are
// put between single quotes.
func Quote(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if w == "" || strings.ContainsFunc(w, special) {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		quoted[i] = w
	}
	return strings.Join(quoted, " ")
}

// special reports whether a shell may take the character for something else.
func special(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./,:=@%+", r)
}
