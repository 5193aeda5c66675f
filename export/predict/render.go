package predict

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/datasets"
	"t2sda/internal/inode"
	"t2sda/internal/raster"
)

// The pictures that predictions are written as.
const (
	FormatOverlay  = "overlay"  // class colours half and half over the image
	FormatColor    = "color"    // class colours
	FormatTrainIDs = "trainids" // 8-bit gray, the model's class indices
	FormatLabelIDs = "labelids" // 8-bit gray, the ids of the data set's label files
)

// Formats lists them.
func Formats() []string {
	return []string{FormatOverlay, FormatColor, FormatTrainIDs, FormatLabelIDs}
}

// Renderer makes a picture of a prediction. The image may be of another size than
// the labels, and is looked at for overlays only.
type Renderer func(img *raster.Image, labels *raster.Labels) image.Image

// NewRenderer returns the renderer of one of [Formats], overlay if empty, for
// predictions over the classes of space. FormatLabelIDs writes the smallest id
// that m takes to a class (nil: the built-in Cityscapes map, whose classes space
// must then be), and for void the smallest that it ignores, 0 where there is none.
func NewRenderer(format string, space datasets.Space, m *datasets.LabelMap) (Renderer, error) {
	switch format {
	case FormatOverlay, "":
		return func(img *raster.Image, l *raster.Labels) image.Image { return space.Overlay(img, l, 0.5) }, nil
	case FormatColor:
		return func(_ *raster.Image, l *raster.Labels) image.Image { return space.Colorize(l) }, nil
	case FormatTrainIDs:
		return func(_ *raster.Image, l *raster.Labels) image.Image { return l.Gray() }, nil
	case FormatLabelIDs:
		ids, err := LabelIDs(space, m)
		if err != nil {
			return nil, fmt.Errorf("format %s: %w", format, err)
		}
		return func(_ *raster.Image, l *raster.Labels) image.Image {
			picture := l.Gray()
			for i, id := range picture.Pix {
				picture.Pix[i] = ids[id]
			}
			return picture
		}, nil
	}
	return nil, fmt.Errorf("format %q is none of %s", format, strings.Join(Formats(), ", "))
}

// LabelIDs inverts the label map: the ids of FormatLabelIDs, by train id, see [NewRenderer].
func LabelIDs(space datasets.Space, m *datasets.LabelMap) (ids [256]uint8, err error) {
	if m == nil {
		if m, err = datasets.LoadLabelMap("cityscapes"); err != nil {
			return ids, err
		}
	}
	if !m.Space().Equal(space) {
		return ids, fmt.Errorf("label map %s has other classes than the model (%q)", m.Name(), space.Name)
	}
	for k, class := range space.Classes {
		raw := m.IDs(uint8(k))
		if len(raw) == 0 || raw[0] > 255 {
			return ids, fmt.Errorf("label map %s has no 8-bit id for class %q", m.Name(), class.Name)
		}
		ids[k] = uint8(raw[0])
	}
	if raw := m.IDs(raster.Void); len(raw) > 0 && raw[0] <= 255 {
		ids[raster.Void] = uint8(raw[0])
	}
	return ids, nil
}

// Writer writes predictions into a folder of pictures per format. It may be used
// by several goroutines.
type Writer struct {
	dir     string
	renders map[string]Renderer
	suffix  map[string]string
}

// official are the endings of file names where the data set is Cityscapes, after
// those of its own files: the benchmark's scripts and server look for
// <city>_<sequence>_<frame>*.png.
var official = map[string]string{
	FormatTrainIDs: "_pred_labelTrainIds", FormatLabelIDs: "_pred_labelIds", FormatColor: "_pred_color", FormatOverlay: "_pred_overlay",
}

// NewWriter prepares writing predictions on images of a labelled data set, in the
// formats given: dir/<format>/<image's ID>.png, for Cityscapes with the
// benchmark's names. Label ids are those of the data set's own files.
func NewWriter(dir string, formats []string, d *datasets.Dataset) (*Writer, error) {
	w := &Writer{dir: dir, renders: map[string]Renderer{}, suffix: map[string]string{}}
	var read inode.Set
	for _, it := range d.Items() {
		read.Add(it.Image)
		read.Add(it.Label)
	}
	for _, f := range formats {
		if !slices.Contains(Formats(), f) {
			return nil, fmt.Errorf("format %q is none of %s", f, strings.Join(Formats(), ", "))
		}
		var err error
		if w.renders[f], err = NewRenderer(f, d.Space(), d.Map()); err != nil {
			return nil, err
		}
		if d.Layout() == "cityscapes" {
			w.suffix[f] = official[f]
		}
		if err := os.MkdirAll(filepath.Join(dir, f), 0o755); err != nil {
			return nil, err
		}
		for _, it := range d.Items() {
			if file, is := read.Find(w.path(f, it.ID)); is {
				return nil, fmt.Errorf("%s is %s, which is read: choose another folder", w.path(f, it.ID), file)
			}
		}
	}
	return w, nil
}

// path is where the prediction of an image goes.
func (w *Writer) path(format, id string) string {
	return filepath.Join(w.dir, format, filepath.FromSlash(id)+w.suffix[format]+".png")
}

// Write writes one image's prediction.
func (w *Writer) Write(id string, img *raster.Image, labels *raster.Labels) error {
	for format, render := range w.renders {
		path := w.path(format, id)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := raster.WritePNG(path, render(img, labels)); err != nil {
			return err
		}
	}
	return nil
}
