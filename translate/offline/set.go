package offline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"t2sda/datasets"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
	"t2sda/translate"
)

// Set is the pictures of one side, source or target: those of a data set, of a
// folder, or a single file. It is safe for concurrent use.
type Set struct {
	data *datasets.Dataset // nil: the file alone
	file string
	w, h int // 0×0: the file's own
}

// OpenSet opens o.Root: an image file, a data set of the layout o.Layout,
// or, where that is empty, all image files below a folder less those that end in
// o.LabelSuffix. Images are brought to o.Width×o.Height (0×0: not at all).
func OpenSet(o datasets.Options) (*Set, error) {
	if !datasets.NamesShards(o.Root) {
		info, err := os.Stat(o.Root)
		if err != nil {
			return nil, fmt.Errorf("translate: %w", err)
		}
		if !info.IsDir() {
			return &Set{file: o.Root, w: o.Width, h: o.Height}, nil
		}
	}
	if o.Layout == "" {
		o.Images = "."
		if o.LabelSuffix != "" {
			o.Labels = "."
		}
	}
	d, err := datasets.Open(o)
	if err != nil {
		return nil, err
	}
	return &Set{data: d}, nil
}

// Single reports whether the set is one file, not a folder.
func (s *Set) Single() bool { return s.data == nil }

// Len returns the number of pictures.
func (s *Set) Len() int {
	if s.Single() {
		return 1
	}
	return s.data.Len()
}

// Root returns the file or folder that the set was opened from.
func (s *Set) Root() string {
	if s.Single() {
		return s.file
	}
	return s.data.Root()
}

// PassedOver returns the files of the set's folder that are no pictures by their
// names.
func (s *Set) PassedOver() []string {
	if s.Single() {
		return nil
	}
	return s.data.PassedOver()
}

// path returns picture i's file, and its path below the set's image folder,
// slash-separated.
func (s *Set) path(i int) (file, rel string) {
	if s.Single() {
		return s.file, filepath.Base(s.file)
	}
	item := s.data.Item(i)
	return item.Image, item.Rel
}

// load reads picture i.
func (s *Set) load(ctx context.Context, i int) (*raster.Image, error) {
	if !s.Single() {
		sample, err := s.data.LoadImage(ctx, i)
		return sample.Image, err
	}
	m, err := datasets.ReadImage(s.file)
	if err != nil || s.w == 0 {
		return m, err
	}
	return resize.Image(m, s.w, s.h), nil
}

// Images lets engines that are fitted see the set.
func (s *Set) Images() translate.Images {
	return translate.Images{Len: s.Len(), Load: func(ctx context.Context, i int) (*raster.Image, error) {
		m, err := s.load(ctx, i)
		if err == nil {
			err = translate.CheckMeasured(m)
		}
		if err != nil {
			file, _ := s.path(i)
			err = fmt.Errorf("%s: %w", file, err)
		}
		return m, err
	}}
}
