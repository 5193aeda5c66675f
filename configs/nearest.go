package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// unknownKey is the error of a value that is given to what is no field.
func unknownKey(key string) error {
	if !slices.Contains(sections, key) {
		return errors.New("no such key" + suggestion(key))
	}
	var within []string
	for _, k := range keys {
		if rest, ok := strings.CutPrefix(k, key+"."); ok {
			name, _, _ := strings.Cut(rest, ".")
			within = append(within, key+"."+name)
		}
	}
	return fmt.Errorf("is a section, want one of its keys: %s", strings.Join(slices.Compact(within), ", "))
}

// suggestion names the known keys that end like the unknown one, since most
// mistakes are a forgotten section; or else the one that is written most alike;
// or else those whose last part is.
func suggestion(key string) string {
	ending := func(last string) string {
		var found []string
		for _, k := range keys {
			if lastPart(k) == last {
				found = append(found, k)
			}
		}
		return strings.Join(found, " or ")
	}
	if found := ending(lastPart(key)); found != "" {
		return didYouMean(found)
	}
	if found := nearest(key, slices.Concat(sections, keys)); found != "" {
		return didYouMean(found)
	}
	var lasts []string
	for _, k := range keys {
		lasts = append(lasts, lastPart(k))
	}
	return didYouMean(ending(nearest(lastPart(key), lasts)))
}

func didYouMean(key string) string {
	if key == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", key)
}

// lastPart is a dotted key's last part.
func lastPart(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// nearest returns the known word of the smallest edit distance to the unknown
// one, the first in the alphabet of several, or "" if more than a third of it
// would have to change.
func nearest(word string, known []string) string {
	best, least := "", max(len(word)/3, 1)+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := editDistance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// editDistance counts the bytes to insert, delete or replace, and the neighbours
// to swap, that turn a into b (Damerau 1964; no byte is changed twice).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // distances of a[:i] to every b[:j]
	for j := range row {
		row[j] = j
	}
	var before []int // the row of a[:i-1]
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
