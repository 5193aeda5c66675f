package datasets

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/imagefile"
)

// found are the files of a split.
type found struct {
	images  []file          // all
	chosen  []file          // of the images, by Options.List, Include and Exclude; one of a name
	labels  []file          // all but those that Options.Exclude names
	labelOf []string        // label of chosen[i], empty: none
	known   map[string]bool // pairs of all image files
	passed  []string        // neither image nor label
	tree    tree
}

// tree is what lies in the image and label folders.
type tree struct {
	imageDirs, labelDirs []folder
	images, labels       listing
}

// shared reports whether images and labels lie in the same folder: there a file
// is what its longest suffix says.
func (t tree) shared() bool {
	return slices.ContainsFunc(t.imageDirs, func(f folder) bool { return slices.Contains(t.labelDirs, f) })
}

// search finds and pairs the files and loads the label map.
func (d *Dataset) search(ctx context.Context, problem report) (f found, err error) {
	if d.opts, err = d.opts.located(ctx, problem); err != nil {
		return f, err
	}
	if f.tree, err = d.walk(problem); err != nil {
		return f, err
	}
	if err := f.findImages(d); err != nil {
		return f, err
	}
	if err := f.findLabels(d, problem); err != nil {
		return f, err
	}
	f.findPassed(d)
	listed, err := f.choose(d, problem)
	if err != nil {
		return f, err
	}
	f.pair(listed)
	if err := d.mapListed(f, listed); err != nil {
		return f, err
	}
	for i, img := range f.chosen {
		item := Item{ID: img.key, Image: img.path, Rel: img.rel}
		if d.labels != nil { // without a label map labels mean nothing
			item.Label = f.labelOf[i]
		}
		d.items = append(d.items, item)
	}
	return f, nil
}

// walk lists both sides' files.
func (d *Dataset) walk(problem report) (t tree, err error) {
	o := d.opts
	var tried []string
	if t.imageDirs, tried, err = folders(o, o.Split, o.Images, d.layout.Images); err != nil {
		return t, err
	}
	if len(t.imageDirs) == 0 {
		return t, o.noFolder("no image folder", tried)
	}
	if t.labelDirs, tried, err = folders(o, o.Split, o.Labels, d.layout.Labels); err != nil {
		return t, err
	}
	if len(t.labelDirs) == 0 && o.RequireLabels && o.List == "" { // a list may name labels elsewhere
		return t, o.noFolder("labels are required, but there is no label folder", tried)
	}
	if t.images, err = list(o.at(), t.imageDirs, imagefile.IsImage, problem); err != nil {
		return t, err
	}
	if t.labels, err = list(o.at(), t.labelDirs, imagefile.IsLabel, problem); err != nil {
		return t, err
	}
	t.images, t.labels = t.images.without(inside(t.labelDirs, t.imageDirs)), t.labels.without(inside(t.imageDirs, t.labelDirs))
	t.images.name(o.at())
	t.labels.name(o.at())
	return t, nil
}

// findImages picks the images among the files of their folders.
func (f *found) findImages(d *Dataset) error {
	images, _ := d.imageSuffix().cutAll(f.tree.images.files)
	if f.tree.shared() {
		images = slices.DeleteFunc(images, func(img file) bool { return claimed(img.rel, d.imageSuffix(), d.labelSuffixes()) })
	}
	if len(images) == 0 {
		return d.noImages(f.tree)
	}
	f.known = make(map[string]bool, len(images))
	for _, img := range images {
		f.known[img.pair] = true
	}
	f.images = images
	sortFiles(f.images)
	return nil
}

// claimed reports whether a file has one of the suffixes that are longer than
// its own.
func claimed(rel string, own suffix, others []suffix) bool {
	return slices.ContainsFunc(others, func(s suffix) bool {
		_, ok := s.cut(rel)
		return ok && len(s) > len(own)
	})
}

// findLabels picks the label files and loads the label map that fits them;
// without one, d.labels stays nil.
func (f *found) findLabels(d *Dataset, problem report) error {
	kinds, err := d.kinds()
	if err != nil {
		return err
	}
	name := d.opts.Map
	for i, kind := range kinds {
		files := d.labelsOf(kind, f.tree)
		if i == 0 || len(files) > 0 {
			f.labels = files
			if d.opts.Map == "" {
				name = kind.Map
			}
		}
		if len(files) > 0 {
			break
		}
	}
	if f.labels, err = withoutDoubles(f.labels, byPair, problem); err != nil {
		return err
	}
	switch {
	case name != "":
		d.labels, err = LoadLabelMap(name)
	case d.opts.RequireLabels:
		err = fmt.Errorf("datasets: %s: labels are required, but no label map is given and layout %s has none (built in: %s; or a .yaml file)",
			d.opts.Root, d.opts.Layout, strings.Join(Maps(), ", "))
	}
	return err
}

// labelsOf returns the label files of a kind.
func (d *Dataset) labelsOf(kind labelKind, t tree) []file {
	own := suffix(kind.Suffix)
	others := d.labelSuffixes()
	if t.shared() {
		others = append(others, d.imageSuffix())
	}
	files, _ := own.cutAll(t.labels.files)
	files = slices.DeleteFunc(files, func(l file) bool {
		return claimed(l.rel, own, others) || matchAny(d.opts.Exclude, l)
	})
	for i := range files {
		files[i].key = files[i].pair
	}
	sortFiles(files)
	return files
}

// findPassed lists the files of the image folders that are no images, and those
// of the label folders that are nothing to do with any image.
func (f *found) findPassed(d *Dataset) {
	labels := make(map[string]bool, len(f.labels))
	for _, l := range f.labels {
		labels[l.path] = true
	}
	images := make(map[string]bool, len(f.images))
	for _, img := range f.images {
		images[img.path] = true
	}
	add := func(files []file, spare func(file) bool) {
		for _, x := range files {
			if !images[x.path] && !labels[x.path] && !spare(x) && !matchAny(d.opts.Exclude, x) {
				f.passed = append(f.passed, x.path)
			}
		}
	}
	none := func(file) bool { return false }
	shared := f.tree.shared()
	if shared {
		none = f.companion
	}
	add(f.tree.images.files, none)
	add(f.tree.images.others, none)
	if !shared {
		add(f.tree.labels.files, f.companion)
		add(f.tree.labels.others, f.companion)
	}
	slices.Sort(f.passed)
	f.passed = slices.Compact(f.passed) // a folder may lie in the other
}

// companion reports whether a file's name begins with an image's: data sets have
// several files per image among their labels.
func (f *found) companion(x file) bool {
	name := composed(x.rel)
	for !f.known[name] {
		i := strings.LastIndexAny(name, "_.-")
		if i <= strings.LastIndexByte(name, '/') {
			return false
		}
		name = name[:i]
	}
	return true
}

// imageSuffix is how the names of images end.
func (d *Dataset) imageSuffix() suffix { return d.opts.imageSuffix(d.layout) }

func (o Options) imageSuffix(l layout) suffix {
	if o.ImageSuffix != "" {
		return suffix(o.ImageSuffix)
	}
	return suffix(l.ImageSuffix)
}

// labelSuffixes are the ends of the names of all files that are known to lie
// among labels. Where one is asked for, the layout's kinds claim nothing.
func (d *Dataset) labelSuffixes() []suffix {
	var all []suffix
	if d.opts.LabelSuffix != "" {
		all = append(all, suffix(d.opts.LabelSuffix))
	} else {
		for _, k := range d.layout.Kinds {
			all = append(all, suffix(k.Suffix))
		}
	}
	for _, s := range d.layout.Skip {
		all = append(all, suffix(s))
	}
	return all
}

// kinds returns the ways in which labels may be named: the one whose suffix is
// asked for, those whose map is, or all.
func (d *Dataset) kinds() ([]labelKind, error) {
	if s := d.opts.LabelSuffix; s != "" {
		return d.kindOf(s)
	}
	var kinds []labelKind
	for _, k := range d.layout.Kinds {
		if k.Map != "" && k.Map == d.opts.Map {
			kinds = append(kinds, k)
		}
	}
	if kinds == nil {
		return d.layout.Kinds, nil
	}
	return kinds, nil
}

// kindOf returns the kind of a suffix: one of the layout's, or else one with the
// map of all of them.
func (d *Dataset) kindOf(s string) ([]labelKind, error) {
	stem, _ := suffix(s).parts()
	kind := labelKind{Suffix: s, Map: d.layout.Kinds[0].Map}
	for _, k := range d.layout.Kinds {
		if k.Suffix == stem {
			kind.Map, kind.Converted = k.Map, k.Converted
			return []labelKind{kind}, nil
		}
	}
	for _, k := range d.layout.Kinds {
		if k.Map != kind.Map && d.opts.Map == "" {
			return nil, fmt.Errorf("datasets: layout %s has no labels that end in %q, so their ids are unknown: give a label map (map)", d.opts.Layout, s)
		}
	}
	return []labelKind{kind}, nil
}

// labelsByPair leads from what a label has in common with its images to its file.
func (f *found) labelsByPair() map[string]string {
	labels := make(map[string]string, len(f.labels))
	for _, l := range f.labels {
		labels[l.pair] = l.path
	}
	return labels
}

// pair finds each chosen image's label: the list's, or the one of its name.
func (f *found) pair(listed map[string]string) {
	labels := f.labelsByPair()
	f.labelOf = make([]string, len(f.chosen))
	for i, img := range f.chosen {
		if label := labels[img.pair]; label != img.path { // in one folder, without suffixes, it would be its own
			f.labelOf[i] = label
		}
		if label := listed[img.path]; label != "" {
			f.labelOf[i] = label
		}
	}
}

// mapListed puts the map of the labels that a list names in the place of that of
// the labels found by name, where they are of another kind.
func (d *Dataset) mapListed(f found, listed map[string]string) error {
	if d.opts.Map != "" || d.labels == nil {
		return nil
	}
	names := map[string]bool{}
	for i, img := range f.chosen {
		switch name := d.labels.name; {
		case f.labelOf[i] == "":
		case listed[img.path] != "":
			names[d.mapOf(listed[img.path], name)] = true
		default:
			names[name] = true
		}
	}
	if len(names) > 1 {
		return fmt.Errorf("datasets: list %s names labels of several kinds, which label maps %s read: list one kind, or give a label map",
			d.opts.List, strings.Join(slices.Sorted(maps.Keys(names)), ", "))
	}
	for name := range names {
		if name == d.labels.name {
			return nil
		}
		var err error
		d.labels, err = LoadLabelMap(name)
		return err
	}
	return nil
}

// mapOf returns the map of the kind that a label's name fits best, without one
// the given map.
func (d *Dataset) mapOf(label, without string) string {
	longest := -1
	for _, k := range d.layout.Kinds {
		if _, ok := suffix(k.Suffix).cut(filepath.ToSlash(label)); ok && len(k.Suffix) > longest && k.Map != "" {
			longest, without = len(k.Suffix), k.Map
		}
	}
	return without
}

// orphans returns the label files without image.
func (f *found) orphans(l layout) []string {
	var orphans []string
	for _, label := range f.labels {
		if !f.known[label.pair] && !l.SpareLabels {
			orphans = append(orphans, label.path)
		}
	}
	return orphans
}

// dirNames joins folders for messages.
func dirNames(dirs []folder) string {
	names := make([]string, len(dirs))
	for i, d := range dirs {
		names[i] = filepath.Clean(d.dir)
	}
	return strings.Join(names, ", ")
}
