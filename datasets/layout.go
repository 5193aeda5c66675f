package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"t2sda/internal/imagefile"
)

// layout is one row of data/layouts.yaml; its head explains the fields.
type layout struct {
	Name        string      `yaml:"name"`
	Images      []string    `yaml:"images"`
	ImageSuffix string      `yaml:"image_suffix"`
	Labels      []string    `yaml:"labels"`
	Channel     string      `yaml:"channel"`
	Kinds       []labelKind `yaml:"kinds"`
}

// labelKind is one way in which a layout's label files are named and numbered.
type labelKind struct {
	Suffix    string `yaml:"suffix"`
	Map       string `yaml:"map"`
	Converted string `yaml:"converted"` // suffix of train id files made of them; empty: Suffix
}

func loadLayouts() []layout {
	data, err := embedded.ReadFile("data/layouts.yaml")
	if err != nil {
		panic(err) // embedded data
	}
	var rows []layout
	if err := strictYAML(data, &rows); err != nil {
		panic(err) // embedded data, covered by tests
	}
	return rows
}

// Layouts lists the folder layouts that [Open] knows.
func Layouts() []string {
	rows := loadLayouts()
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Name
	}
	return names
}

func findLayout(name string) (layout, error) {
	if name == "" {
		name = "generic"
	}
	for _, row := range loadLayouts() {
		if row.Name == name {
			if len(row.Kinds) == 0 {
				row.Kinds = []labelKind{{}}
			}
			return row, nil
		}
	}
	return layout{}, fmt.Errorf("datasets: unknown layout %q (one of: %s)", name, strings.Join(Layouts(), ", "))
}

// otherLayouts tells which layouts' folders are there, for the message that the
// asked one's are not.
func (o Options) otherLayouts() string {
	var names []string
	for _, row := range loadLayouts() {
		images, _, err := folders(o.Root, o.Split, "", row.Images)
		if err != nil || len(images) == 0 {
			continue
		}
		if labels, _, err := folders(o.Root, o.Split, "", row.Labels); err == nil && len(labels) > 0 {
			names = append(names, row.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("; there are folders of layout %s", strings.Join(names, ", "))
}

// folder is one of the folders that a template names.
type folder struct {
	dir    string
	prefix string // what the template's lone * stands for: part of the names of the files below dir
}

// folders returns the existing folders that the first matching template names.
// An override (Options.Images, Options.Labels) takes the templates' place. The
// second result are the places that were looked at, for messages. Symbolic
// links that cannot be followed are errors.
func folders(root, split, override string, templates []string) (found []folder, tried []string, err error) {
	if override != "" {
		dir := filepath.FromSlash(strings.ReplaceAll(override, "{split}", split))
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
		ok, err := isDir(dir)
		if ok {
			found = []folder{{dir: dir}}
		}
		return found, []string{dir}, err
	}
	for _, t := range templates {
		pattern := path.Clean(strings.ReplaceAll(t, "{split}", split))
		if pattern == "." { // "{split}" without a split would take the labels for images
			continue
		}
		tried = append(tried, filepath.Join(root, filepath.FromSlash(pattern)))
		if found, err = expand(folder{dir: root}, pattern); err != nil || len(found) > 0 {
			return found, tried, err
		}
	}
	return nil, tried, nil
}

// expand returns the folders below at whose names match the pattern's elements,
// in lexical order.
func expand(at folder, pattern string) ([]folder, error) {
	element, rest, more := strings.Cut(pattern, "/")
	names := []string{element}
	wild := strings.Contains(element, "*")
	if wild {
		var err error
		if names, err = matching(at.dir, element); err != nil {
			return nil, err
		}
	}
	var found []folder
	for _, name := range names {
		next := folder{filepath.Join(at.dir, name), at.prefix}
		if element == "*" {
			next.prefix = path.Join(next.prefix, name)
		}
		below := []folder{next}
		ok, err := isDir(next.dir)
		if err != nil && wild && path.Ext(name) != "" {
			continue // a stray link that is no folder
		}
		if ok && more {
			below, err = expand(next, rest)
		}
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, below...)
		}
	}
	return found, nil
}

// matching lists the entries of a folder that match an element of a template.
func matching(dir, element string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("datasets: %w", err)
	}
	var names []string
	for _, e := range entries {
		if ok, err := path.Match(element, e.Name()); err != nil {
			return nil, fmt.Errorf("datasets: folder pattern %q: %w", element, err)
		} else if ok && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// isDir tells whether there is a folder of that name, links followed. It is an
// error when there is a symbolic link on the way that leads nowhere or in a
// circle.
func isDir(name string) (bool, error) {
	info, err := os.Stat(name)
	if err == nil {
		return info.IsDir(), nil
	}
	for dir := name; ; dir = filepath.Dir(dir) {
		if link, e := os.Lstat(dir); e == nil {
			if _, e := os.Stat(dir); e != nil && link.Mode()&fs.ModeSymlink != 0 {
				return false, deadLink(dir)
			}
			return false, nil // what should follow is not there
		}
		if dir == filepath.Dir(dir) {
			return false, nil
		}
	}
}

// Splits returns the splits of a data set in lexical order: the names of the
// folders in the place of {split} in its layout's image folder (or in
// Options.Images); Options.Split is not looked at. It returns none for layouts
// without splits and where images lie directly in that place: [Open] then takes
// them with an empty split.
func Splits(o Options) ([]string, error) {
	l, err := findLayout(o.Layout)
	if err != nil {
		return nil, err
	}
	templates := l.Images
	if o.Images != "" {
		templates = []string{o.Images}
	}
	for _, t := range templates {
		dir, ok := strings.CutSuffix(filepath.ToSlash(t), "{split}")
		if !ok {
			continue
		}
		if !path.IsAbs(dir) {
			dir = path.Join(filepath.ToSlash(o.Root), dir)
		}
		entries, err := os.ReadDir(filepath.FromSlash(dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("datasets: %w", err)
		}
		splits, err := splitNames(o, l, t, entries)
		if err != nil || len(splits) > 0 {
			return splits, err
		}
	}
	return nil, nil
}

// splitNames returns those of a folder's entries that are splits; none when
// there are images among them.
func splitNames(o Options, l layout, template string, entries []fs.DirEntry) ([]string, error) {
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if imagefile.IsImage(e.Name()) {
			return nil, nil
		}
		dirs, _, err := folders(o.Root, e.Name(), template, nil)
		if err == nil && len(dirs) > 0 && template == "{split}" { // any folder of the root: a split has labels as well
			dirs, _, err = folders(o.Root, e.Name(), o.Labels, l.Labels)
		}
		if err != nil && path.Ext(e.Name()) == "" {
			return nil, err
		}
		if len(dirs) > 0 {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// deadLink is the error of a symbolic link that cannot be followed.
func deadLink(name string) error {
	_, err := os.Stat(name)
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the path is in the message
	}
	to, readErr := os.Readlink(name)
	if readErr != nil {
		to = "?"
	}
	return fmt.Errorf("datasets: symbolic link %s (to %s) cannot be followed: %w", name, to, err)
}
