package shards

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Ext is how the names of shards end.
const Ext = ".tar"

// maxNames bounds what a pattern may stand for: a slip of a digit in a range is an
// error, not a machine without memory.
const maxNames = 1_000_000

// Packed reports whether a name is that of a compressed archive, which is no shard.
func Packed(name string) bool {
	stem, ext, _ := strings.Cut(path.Base(name), Ext+".")
	return strings.EqualFold(path.Ext(name), ".tgz") || stem != "" && (ext == "gz" || ext == "zst" || ext == "xz" || ext == "bz2" || ext == "lz4")
}

// Expand writes out the braces of a pattern, as WebDataset and shells do:
// a-{000..012}.tar are thirteen names of three digits each, {a,b}.tar two. Braces
// without comma and two dots stay as they are.
func Expand(pattern string) ([]string, error) {
	names := []string{""}
	for rest := pattern; rest != ""; {
		open := strings.IndexByte(rest, '{')
		shut := strings.IndexByte(rest, '}')
		if open < 0 || shut < open {
			return appendAll(names, []string{rest}, pattern)
		}
		choices, err := choices(rest[open+1 : shut])
		if err != nil {
			return nil, fmt.Errorf("pattern %s: %w", pattern, err)
		}
		for i := range choices {
			choices[i] = rest[:open] + choices[i]
		}
		if names, err = appendAll(names, choices, pattern); err != nil {
			return nil, err
		}
		rest = rest[shut+1:]
	}
	return names, nil
}

// appendAll returns each name with each ending.
func appendAll(names, ends []string, pattern string) ([]string, error) {
	if len(names)*len(ends) > maxNames {
		return nil, fmt.Errorf("pattern %s stands for more than %d shards", pattern, maxNames)
	}
	all := make([]string, 0, len(names)*len(ends))
	for _, name := range names {
		for _, end := range ends {
			all = append(all, name+end)
		}
	}
	return all, nil
}

// choices are what a pair of braces stands for.
func choices(inner string) ([]string, error) {
	first, last, isRange := strings.Cut(inner, "..")
	if !isRange {
		if !strings.Contains(inner, ",") {
			return []string{"{" + inner + "}"}, nil
		}
		return strings.Split(inner, ","), nil
	}
	from, err1 := strconv.ParseUint(first, 10, 32)
	to, err2 := strconv.ParseUint(last, 10, 32)
	if err1 != nil || err2 != nil || from > to || to-from >= maxNames {
		return nil, fmt.Errorf("{%s} is no range: want two numbers, the smaller one first, at most %d apart, as {000000..000099}", inner, maxNames)
	}
	width := 0
	if len(first) > 1 && first[0] == '0' || len(first) == len(last) {
		width = len(first)
	}
	all := make([]string, 0, to-from+1)
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprintf("%0*d", width, n))
	}
	return all, nil
}
