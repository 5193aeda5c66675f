package reel

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// natural compares names as people number things: digits by the number that they are, so
// that frame_2 comes before frame_10; what is equal so far, letter by letter.
func natural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		n, m := digits(x), digits(y)
		if n > 0 && m > 0 {
			if c := compareNumbers(x[:n], y[:m]); c != 0 {
				return c
			}
			x, y = x[n:], y[m:]
			continue
		}
		if c := cmp.Compare(x[0], y[0]); c != 0 {
			return c
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

// digits is how many of them a text begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// compareNumbers compares whole numbers of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// verb is a number's place in the name of a sequence, as printf and ffmpeg have it.
var verb = regexp.MustCompile(`%(0[0-9]+)?d`)

// isSequence reports whether a path is the pattern of a numbered sequence.
func isSequence(path string) bool {
	return len(verb.FindAllString(filepath.Base(path), -1)) == 1
}

// sequence returns the files of a numbered sequence that are there, by their numbers: with a
// width, as in %06d, zeros fill it; without one, numbers have no zeros before them.
func sequence(pattern string) ([]string, error) {
	dir, base := filepath.Split(pattern)
	at := verb.FindStringSubmatchIndex(base)
	before, after := strings.ReplaceAll(base[:at[0]], "%%", "%"), strings.ReplaceAll(base[at[1]:], "%%", "%")
	width := 1
	if at[2] >= 0 {
		width, _ = strconv.Atoi(base[at[2]:at[3]]) // of digits
	}
	entries, err := os.ReadDir(filepath.Join(dir, "."))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), before)
		if !ok {
			continue
		}
		if number, ok = strings.CutSuffix(number, after); !ok || number == "" || digits(number) < len(number) {
			continue
		}
		if len(number) == width || len(number) > width && number[0] != '0' {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, natural)
	for i, n := range names {
		names[i] = dir + n
	}
	return names, nil
}
