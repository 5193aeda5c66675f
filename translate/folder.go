package translate

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/disintegration/imaging"

	"t2sda/internal/imagefile"
	"t2sda/internal/raster"
	"t2sda/internal/translator"
)

// Folder serves images that were translated elsewhere and bear the names of
// their source images: how CyCADA-like translators enter. It implements
// [translator.Named]; its Translate only says so.
//
// The file of id "a/b.png" is Root/a/b with the extension of an image, the id's own
// one first (translators like to change it), or, failing that,
// the same names without the folders, Root/b.….
//
// An image of another size is resized (bicubic) to the source's when it has
// the source's aspect ratio to 1 %; otherwise it is not a translation of that
// image, and an error.
type Folder struct {
	Root string
}

// Validate returns an error unless Root is an existing folder.
func (f Folder) Validate() error {
	if f.Root == "" {
		return errors.New("translate: folder: the engine folder needs the root of the translated images")
	}
	info, err := os.Stat(f.Root)
	if err != nil {
		return fmt.Errorf("translate: folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("translate: folder: %s is not a folder", f.Root)
	}
	return nil
}

// Translate always fails: the engine needs the image's name.
func (f Folder) Translate(*rand.Rand, *raster.Image, *raster.Image) (*raster.Image, error) {
	return nil, errNoName
}

// TranslateNamed returns the translated image of the source with that id (see
// [translator.Named]). Errors name the file; that of a missing one, the first
// that was looked for, and are a *[translator.FileError].
func (f Folder) TranslateNamed(_ *rand.Rand, id string, source, _ *raster.Image) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	m, err := f.read(id, source)
	if err != nil {
		return nil, &translator.FileError{ID: id, Err: err}
	}
	return m, nil
}

// read reads the file of an id and brings it to the source's size.
func (f Folder) read(id string, source *raster.Image) (*raster.Image, error) {
	file, err := f.find(id)
	if err != nil {
		return nil, err
	}
	img, err := imagefile.Read(file)
	if err != nil {
		return nil, fmt.Errorf("translate: folder: %w", err)
	}
	w, h := img.W, img.H
	if w == source.W && h == source.H {
		return img, nil
	}
	ratio := float64(w) / float64(h) / (float64(source.W) / float64(source.H))
	if math.Abs(ratio-1) > 0.01 {
		return nil, fmt.Errorf("translate: folder: %s is %d×%d, not of the shape of its source image, %d×%d", file, w, h, source.W, source.H)
	}
	return raster.FromImage(imaging.Resize(img.NRGBA(), source.W, source.H, imaging.CatmullRom)), nil
}

// find returns the first file that exists among the names an id may have.
func (f Folder) find(id string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(id)) {
		return "", fmt.Errorf("translate: folder: image name %q leads out of %s", id, f.Root)
	}
	stem, extensions := id, imagefile.Extensions()
	if imagefile.IsImage(id) {
		ext := path.Ext(id)
		stem = strings.TrimSuffix(id, ext)
		extensions = append([]string{ext}, extensions...)
	}
	for _, name := range []string{stem, path.Base(stem)} {
		for _, ext := range extensions {
			file := filepath.Join(f.Root, filepath.FromSlash(name+ext))
			_, err := os.Stat(file)
			if err == nil {
				return file, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("translate: folder: %w", err)
			}
		}
	}
	return "", fmt.Errorf("translate: folder: %s is missing (nor is there %s or a file of that name without its folders)",
		filepath.Join(f.Root, filepath.FromSlash(stem+extensions[0])), strings.Join(extensions[1:], ", "))
}
