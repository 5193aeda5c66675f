// Package realpath tells where paths lead once their symbolic links are
// followed, so that nothing is written into a folder that was to be left alone.
package realpath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Of resolves the symbolic links of a path, of which only the beginning need be
// there: so of a file's name, it returns the file that writing it makes or changes, also where a link
// leads to none yet.
func Of(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	at, rest := abs, ""
	for {
		if _, err := os.Lstat(at); err != nil && at != filepath.Dir(at) {
			at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest)
			continue
		}
		real, err := filepath.EvalSymlinks(at)
		if !errors.Is(err, fs.ErrNotExist) {
			return filepath.Join(real, rest), err // links that lead round in circles are another error
		}
		text, err := os.Readlink(at)
		if err != nil {
			return "", err
		}
		if at, err = led(filepath.Dir(at), text); err != nil {
			return "", err
		}
	}
}

// led returns where the text of a link in a folder leads. "link/.." is not the folder of link, but that of
// what it leads to, so that a path must not be made shorter before its links are resolved.
func led(folder, text string) (string, error) {
	if !filepath.IsAbs(text) {
		real, err := filepath.EvalSymlinks(folder)
		if err != nil {
			return "", err
		}
		text = real + string(filepath.Separator) + text
	}
	dir, base := filepath.Split(text)
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || base == ".." {
		return filepath.Clean(text), nil // as far as one can tell
	}
	return filepath.Join(real, base), nil
}

// Within reports whether a path is the folder or lies in it; both are results of
// [Of].
func Within(real, folder string) bool {
	return real == folder || strings.HasPrefix(real, strings.TrimSuffix(folder, string(filepath.Separator))+string(filepath.Separator))
}
