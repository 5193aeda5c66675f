package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"t2sda/internal/imagefile"
	"t2sda/internal/raster"
)

// What [channelIndex] returns besides 0–2: ids are no channel's; classes are told
// by their colours; no such channel.
const (
	noChannel     = -1
	colourChannel = -2
	badChannel    = -3
)

func channelIndex(name string) int {
	switch i := slices.Index([]string{"red", "green", "blue"}, name); {
	case i >= 0:
		return i
	case name == "":
		return noChannel
	case name == "color":
		return colourChannel
	}
	return badChannel
}

// imageSize reads a file's header only. The size is that of the upright picture.
func imageSize(src imagefile.Source, name string) (w, h int, err error) {
	head, err := src.ReadHeader(name)
	if err != nil {
		return 0, 0, readError("image", err)
	}
	return head.W, head.H, nil
}

// readError says whose file cannot be read: an image's or a label's.
func readError(what string, err error) error {
	if errors.As(err, new(*fs.PathError)) {
		return fmt.Errorf("datasets: %s: %w", what, err)
	}
	return fmt.Errorf("datasets: %s %w", what, err)
}

// decodeLabels reads a label file and maps its ids: values of gray files, indices
// of palette files, a channel of colour files, or the classes' colours.
func decodeLabels(src imagefile.Source, name string, m *LabelMap, channel int) (*raster.Labels, error) {
	l, err := decodeIDMap(src, name, m, channel, 0, 0)
	if err != nil {
		return nil, err
	}
	return l.Labels, nil
}

// decodeIDMap is [decodeLabels] that brings the result to w×h (nearest pixel;
// 0×0: as it is). PNG files, which is what data sets consist of, are mapped row by
// row; the others, and those at fault, are decoded whole, which says what is wrong.
func decodeIDMap(src imagefile.Source, name string, m *LabelMap, channel, w, h int) (*idMap, error) {
	if l, err := labelRows(src, name, m, channel, w, h); err == nil {
		return l, nil
	}
	labels, err := decodeWhole(src, name, m, channel)
	if err != nil {
		return nil, err
	}
	return sized(labels, w, h), nil
}

// sized brings the labels of a file to w×h.
func sized(labels *raster.Labels, w, h int) *idMap {
	l := &idMap{Labels: labels, w0: labels.W, h0: labels.H}
	if w > 0 && (labels.W != w || labels.H != h) {
		l.Labels = labels.ResizeNearest(w, h)
	}
	return l
}

// decodeWhole maps a label file of any format.
func decodeWhole(src imagefile.Source, name string, m *LabelMap, channel int) (*raster.Labels, error) {
	raw, err := readRaw(src, name, channel)
	if err != nil {
		return nil, err
	}
	out := raster.NewLabels(raw.w, raw.h)
	line := make([]int, raw.w)
	last, id := -1, uint8(0)
	for y := range raw.h {
		raw.row(line, y)
		dst := out.Pix[y*raw.w : (y+1)*raw.w]
		for x, v := range line {
			if v != last {
				var ok bool
				if id, ok = m.TrainID(v); !ok {
					return nil, m.lacks(name, v, x, y)
				}
				last = v
			}
			dst[x] = id
		}
	}
	return out, nil
}

// lacks is the error of an id or colour that the map does not list.
func (m *LabelMap) lacks(name string, raw, x, y int) error {
	hint := ""
	if raw >= firstColour {
		hint = ", neither among its classes' colours nor its ignore_colors (channel: red takes ids from the red channel)"
	}
	return fmt.Errorf("datasets: label %s: %s at column %d, row %d is not in label map %s%s", name, rawName(raw), x, y, m.name, hint)
}
