// Package realpath tells where paths lead once their symbolic links are
// followed, so that nothing is written into a folder that was to be left alone.
package realpath

import (
	"os"
	"path/filepath"
	"strings"
)

// Of resolves the symbolic links of a path, of which only the beginning need be
// there.
func Of(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	for at, rest := abs, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if _, err := os.Lstat(at); err == nil || at == filepath.Dir(at) {
			real, err := filepath.EvalSymlinks(at)
			return filepath.Join(real, rest), err
		}
	}
}

// Within reports whether a path is the folder or lies in it; both are results of
// [Of].
func Within(real, folder string) bool {
	return real == folder || strings.HasPrefix(real, strings.TrimSuffix(folder, string(filepath.Separator))+string(filepath.Separator))
}
