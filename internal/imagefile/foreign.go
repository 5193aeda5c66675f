package imagefile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"t2sda/internal/jpegrows"
)

// Known lists the formats that are read, for messages.
const Known = "PNG, JPEG, TIFF, BMP, GIF, WebP"

// signatures are what files of the formats begin with; a dot stands for any byte.
var signatures = []struct {
	begin  string
	format Format
}{
	{"\x89PNG\r\n\x1a\n", PNG},
	{"\xff\xd8\xff", JPEG},
	{"II*\x00", TIFF},
	{"MM\x00*", TIFF},
	{"BM", BMP},
	{"GIF87a", GIF},
	{"GIF89a", GIF},
	{"RIFF....WEBP", WebP},
}

// foreign are files that people meet under the names of images, and that are not
// read.
var foreign = []struct{ begin, what string }{
	{"....ftyphei", "a HEIC picture, as telephones take them"},
	{"....ftyphev", "a HEIC picture, as telephones take them"},
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
	{"PK\x03\x04", "a ZIP archive"},
	{"version https://git-lfs", "a pointer of Git LFS, not the file itself (git lfs pull fetches that)"},
	{"<!DOCTYPE", "a web page: what was downloaded is not the picture"},
	{"<html", "a web page: what was downloaded is not the picture"},
	{"<svg", "an SVG drawing"},
	{"<?xml", "an XML file"},
}

// sniff tells a file's format by its beginning.
func sniff(f io.ReaderAt, name string) (Format, error) {
	var b [32]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	for _, s := range signatures {
		if begins(b[:n], s.begin) {
			return s.format, nil
		}
		if n < len(s.begin) && n >= 4 && begins(b[:n], s.begin[:n]) {
			return "", fmt.Errorf("%s cannot be decoded (truncated or damaged?): it ends after %d bytes", name, n)
		}
	}
	for _, s := range foreign {
		if begins(b[:n], s.begin) {
			return "", fmt.Errorf("%s is %s; what is read is %s", name, s.what, Known)
		}
	}
	return "", fmt.Errorf("%s cannot be decoded: it is no picture of a format that is read (%s)", name, Known)
}

func begins(b []byte, pattern string) bool {
	if len(b) < len(pattern) {
		return false
	}
	for i := range pattern {
		if pattern[i] != '.' && pattern[i] != b[i] {
			return false
		}
	}
	return true
}

// errAnimated is for WebP; of GIF, the first frame is read.
var errAnimated = errors.New("webp: it is animated")

// decodeError says what is wrong with a file: a kind of its format that is not
// read, or damage.
func decodeError(name string, format Format, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return err // of the file system, with the name
	}
	var jpegKind jpegrows.UnsupportedError
	var tiffKind tiff.UnsupportedError
	switch {
	case errors.As(err, &jpegKind):
		return fmt.Errorf("%s is a JPEG %s, which is not read: convert it, with any image program, to a common JPEG or a PNG", name, string(jpegKind))
	case errors.As(err, &tiffKind):
		return fmt.Errorf("%s is a TIFF of a kind that is not read (%s): convert it to PNG, or to an uncompressed TIFF of 8 or 16 bits", name, string(tiffKind))
	case errors.Is(err, bmp.ErrUnsupported):
		return fmt.Errorf("%s is a BMP of a kind that is not read (compressed, of 16 bits, or with a header of OS/2): convert it to PNG", name)
	case errors.Is(err, errAnimated):
		return fmt.Errorf("%s is an animated WebP, which is not read: convert its first frame to PNG", name)
	}
	return fmt.Errorf("%s cannot be decoded (truncated or damaged?): %w", name, err)
}
