package datasets

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// choose applies List, Include and Exclude. It returns the labels that the list
// names, by image file.
func (f *found) choose(d *Dataset, problem report) (listed map[string]string, err error) {
	o := d.opts
	listed, err = readList(o, f.images, f.labels)
	if err != nil {
		return nil, err
	}
	for _, img := range f.images {
		if _, ok := listed[img.path]; (ok || listed == nil) && chosenBy(o.Include, o.Exclude, img) {
			f.chosen = append(f.chosen, img)
		}
	}
	if len(f.chosen) == 0 {
		return nil, fmt.Errorf("datasets: %s: none of the %d images is left by list %q, include %q, exclude %q (they are %s)",
			o.Root, len(f.images), o.List, o.Include, o.Exclude, suchAs(f.images))
	}
	f.chosen, err = withoutDoubles(f.chosen, byKey, problem)
	return listed, err
}

// chosenBy applies include (none: all) and exclude.
func chosenBy(include, exclude []string, f file) bool {
	return (len(include) == 0 || matchAny(include, f)) && !matchAny(exclude, f)
}

// matchAny reports whether one of the patterns matches a file: its name, with or
// without extension and suffix, or, for a pattern with slashes, as much of its
// path as the pattern has elements.
func matchAny(patterns []string, f file) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(composed(p), f) })
}

func match(pattern string, f file) bool {
	for _, name := range []string{f.rel, strings.TrimSuffix(f.rel, path.Ext(f.rel)), f.key} {
		name = composed(name)
		if n := strings.Count(pattern, "/"); n == 0 {
			name = path.Base(name)
		} else if elements := strings.Split(name, "/"); len(elements) > n {
			name = strings.Join(elements[:n+1], "/")
		}
		if ok, _ := path.Match(pattern, name); ok { // patterns were checked by Open
			return true
		}
	}
	return false
}
