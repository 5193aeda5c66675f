package datasets

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/text/unicode/norm"

	"t2sda/internal/imagefile"
)

// suffix is how the names of a data set's images, or labels, end: before their
// extension ("_rgb_anon") or with it ("_rgb_anon.png"). It may be a pattern of
// path.Match ("_foggy_beta_*").
type suffix string

func (s suffix) validate(what string) error {
	if strings.Contains(string(s), "/") {
		return fmt.Errorf("%s %q: want the end of a file's name, without folders", what, s)
	}
	if _, err := path.Match(string(s), "x"); err != nil {
		return fmt.Errorf("%s %q: %w", what, s, err)
	}
	return nil
}

// parts splits off the extension, where the suffix has one that is read.
func (s suffix) parts() (stem, ext string) {
	if ext = path.Ext(string(s)); !imagefile.IsImage(ext) {
		ext = ""
	}
	return strings.TrimSuffix(string(s), ext), ext
}

func (s suffix) wild() bool { return strings.ContainsAny(string(s), `*?[\`) }

// cut returns a path without suffix and extension, and whether it has the
// suffix. Of the ends that a pattern matches, the shortest is cut.
func (s suffix) cut(rel string) (before string, ok bool) {
	end, only := s.parts()
	ext := path.Ext(rel)
	if only != "" && !strings.EqualFold(ext, only) {
		return "", false
	}
	stem := strings.TrimSuffix(rel, ext)
	if !s.wild() {
		if before, ok = strings.CutSuffix(stem, end); ok {
			return before, true
		}
		return strings.CutSuffix(composed(stem), composed(end))
	}
	stem, end = composed(stem), composed(end)
	for i := len(stem); i >= 0 && !strings.Contains(stem[i:], "/"); i-- {
		if ok, _ := path.Match(end, stem[i:]); ok { // the pattern was validated
			return stem[:i], true
		}
	}
	return "", false
}

// file is a file found below a folder.
type file struct {
	path string // to open it
	rel  string // below the folder (and its prefix), slash-separated
	key  string // rel without extension and suffix; with the suffix, where that is a pattern: what tells files apart
	pair string // rel without extension and suffix: what images and labels have in common
}

// cutAll returns the files that have the suffix, with their keys, and the others.
func (s suffix) cutAll(files []file) (with, without []file) {
	for _, f := range files {
		before, ok := s.cut(f.rel)
		if !ok {
			without = append(without, f)
			continue
		}
		f.key, f.pair = before, composed(before)
		if s.wild() {
			f.key = strings.TrimSuffix(f.rel, path.Ext(f.rel))
		}
		with = append(with, f)
	}
	return with, without
}

// composed brings a name into Unicode's composed form (NFC): archives made on a
// Mac hold decomposed names, which look the same.
func composed(name string) string { return norm.NFC.String(name) }
