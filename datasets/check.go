package datasets

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"t2sda/internal/imagefile"
	"t2sda/internal/parallel"
	"t2sda/internal/raster"
)

// CheckOptions says how [Check] works.
type CheckOptions struct {
	Workers  int                   // goroutines that read files; 0: one per core
	Previews int                   // how many evenly spread images to return, see [Report]
	Progress func(done, total int) // after each image with its label, from one goroutine at a time; may be nil
}

// Severity tells what a finding means for training.
type Severity string

// The severities: an Error stops a run, sooner or later; a Warning may be as
// meant, as a class that a data set does not have; a Note is what a person may
// want to know of the files.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is one thing that was found, with all the files that it was found in.
type Finding struct {
	Severity Severity `json:"severity"`
	Kind     string   `json:"kind"`            // which: one of a fixed set of names, for programs
	Text     string   `json:"text"`            // one line for people
	Files    []string `json:"files,omitempty"` // a line each: the path, and what is particular to the file
}

// SizeCount tells how many images have a size.
type SizeCount struct {
	W      int `json:"w"`
	H      int `json:"h"`
	Images int `json:"images"`
}

// FormatCount tells how many files are of a kind, e.g. "8-bit palette PNG".
type FormatCount struct {
	Kind  string `json:"kind"`
	Files int    `json:"files"`
}

// ClassCount tells how often a class occurs in the labels.
type ClassCount struct {
	Name   string `json:"name"`
	Pixels int64  `json:"pixels"`
	Images int    `json:"images"` // labels with at least one of the pixels
}

// IDCount tells how often an id or colour occurs in the label files, and what the label
// map makes of it.
type IDCount struct {
	ID     int    `json:"id"`              // -1 for a colour
	Color  []int  `json:"color,omitempty"` // red, green and blue, 0–255, in labels that are colour pictures
	Class  string `json:"class"`           // "void" for ignored ids, empty for those that the map lacks or without map
	Pixels int64  `json:"pixels"`
	Images int    `json:"images"`
}

// Report is what [Check] found in one split.
type Report struct {
	Layout       string        `json:"layout"`
	Root         string        `json:"root"`
	Split        string        `json:"split,omitempty"`
	Map          string        `json:"map,omitempty"` // empty: none, labels were only counted by id
	Images       int           `json:"images"`
	Labels       int           `json:"labels"` // label files, with or without image
	Pairs        int           `json:"pairs"`  // images with a label
	Good         []string      `json:"-"`      // lines for Options.List: the images that no error was found with
	Sizes        []SizeCount   `json:"sizes"`  // the most frequent first
	Formats      []FormatCount `json:"formats"`
	LabelFormats []FormatCount `json:"label_formats"`
	Classes      []ClassCount  `json:"classes,omitempty"`
	Void         ClassCount    `json:"void"`
	IDs          []IDCount     `json:"ids,omitempty"`
	Findings     []Finding     `json:"findings"` // errors first

	// Space has the label map's classes, with their colours.
	Space Space `json:"-"`
	// Previews are images with their labels, made smaller, evenly spread over
	// the split. Ids outside of the map are void there.
	Previews []Sample `json:"-"`
}

// Stops reports whether something was found that would stop a training run.
func (r *Report) Stops() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Error })
}

// Check reads every image and every label of a split, whole, and reports what
// it finds. Where [Open] and a run stop at the first fault, it goes on: what
// cannot be used is in the report. The options are those of Open; RequireLabels,
// the size and the cache are not looked at. An error is returned only when there
// is nothing to read: a root, folder, list or label map that is not there.
func Check(ctx context.Context, o Options, c CheckOptions) (*Report, error) {
	o.RequireLabels, o.Width, o.Height, o.CacheBytes = false, 0, 0, 0
	d, err := newDataset(o)
	if err != nil {
		return nil, err
	}
	k := &checker{d: d}
	if k.found, err = d.search(ctx, k.problems.add); err != nil {
		return nil, err
	}
	k.names = k.found.listNames(d.opts)
	k.src = d.source(ctx)
	k.seen = make([]inspection, len(d.items))
	err = parallel.ForEach(ctx, c.Workers, len(d.items), []func(done, total int){c.Progress}, func(i int) error {
		k.seen[i] = d.inspect(k.src, d.items[i].Image, k.found.labelOf[i])
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := k.report()
	r.Previews, err = d.previews(ctx, c.Previews)
	return r, err
}

// checker collects what the report is made of.
type checker struct {
	d        *Dataset
	src      imagefile.Source
	found    found
	names    []string     // per item: how a list names it
	problems problems     // of links, folders and names
	seen     []inspection // per item
}

// report adds everything up.
func (k *checker) report() *Report {
	o := k.d.opts
	r := &Report{
		Layout: o.Layout, Root: o.Root, Split: o.Split, Images: len(k.d.items), Labels: len(k.found.labels),
		Space: k.d.Space(), Void: ClassCount{Name: "void"},
	}
	if k.d.labels != nil {
		r.Map = k.d.labels.name
	}
	sizes, formats, labelFormats := map[[2]int]int{}, map[string]int{}, map[string]int{}
	for i, s := range k.seen {
		if s.err == nil {
			sizes[[2]int{s.w, s.h}]++
			formats[s.kind]++
		}
		if s.label != "" {
			r.Pairs++
			if s.labelErr == nil {
				labelFormats[s.labels.kind]++
			}
		}
		if !s.faulty(k.d.labels) && (s.label != "" || !k.labelled()) {
			r.Good = append(r.Good, k.names[i])
		}
	}
	for size, n := range sizes {
		r.Sizes = append(r.Sizes, SizeCount{size[0], size[1], n})
	}
	slices.SortFunc(r.Sizes, func(a, b SizeCount) int {
		return cmp.Or(cmp.Compare(b.Images, a.Images), cmp.Compare(b.W, a.W), cmp.Compare(b.H, a.H))
	})
	r.Formats, r.LabelFormats = formatCounts(formats), formatCounts(labelFormats)
	k.countClasses(r)
	r.Findings = k.findings(r)
	return r
}

func formatCounts(files map[string]int) []FormatCount {
	counts := make([]FormatCount, 0, len(files))
	for kind, n := range files {
		counts = append(counts, FormatCount{kind, n})
	}
	slices.SortFunc(counts, func(a, b FormatCount) int {
		return cmp.Or(cmp.Compare(b.Files, a.Files), cmp.Compare(a.Kind, b.Kind))
	})
	return counts
}

// countClasses adds up the labels' ids and classes.
func (k *checker) countClasses(r *Report) {
	ids := map[int]*IDCount{}
	for _, name := range r.Space.Names() {
		r.Classes = append(r.Classes, ClassCount{Name: name})
	}
	for _, s := range k.seen {
		classes := map[*ClassCount]bool{} // of this label
		for _, n := range s.labels.ids {
			c := ids[n.id]
			if c == nil {
				c = newIDCount(n.id)
				ids[n.id] = c
			}
			c.Pixels += n.pixels
			c.Images++
			class := r.classOf(k.d.labels, n.id)
			if class == nil {
				continue
			}
			c.Class = class.Name
			class.Pixels += n.pixels
			classes[class] = true
		}
		for class := range classes {
			class.Images++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		r.IDs = append(r.IDs, *ids[id])
	}
}

func newIDCount(raw int) *IDCount {
	if raw >= firstColour {
		return &IDCount{ID: -1, Color: []int{raw >> 16 & 255, raw >> 8 & 255, raw & 255}}
	}
	return &IDCount{ID: raw}
}

// classOf returns the count that an id belongs to; nil for ids outside of the
// map, and without one.
func (r *Report) classOf(m *LabelMap, id int) *ClassCount {
	if m == nil {
		return nil
	}
	switch train, ok := m.TrainID(id); {
	case !ok:
		return nil
	case train == raster.Void:
		return &r.Void
	default:
		return &r.Classes[train]
	}
}
