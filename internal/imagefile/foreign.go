package imagefile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"t2sda/internal/filekind"
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

// sniff tells a file's format by its beginning.
func sniff(f io.ReaderAt, name string) (Format, error) {
	var b [32]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	for _, s := range signatures {
		if filekind.Begins(b[:n], s.begin) {
			return s.format, nil
		}
		if n < len(s.begin) && n >= 4 && filekind.Begins(b[:n], s.begin[:n]) {
			return "", fmt.Errorf("%s cannot be decoded (truncated or damaged?): it ends after %d bytes", name, n)
		}
	}
	if kind := filekind.Of(b[:n]); kind != "" {
		return "", fmt.Errorf("%s is %s; what is read is %s", name, kind, Known)
	}
	return "", fmt.Errorf("%s cannot be decoded: it is no picture of a format that is read (%s)", name, Known)
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
