package reel

import (
	"slices"
	"strings"
	"testing"
)

// FuzzNames: names that are read from standard input are lines of it, none of them
// empty; separated by zero bytes they are read as they stand.
func FuzzNames(f *testing.F) {
	f.Add("a.png\r\nb.png\n# c\n\n")
	f.Add("a.png\x00 b.png\x00\x00")
	f.Add("\xff\xfea\x00\n\x00b\x00")
	f.Add("\ufeffa\rb")
	f.Add("#")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := readNames(text)
		if (err != nil) != (len(names) == 0) {
			t.Fatalf("%d names, %v", len(names), err)
		}
		for _, name := range names {
			if name == "" || strings.ContainsAny(name, "\x00") && !strings.HasPrefix(text, "\xff\xfe") && !strings.HasPrefix(text, "\xfe\xff") {
				t.Errorf("a name is %q", name)
			}
		}
		if !strings.Contains(text, "\x00") {
			return
		}
		if again, err := readNames(strings.Join(names, "\x00") + "\x00"); err == nil && !slices.Equal(again, names) {
			t.Errorf("%q are read as %q", names, again)
		}
	})
}
