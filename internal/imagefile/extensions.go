package imagefile

import (
	"path/filepath"
	"slices"
	"strings"
)

// lossless are the extensions of formats that keep what is written into them;
// lossy those of formats that do not.
var (
	lossless = []string{".png", ".tif", ".tiff", ".bmp", ".gif", ".webp"}
	lossy    = []string{".jpg", ".jpeg"}
)

// Extensions returns, in lower case, what the names of images end in.
func Extensions() []string { return slices.Concat(lossless[:1], lossy, lossless[1:]) }

// LabelExtensions returns, in lower case, what the names of label files end in:
// what JPEG does to a picture, it must not do to ids.
func LabelExtensions() []string { return slices.Clone(lossless) }

// IsImage reports whether a file's name is that of an image.
func IsImage(name string) bool { return IsLabel(name) || slices.Contains(lossy, extension(name)) }

// IsLabel reports whether a file's name may be that of a label.
func IsLabel(name string) bool { return slices.Contains(lossless, extension(name)) }

func extension(name string) string { return strings.ToLower(filepath.Ext(name)) }
