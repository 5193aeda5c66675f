package datasets

import (
	"context"
	"maps"
	"slices"

	"t2sda/internal/imagefile"
	"t2sda/internal/raster"
)

// inspection is what one image and its label are.
type inspection struct {
	w, h     int
	kind     string // of image file
	turn     imagefile.Orientation
	err      error
	label    string // path of the label; empty: none
	labels   labelContent
	labelErr error
}

// labelContent are the ids or colours of a label file, ascending.
type labelContent struct {
	w, h int
	kind string
	turn imagefile.Orientation
	ids  []idCount
}

type idCount struct {
	id     int
	pixels int64
}

// minSide is the least size in pixels that makes sense: the networks look at
// images at up to 1/32 of their size.
const minSide = 32

func (s *inspection) sizesDiffer() bool {
	return s.err == nil && s.label != "" && s.labelErr == nil && (s.w != s.labels.w || s.h != s.labels.h)
}

func (s *inspection) small() bool { return s.err == nil && (s.w < minSide || s.h < minSide) }

// unknown returns the label's ids that the map lacks.
func (s *inspection) unknown(m *LabelMap) []idCount {
	var ids []idCount
	for _, n := range s.labels.ids {
		if m == nil {
			break
		}
		if _, ok := m.TrainID(n.id); !ok {
			ids = append(ids, n)
		}
	}
	return ids
}

// onlyVoid reports whether the label has no pixel to learn from.
func (s *inspection) onlyVoid(m *LabelMap) bool {
	for _, n := range s.labels.ids {
		if id, ok := m.TrainID(n.id); !ok || id != raster.Void {
			return false
		}
	}
	return len(s.labels.ids) > 0
}

// faulty reports whether the pair would stop a run.
func (s *inspection) faulty(m *LabelMap) bool {
	return s.err != nil || s.labelErr != nil || s.small() || s.sizesDiffer() || len(s.unknown(m)) > 0
}

// inspect reads both files whole.
func (d *Dataset) inspect(src imagefile.Source, img, label string) inspection {
	s := inspection{label: label}
	s.readImage(src, img)
	if label == "" {
		return s
	}
	n, err := countRaw(src, label, d.channel)
	if err != nil {
		s.labelErr = err
		return s
	}
	s.labels = labelContent{w: n.w, h: n.h, kind: n.kind, turn: n.turn}
	for _, id := range slices.Sorted(maps.Keys(n.pixels)) {
		s.labels.ids = append(s.labels.ids, idCount{id, n.pixels[id]})
	}
	return s
}

// readImage makes sure that a file can be decoded.
func (s *inspection) readImage(src imagefile.Source, name string) {
	h, err := src.Verify(name)
	if err != nil {
		s.err = readError("image", err)
		return
	}
	s.w, s.h, s.kind, s.turn = h.W, h.H, h.Kind, h.Orientation
}

// previewSide is the longer side of a preview, pixels.
const previewSide = 960

// previews loads n evenly spread images, small. Images that cannot be read are
// passed over for the next one.
func (d *Dataset) previews(ctx context.Context, n int) ([]Sample, error) {
	var out []Sample
	next := 0
	src := d.source(ctx)
	for k := range min(n, len(d.items)) {
		for i := max(next, k*len(d.items)/n); i < len(d.items) && len(out) <= k; i++ {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			next = i + 1
			if s, err := d.preview(src, i); err == nil { // the report has the error
				out = append(out, s)
			}
		}
	}
	return out, nil
}

func (d *Dataset) preview(src imagefile.Source, i int) (Sample, error) {
	it := d.items[i]
	w, h, err := imageSize(src, it.Image)
	if err != nil {
		return Sample{}, err
	}
	scale := min(1, previewSide/float64(max(w, h)))
	w, h = max(1, int(scale*float64(w)+0.5)), max(1, int(scale*float64(h)+0.5))
	p, err := decodeImage(src, it.Image, w, h)
	if err != nil {
		return Sample{}, err
	}
	s := Sample{ID: it.ID, Image: p.image(), W0: p.w0, H0: p.h0}
	if it.Label == "" {
		return s, nil
	}
	if l, err := decodeIDMap(src, it.Label, d.labels.lenient(), d.channel, w, h); err == nil { // without: the image alone
		s.Labels = l.Labels
	}
	return s, nil
}

// lenient returns a map that leads ids which this one lacks to void.
func (m *LabelMap) lenient() *LabelMap {
	out := &LabelMap{name: m.name, space: m.space, table: make([]int16, maxID+1), colours: m.colours, rest: true}
	for id := range out.table {
		out.table[id] = raster.Void
		if train, ok := m.TrainID(id); ok {
			out.table[id] = int16(train)
		}
	}
	return out
}
