package datasets

import (
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf16"
)

// readList reads the list of o, which names some of the images and, in a second
// column, their labels: image file → label file, empty where it names none; nil
// without a list. A line that stands on disk as it is names that file, with
// blanks, # and all; otherwise blanks around it, a comment behind it (# at the
// beginning or after a blank) and columns are looked for.
func readList(o Options, images, labels []file) (map[string]string, error) {
	if o.List == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.List)
	if err != nil {
		return nil, fmt.Errorf("datasets: list: %w", err)
	}
	r := listReader{o: o, images: newIndex(o, images), labels: newIndex(o, labels)}
	listed := map[string]string{}
	for n, line := range ListLines(string(text)) {
		image, label, err := r.line(line)
		if err != nil {
			return nil, fmt.Errorf("datasets: list %s, line %d: %w", o.List, n+1, err)
		}
		if image == "" {
			continue // empty, or a comment
		}
		switch other := listed[image]; {
		case other == "" || other == label:
			listed[image] = label
		case label != "": // one that was listed with its label may be listed without
			return nil, fmt.Errorf("datasets: list %s, line %d: %s is listed with two labels, %s and %s", o.List, n+1, image, other, label)
		}
	}
	return listed, nil
}

// ListLines splits a list of names into its lines, whichever way they end (LF,
// CRLF or CR), without a byte order mark. UTF-16 is read by its mark.
func ListLines(text string) []string {
	text = strings.TrimPrefix(fromUTF16(text), "\ufeff")
	return strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
}

// fromUTF16 decodes a text that begins with the byte order mark of UTF-16, as
// PowerShell writes lists; it returns others as they are.
func fromUTF16(text string) string {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case strings.HasPrefix(text, "\xff\xfe"):
	case strings.HasPrefix(text, "\xfe\xff"):
		order = binary.BigEndian
	default:
		return text
	}
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16([]byte(text[2*i : 2*i+2]))
	}
	return string(utf16.Decode(units))
}

// listReader reads lines.
type listReader struct {
	o              Options
	images, labels index
}

// line returns the image file that a line names, empty for an empty line or a
// comment, and the label file, empty where it names none.
func (r listReader) line(line string) (image, label string, err error) {
	for _, text := range []string{line, strings.TrimRight(line, " \t")} {
		if image, unique := r.images.find(text); image != "" || !unique {
			return image, "", severalNamed(text, unique)
		}
	}
	if image, label, _ = r.columns(line, index.find); image != "" {
		return image, label, nil
	}
	entry := withoutComment(line)
	if entry == "" {
		return "", "", nil
	}
	if image, unique := r.images.findLoosely(entry); image != "" || !unique {
		return image, "", severalNamed(entry, unique)
	}
	image, label, missing := r.columns(entry, index.findLoosely)
	switch {
	case image != "":
		return image, label, nil
	case missing != "":
		return "", "", fmt.Errorf("there is no label %q", missing)
	}
	return "", "", fmt.Errorf("no image is named %q (there are %d, %s)", entry, len(r.images.files), suchAs(r.images.files))
}

func severalNamed(name string, unique bool) error {
	if unique {
		return nil
	}
	return fmt.Errorf("more than one image is named %q: give its path below the image folder, with extension", name)
}

// withoutComment removes blanks around an entry and a comment.
func withoutComment(line string) string {
	for i := range line {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			line = line[:i]
			break
		}
	}
	return strings.TrimSpace(line)
}

// columns reads an image and its label from one line, with a blank, a comma or a
// semicolon between them: names may hold these as well, so every place is tried.
// missing is a second column behind an image that is no label.
func (r listReader) columns(text string, find func(index, string) (string, bool)) (image, label, missing string) {
	for i, c := range text {
		if !strings.ContainsRune(" \t,;", c) {
			continue
		}
		right := strings.TrimSpace(text[i+1:])
		for _, left := range []string{text[:i], strings.TrimSpace(text[:i])} {
			image, _ := find(r.images, left)
			if image == "" || right == "" {
				continue
			}
			if label := r.label(right); label != "" {
				return image, label, ""
			}
			missing = right
		}
	}
	return "", "", missing
}

// label returns the file of a second column: one of the data set's labels, or any
// other, below the root or with its whole path.
func (r listReader) label(name string) string {
	if label, _ := r.labels.findLoosely(name); label != "" {
		return label
	}
	file := filepath.FromSlash(name)
	if !filepath.IsAbs(file) && !isURL(file) {
		file = filepath.Join(r.o.Root, file)
	}
	if info, err := r.o.at().Stat(file); err == nil && info.Mode().IsRegular() {
		return r.o.at().Name(file)
	}
	return ""
}

// index leads from the ways to name a file to it.
type index struct {
	files []file
	tiers [5]map[string]int // name → file, ambiguous for several; earlier tiers go first
	tails map[string][]int  // file name → files, for paths whose beginning is unknown
	below []string          // files' paths below the root
}

// ambiguous marks a name that several files have.
const ambiguous = -1

// newIndex indexes files by path below their folder, as it stands; by ID; by both
// without and with extension; by path below the root and whole path; by file name.
func newIndex(o Options, files []file) index {
	x := index{files: files, tails: map[string][]int{}, below: make([]string, len(files))}
	for t := range x.tiers {
		x.tiers[t] = make(map[string]int, len(files))
	}
	for i, f := range files {
		x.add(0, f.rel, i)
		x.add(1, f.key, i)
		x.addBoth(2, f.rel, i)
		x.add(2, f.key+path.Ext(f.rel), i)
		if abs, err := wholeName(f.path); err == nil {
			x.addBoth(3, filepath.ToSlash(abs), i)
		}
		if rel, ok := o.at().Below(o.Root, f.path); ok {
			x.below[i] = composed(rel)
			x.addBoth(3, x.below[i], i)
		}
		x.addBoth(4, path.Base(f.rel), i)
		x.add(4, path.Base(f.key), i)
		base := composed(path.Base(f.rel))
		x.tails[base] = append(x.tails[base], i)
	}
	return x
}

func (x index) addBoth(tier int, name string, i int) {
	x.add(tier, name, i)
	x.add(tier, strings.TrimSuffix(name, path.Ext(name)), i)
}

func (x index) add(tier int, name string, i int) {
	name = composed(name)
	if other, taken := x.tiers[tier][name]; taken && other != i {
		i = ambiguous
	}
	x.tiers[tier][name] = i
}

// find returns the file of that name, empty when there is none, and whether it is
// the only one.
func (x index) find(name string) (file string, unique bool) {
	name = composed(name)
	for _, form := range []string{name, cleanSlash(name), cleanSlash(strings.ReplaceAll(name, `\`, "/"))} {
		for _, tier := range x.tiers {
			if i, ok := tier[form]; ok && i != ambiguous {
				return x.files[i].path, true
			} else if ok {
				return "", false
			}
		}
	}
	return "", true
}

// findLoosely also takes extensions in the other case, and paths of a place where
// the data set lay before.
func (x index) findLoosely(name string) (file string, unique bool) {
	if file, unique = x.find(name); file != "" || !unique {
		return file, unique
	}
	ext := path.Ext(name)
	if file, _ = x.find(strings.TrimSuffix(name, ext)); file != "" && strings.EqualFold(path.Ext(file), ext) {
		return file, true
	}
	return x.tail(cleanSlash(strings.ReplaceAll(composed(name), `\`, "/"))), true
}

// cleanSlash removes ./ and the like; an empty name stays empty.
func cleanSlash(name string) string {
	if name == "" {
		return ""
	}
	return path.Clean(name)
}

// tail finds the one file whose whole path below the root is how the name ends.
func (x index) tail(name string) (file string) {
	for _, i := range x.tails[path.Base(name)] {
		if x.below[i] == "" || !strings.HasSuffix(name, "/"+x.below[i]) {
			continue
		}
		if file != "" {
			return ""
		}
		file = x.files[i].path
	}
	return file
}

// suchAs gives an example of images' names for messages.
func suchAs(images []file) string { return fmt.Sprintf("such as %q", images[0].rel) }

// listNames returns, for each chosen image, the line by which a list names it, and
// with it its label where that is not the one of its name.
func (f *found) listNames(o Options) []string {
	x := newIndex(o, f.images)
	labels := f.labelsByPair()
	lines := make([]string, len(f.chosen))
	for i, img := range f.chosen {
		lines[i] = img.key
		if file, _ := x.find(img.key); file != img.path {
			lines[i] = img.rel
		}
		label := f.labelOf[i]
		if label == "" || label == labels[img.pair] {
			continue
		}
		if rel, ok := o.at().Below(o.Root, label); ok {
			label = rel
		} else if abs, err := wholeName(label); err == nil {
			label = abs
		}
		lines[i] += "\t" + label
	}
	return lines
}
