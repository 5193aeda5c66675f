package datasets

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
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
	Suffix string `yaml:"suffix"`
	Map    string `yaml:"map"`
}

// Extensions, in lower case, that are read as images and as labels. Labels are
// PNG only: what JPEG does to a picture, it must not do to ids.
var (
	imageExtensions = []string{".png", ".jpg", ".jpeg"}
	labelExtensions = []string{".png"}
)

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

// folders returns the existing folders that the first matching template names.
// An override (Options.Images, Options.Labels) takes the templates' place. The
// second result are the places that were looked at, for messages.
func folders(root, split, override string, templates []string) (found, tried []string) {
	if override != "" {
		dir := filepath.FromSlash(strings.ReplaceAll(override, "{split}", split))
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
		if isDir(dir) {
			return []string{dir}, []string{dir}
		}
		return nil, []string{dir}
	}
	for _, t := range templates {
		pattern := path.Clean(strings.ReplaceAll(t, "{split}", split))
		if pattern == "." { // "{split}" without a split would take the labels for images
			continue
		}
		tried = append(tried, filepath.Join(root, filepath.FromSlash(pattern)))
		matches, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil {
			continue // the split is no pattern; the message shows it
		}
		for _, m := range matches {
			if dir := filepath.Join(root, filepath.FromSlash(m)); isDir(dir) {
				found = append(found, dir)
			}
		}
		if len(found) > 0 {
			return found, tried
		}
	}
	return nil, tried
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// file is a file found below a folder.
type file struct {
	path string // to open it
	rel  string // below the folder, slash-separated
	key  string // rel without extension and suffix: what pairs images and labels
}

// listFiles returns the files with one of the extensions and the suffix before
// it below the folders, in lexical order of their keys. Symbolic links are
// followed; loops and links that lead nowhere are errors. Names that begin with
// a dot are skipped. Two files of one key are an error.
func listFiles(dirs, extensions []string, suffix string) ([]file, error) {
	var files []file
	for _, dir := range dirs {
		w := walker{root: dir, extensions: extensions, active: map[string]bool{}}
		if err := w.walk(dir, ""); err != nil {
			return nil, err
		}
		files = append(files, w.files...)
	}
	kept := files[:0]
	for _, f := range files {
		stem := strings.TrimSuffix(f.rel, path.Ext(f.rel))
		if key, ok := strings.CutSuffix(stem, suffix); ok {
			f.key = key
			kept = append(kept, f)
		}
	}
	slices.SortFunc(kept, func(a, b file) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
	for i := 1; i < len(kept); i++ {
		if kept[i].key == kept[i-1].key {
			return nil, fmt.Errorf("datasets: %s and %s have the same name", kept[i-1].path, kept[i].path)
		}
	}
	return kept, nil
}

// walker collects files below a root, following symbolic links.
type walker struct {
	root       string
	extensions []string
	active     map[string]bool // real paths of the folders being walked
	files      []file
}

func (w *walker) walk(dir, rel string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	if w.active[real] {
		return fmt.Errorf("datasets: %s is a symbolic link to a folder that contains it (%s): a loop", dir, real)
	}
	w.active[real] = true
	defer delete(w.active, real)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := w.entry(e, filepath.Join(dir, e.Name()), path.Join(rel, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(e fs.DirEntry, name, rel string) error {
	wanted := slices.Contains(w.extensions, strings.ToLower(path.Ext(rel)))
	mode := e.Type()
	if mode&fs.ModeSymlink != 0 {
		info, err := os.Stat(name)
		if err != nil {
			if path.Ext(rel) != "" && !wanted {
				return nil // a stray link that is no image
			}
			return fmt.Errorf("datasets: symbolic link cannot be followed: %w", err)
		}
		mode = info.Mode().Type()
	}
	switch {
	case mode.IsDir():
		return w.walk(name, rel)
	case wanted && mode.IsRegular():
		w.files = append(w.files, file{path: name, rel: rel})
	}
	return nil
}
