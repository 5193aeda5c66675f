package configs

import (
	"fmt"
	"slices"
	"strings"
)

// suggestion names the known keys that end like the unknown one, since most
// mistakes are a forgotten section, or else the one that is written most alike.
func suggestion(key string) string {
	var found []string
	for _, k := range keys() {
		if lastPart(k) == lastPart(key) {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return didYouMean(nearest(key, keys()))
	}
	return didYouMean(strings.Join(found, " or "))
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

// editDistance counts the bytes to insert, delete or replace that turn a into b
// (Levenshtein 1966).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // distances of a[:i] to every b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
