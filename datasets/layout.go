package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// layout is one row of data/layouts.yaml; its head explains the fields.
type layout struct {
	Name        string      `yaml:"name"`
	About       string      `yaml:"about"`
	Images      []string    `yaml:"images"`
	ImageSuffix string      `yaml:"image_suffix"`
	Labels      []string    `yaml:"labels"`
	Channel     string      `yaml:"channel"`
	Kinds       []labelKind `yaml:"kinds"`
	Skip        []string    `yaml:"skip"`
	SpareLabels bool        `yaml:"spare_labels"`
	Shards      bool        `yaml:"shards"`
	Files       []string    `yaml:"files"`
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

// folder is one of the folders that a template names.
type folder struct {
	dir    string
	prefix string // what the template's lone * stands for: part of the names of the files below dir
}

// folders returns the existing folders that the first matching template names.
// An override (Options.Images, Options.Labels) takes the templates' place. The
// second result are the places that were looked at, for messages. Symbolic
// links that cannot be followed are errors.
func folders(o Options, split, override string, templates []string) (found []folder, tried []string, err error) {
	if override != "" {
		templates = []string{filepath.ToSlash(override)}
	}
	for _, t := range templates {
		if split == "" && override == "" && strings.HasPrefix(t, "{split}") {
			continue // without a split it would take the labels for images
		}
		at, pattern := folder{dir: o.Root}, belowRoot(o.Root, path.Clean(strings.ReplaceAll(t, "{split}", split)))
		if filepath.IsAbs(filepath.FromSlash(pattern)) {
			at.dir = filepath.VolumeName(pattern) + string(filepath.Separator)
			pattern = strings.TrimLeft(pattern[len(filepath.VolumeName(pattern)):], "/")
		}
		tried = append(tried, o.at().Name(filepath.Join(at.dir, filepath.FromSlash(pattern))))
		if found, err = expand(o.at(), at, pattern); err != nil || len(found) > 0 {
			return found, tried, err
		}
	}
	return nil, tried, nil
}

// belowRoot shortens a whole path that leads below the root, so that a folder has one
// name however it is given.
func belowRoot(root, pattern string) string {
	abs, err := filepath.Abs(root)
	if err != nil || !filepath.IsAbs(filepath.FromSlash(pattern)) {
		return pattern
	}
	if rel, err := filepath.Rel(abs, filepath.FromSlash(pattern)); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return pattern
}

// expand returns the folders below at whose names match the pattern's elements,
// in lexical order.
func expand(in place, at folder, pattern string) ([]folder, error) {
	element, rest, more := strings.Cut(pattern, "/")
	names := []string{element}
	wild := strings.Contains(element, "*")
	if wild {
		var err error
		if names, err = matching(in, at.dir, element); err != nil {
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
		ok, err := in.IsDir(next.dir)
		if err != nil && wild && path.Ext(name) != "" {
			continue // a stray link that is no folder
		}
		if ok && more {
			below, err = expand(in, next, rest)
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
func matching(in place, dir, element string) ([]string, error) {
	entries, err := in.ReadDir(dir)
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
