// Package usercache says where the program keeps what it can make or fetch again.
package usercache

import (
	"os"
	"path/filepath"
)

// Dir returns <user's cache>/t2sda/parts…, which may not be there. It honours
// XDG_CACHE_HOME, and fails where the environment names no cache.
func Dir(parts ...string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return In(base, parts...), nil
}

// In is Dir in another cache than the environment's.
func In(base string, parts ...string) string {
	return filepath.Join(append([]string{base, "t2sda"}, parts...)...)
}
