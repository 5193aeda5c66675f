// Package filekind tells files for what they are that are given in the place of
// others: as weights, models or images.
package filekind

// Kind is what a file is, in words that follow "is"; empty where it cannot be
// told.
type Kind string

// PyTorch's files are ZIP archives of pickles since version 1.6, and pickles
// before, as many .bin files are.
const (
	Zip         Kind = "a ZIP archive"
	TorchPickle Kind = "a PyTorch file (a pickle)"
)

const (
	telephone Kind = "a HEIC picture, as telephones take them"
	lfs       Kind = "a Git LFS pointer, the file itself was not fetched (git lfs pull)"
	page      Kind = "a web page, the download failed"
)

// beginnings are what the files begin with; a dot stands for any byte.
var beginnings = []struct {
	bytes string
	kind  Kind
}{
	{"PK\x03\x04", Zip},
	{"\x80\x02", TorchPickle},
	{"\x80\x03", TorchPickle},
	{"\x80\x04", TorchPickle},
	{"\x80\x05", TorchPickle},
	{"....ftyphei", telephone},
	{"....ftyphev", telephone},
	{"....ftypmif", "a HEIF picture, as telephones take them"},
	{"....ftypavi", "an AVIF picture"},
	{"....ftyp", "a video"},
	{"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"},
	{"\xff\x0a", "a JPEG XL picture"},
	{"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"},
	{"\xff\x4f\xff\x51", "a JPEG 2000 picture"},
	{"II+\x00", "a BigTIFF picture"},
	{"MM\x00+", "a BigTIFF picture"},
	{"8BPS", "a Photoshop picture"},
	{"\x76\x2f\x31\x01", "an OpenEXR picture"},
	{"P5", "a PGM picture"},
	{"P6", "a PPM picture"},
	{"\x93NUMPY", "a NumPy array"},
	{"\x89HDF", "an HDF5 file"},
	{"%PDF", "a PDF"},
	{"version https://git-lfs", lfs},
	{"<!DOCTYPE", page},
	{"<!doctype", page},
	{"<html", page},
	{"<svg", "an SVG drawing"},
	{"<?xml", "an XML file"},
	{"....\x00\x00\x00\x00{\"", "a safetensors file, weights without a network"},
}

// Of judges by the first bytes of a file, of which 32 are enough.
func Of(head []byte) Kind {
	for _, b := range beginnings {
		if Begins(head, b.bytes) {
			return b.kind
		}
	}
	return ""
}

// Begins reports whether a file's first bytes are those of the pattern, in which a
// dot stands for any byte.
func Begins(head []byte, pattern string) bool {
	if len(head) < len(pattern) {
		return false
	}
	for i := range pattern {
		if pattern[i] != '.' && pattern[i] != head[i] {
			return false
		}
	}
	return true
}
