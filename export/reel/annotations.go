package reel

import (
	"encoding/json"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/internal/coco"
	"t2sda/internal/raster"
)

// category is a class in COCO's files.
type category struct {
	ID      int      `json:"id"`
	Name    string   `json:"name"`
	Thing   int      `json:"isthing"` // 0: a class's pixels are not taken apart into things
	Colour  [3]uint8 `json:"color"`
	Broader string   `json:"supercategory"`
}

// picture is an image in COCO's files.
type picture struct {
	ID     int    `json:"id"`
	File   string `json:"file_name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// mask is an annotation of a class's pixels.
type mask struct {
	ID       int    `json:"id"`
	Image    int    `json:"image_id"`
	Category int    `json:"category_id"`
	Area     int    `json:"area"`
	Box      [4]int `json:"bbox"` // left, top, width, height
	Crowd    int    `json:"iscrowd"`
	Pixels   rle    `json:"segmentation"`
}

// rle is a compressed run-length mask.
type rle struct {
	Size   [2]int `json:"size"` // height, width
	Counts string `json:"counts"`
}

// panoptic is an annotation of an image in the panoptic format.
type panoptic struct {
	Image    int       `json:"image_id"`
	File     string    `json:"file_name"`
	Segments []segment `json:"segments_info"`
}

// segment is a part of an image: here all pixels of a class.
type segment struct {
	ID       int    `json:"id"` // in the PNG: red + 256·green + 256²·blue
	Category int    `json:"category_id"`
	Area     int    `json:"area"`
	Box      [4]int `json:"bbox"`
	Crowd    int    `json:"iscrowd"`
}

// annotations is a JSON file of all frames, in COCO's form. The lists of images and of
// annotations wait in files that have no names until both are complete.
type annotations struct {
	*place
	file       string
	categories []category
	segments   *each // the PNGs of the panoptic format; nil: masks
	images     *list
	all        *list
	masks      int // so far
}

// newAnnotations begins the file, with m's ids as those of categories, or without a map those
// that COCO has: from 1 on.
func newAnnotations(at *place, dir, name string, space datasets.Space, m *datasets.LabelMap) (*annotations, error) {
	a := &annotations{place: at, file: filepath.Join(dir, name+".json")}
	var ids [256]uint8
	for i := range ids {
		ids[i] = uint8(i) + 1
	}
	var err error
	if m != nil {
		if ids, err = predict.LabelIDs(space, m); err != nil {
			return nil, fmt.Errorf("format %s: %w", name, err)
		}
	}
	for i, c := range space.Classes {
		a.categories = append(a.categories, category{ID: int(ids[i]), Name: c.Name, Colour: c.Color, Broader: c.Name})
	}
	return a, nil
}

func (a *annotations) files(e entry) []string {
	all := []string{a.file}
	if a.segments != nil {
		all = append(all, a.segments.files(e)...)
	}
	return all
}

func (a *annotations) take(r *result) (func() error, error) {
	masks := coco.Masks(r.labels.Pix, r.labels.W, len(a.categories))
	if a.segments != nil {
		if _, err := a.segments.take(r); err != nil {
			return nil, err
		}
	}
	return func() error { return a.add(r, masks) }, nil
}

// add adds a frame to the lists.
func (a *annotations) add(r *result, masks []coco.Mask) error {
	if a.images == nil {
		var err error
		if a.images, err = newList(filepath.Dir(a.file)); err != nil {
			return err
		}
		if a.all, err = newList(filepath.Dir(a.file)); err != nil {
			return err
		}
	}
	id := a.images.n + 1
	if err := a.images.add(picture{id, filepath.ToSlash(r.file), r.labels.W, r.labels.H}); err != nil {
		return err
	}
	if a.segments == nil {
		for _, m := range masks {
			a.masks++
			pixels := rle{[2]int{r.labels.H, r.labels.W}, m.Counts}
			if err := a.all.add(mask{a.masks, id, a.categories[m.Label].ID, m.Area, m.Box, 0, pixels}); err != nil {
				return err
			}
		}
		return nil
	}
	p := panoptic{id, r.name + a.segments.ext, []segment{}}
	for _, m := range masks {
		p.Segments = append(p.Segments, segment{int(m.Label) + 1, a.categories[m.Label].ID, m.Area, m.Box, 0})
	}
	return a.all.add(p)
}

func (a *annotations) finish() error {
	if a.images == nil {
		return nil // every frame was passed over
	}
	return a.write(a.file, func(w io.Writer) error {
		categories, err := json.Marshal(a.categories)
		if err != nil {
			return err
		}
		for _, part := range []struct {
			text string
			list *list
		}{{"{\"images\":[", a.images}, {"],\n\"annotations\":[", a.all}, {"],\n\"categories\":" + string(categories) + "}\n", nil}} {
			if _, err := io.WriteString(w, part.text); err != nil {
				return err
			}
			if part.list == nil {
				continue
			}
			if err := part.list.copy(w); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *annotations) abort() {
	a.images.close()
	a.all.close()
}

// segmentIDs draws a panoptic PNG: class plus 1, 0 where there is none.
func segmentIDs(r *result) (image.Image, error) {
	p := image.NewNRGBA(image.Rect(0, 0, r.labels.W, r.labels.H))
	for i, id := range r.labels.Pix {
		if id != raster.Void {
			p.Pix[4*i] = id + 1 // of 255 classes at most, so that red is enough
		}
		p.Pix[4*i+3] = 255
	}
	return p, nil
}

// list is a list of JSON values on disk, in a file that has no name, so that nothing of it
// is left whatever happens.
type list struct {
	file *os.File
	n    int
}

func newList(dir string) (*list, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, ".list")
	if err != nil {
		return nil, err
	}
	return &list{file: f}, os.Remove(f.Name())
}

func (l *list) add(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	between := ",\n"
	if l.n == 0 {
		between = "\n"
	}
	l.n++
	_, err = l.file.WriteString(between + string(text))
	return err
}

// copy writes the elements.
func (l *list) copy(w io.Writer) error {
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, l.file)
	return err
}

func (l *list) close() {
	if l != nil {
		_ = l.file.Close() // has no name and ends here
	}
}
