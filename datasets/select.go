package datasets

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"strings"

	"t2sda/internal/imagefile"
)

// selectFiles applies List, Include and Exclude.
func (d *Dataset) selectFiles(images []file) ([]file, error) {
	listed, err := readList(d.opts.List, d.layout.ImageSuffix, images)
	if err != nil {
		return nil, err
	}
	var chosen []file
	for _, f := range images {
		if listed != nil && !listed[f.key] {
			continue
		}
		if len(d.opts.Include) > 0 && !matchAny(d.opts.Include, f) || matchAny(d.opts.Exclude, f) {
			continue
		}
		chosen = append(chosen, f)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("datasets: %s: none of the %d images is left by list %q, include %q, exclude %q",
			d.opts.Root, len(images), d.opts.List, d.opts.Include, d.opts.Exclude)
	}
	return chosen, nil
}

func matchAny(patterns []string, f file) bool {
	for _, p := range patterns {
		for _, name := range []string{path.Base(f.rel), f.key} {
			if ok, _ := path.Match(p, name); ok { // patterns were checked by Open
				return true
			}
		}
	}
	return false
}

// readList returns the keys of the images that a list file names; nil without
// a list.
func readList(name, suffix string, images []file) (map[string]bool, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("datasets: list: %w", err)
	}
	defer f.Close()
	keys := nameIndex(images)
	listed := map[string]bool{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		entry, _, _ := strings.Cut(lines.Text(), "#")
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		stem := entry
		for _, ext := range imagefile.Extensions() {
			stem = strings.TrimSuffix(stem, ext)
		}
		key := keys[strings.TrimSuffix(stem, suffix)]
		if key == "" {
			return nil, fmt.Errorf("datasets: list %s, line %d: no image (or more than one) is named %q", name, n, entry)
		}
		listed[key] = true
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("datasets: list %s: %w", name, err)
	}
	return listed, nil
}

// nameIndex leads from IDs, and from file names that only one image has, to IDs;
// from ambiguous names to "".
func nameIndex(images []file) map[string]string {
	keys := make(map[string]string, 2*len(images))
	for _, img := range images {
		base := path.Base(img.key)
		if _, taken := keys[base]; taken {
			keys[base] = ""
		} else {
			keys[base] = img.key
		}
	}
	for _, img := range images {
		keys[img.key] = img.key
	}
	return keys
}
