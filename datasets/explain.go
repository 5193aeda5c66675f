package datasets

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/imagefile"
	"t2sda/internal/plural"
)

// noFolder is the error of a tree whose folders are not where the layout has
// them. It says what is there instead.
func (o Options) noFolder(what string, tried []string) error {
	return fmt.Errorf("datasets: layout %s: %s %s%s", o.Layout, what, strings.Join(tried, " or "), o.there())
}

// there tells what the root holds: splits, folders of other layouts, or else
// anything.
func (o Options) there() string {
	var parts []string
	usual := false // splits: the layout is the right one
	if splits, without, err := Splits(context.Background(), o); err == nil && len(splits)+len(without) > 0 {
		all := append(splits, without...)
		slices.Sort(all)
		parts = append(parts, "splits there: "+strings.Join(all, ", "))
		usual = slices.ContainsFunc(all, func(name string) bool { return slices.Contains(splitNamesKnown, name) })
	}
	if names := o.otherLayouts(); len(names) > 0 && !usual {
		parts = append(parts, "there are folders of layout "+strings.Join(names, ", "))
	}
	if parts == nil {
		if entries, err := o.at().ReadDir(o.Root); err == nil {
			names := make([]string, len(entries))
			for i, e := range entries {
				names[i] = e.Name()
			}
			parts = append(parts, fmt.Sprintf("%s holds %s", o.Root, someOf(names)))
		}
	}
	return "; " + strings.Join(parts, "; ")
}

// splitNamesKnown are what splits are usually called: a folder in the place of
// {split} that has another name is one of another layout.
var splitNamesKnown = []string{"train", "training", "trainval", "val", "valid", "validation", "test", "testing"}

// otherLayouts tells which other layouts' folders hold images as those name them.
func (o Options) otherLayouts() []string {
	var names []string
	for _, row := range loadLayouts() {
		if row.Shards && o.tree == nil {
			continue // any folder of images would fit
		}
		if row.Name == o.Layout && o.Images == "" && o.Labels == "" {
			continue
		}
		if row.fits(o) {
			names = append(names, row.Name)
		}
	}
	return names
}

// fits reports whether the folders of a layout lie below a root, with images.
func (l layout) fits(o Options) bool {
	splits, _, err := Splits(context.Background(), Options{Layout: l.Name, Root: o.Root, tree: o.tree})
	if err != nil {
		return false
	}
	if len(splits) > 0 {
		splits = slices.DeleteFunc(splits, func(name string) bool { return !slices.Contains(splitNamesKnown, name) })
	} else {
		splits = []string{""}
	}
	all := func(file) bool { return true }
	return slices.ContainsFunc(splits, func(split string) bool {
		images, _, err := folders(o, split, "", l.Images)
		if err != nil || !holdsImage(o.at(), images, suffix(l.ImageSuffix), all) {
			return false
		}
		labels, _, err := folders(o, split, "", l.Labels)
		return err == nil && len(labels) > 0
	})
}

// LayoutsAt returns the layouts that fit what lies below a folder; none for what
// is no folder.
func LayoutsAt(root string) []string {
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil // without a look for each layout's folders
	}
	return Options{Root: root}.otherLayouts()
}

// noImages is the error of image folders without a file that counts as an image.
func (d *Dataset) noImages(t tree) error {
	var seen []string
	for _, f := range append(slices.Clone(t.images.files), t.images.others...) {
		seen = append(seen, path.Base(f.rel))
	}
	return fmt.Errorf("datasets: no images in %s (looked for *%s; seen there: %s)%s",
		dirNames(t.imageDirs), d.imageSuffix().withExtensions(imagefile.Extensions()), someOf(seen), d.opts.elsewhere(t))
}

// elsewhere tells which other layouts the tree may be of.
func (o Options) elsewhere(t tree) string {
	if names := o.otherLayouts(); len(names) > 0 && len(t.images.files) > 0 {
		return "; their names are as in layout " + strings.Join(names, ", ")
	}
	return ""
}

// withExtensions shows a suffix as messages do: with the extensions that are
// read, if it has none of its own.
func (s suffix) withExtensions(extensions []string) string {
	if _, ext := s.parts(); ext != "" {
		return string(s)
	}
	return string(s) + " with " + strings.Join(extensions, ", ")
}

// insist returns an error when an image has no label, or a label no image.
func (d *Dataset) insist(f found) error {
	var missing []file
	for i, it := range d.items {
		if it.Label == "" {
			missing = append(missing, f.chosen[i])
		}
	}
	if n := len(missing); n > 0 {
		return fmt.Errorf("datasets: image %s has no label (%s)%s%s", missing[0].path, d.labelName(missing[0]), norOthers(n-1), f.nearLabel(d, missing[0]))
	}
	if orphans := f.orphans(d.layout); len(orphans) > 0 {
		return fmt.Errorf("datasets: label %s has no image of the same name%s (remove it, or leave it out by exclude, or say by label_suffix how labels end)",
			orphans[0], norOthers(len(orphans)-1))
	}
	return nil
}

// norOthers counts, behind the first, the others that lack the same.
func norOthers(n int) string {
	if n == 0 {
		return ""
	}
	if n == 1 {
		return ", nor has 1 other"
	}
	return fmt.Sprintf(", nor have %d others", n)
}

// labelName tells in messages which label was looked for, and where.
func (d *Dataset) labelName(img file) string {
	_, tried, _ := folders(d.opts, d.opts.Split, d.opts.Labels, d.layout.Labels) // what went wrong was said before
	kinds, _ := d.kinds()                                                        // likewise
	var names []string
	for _, k := range kinds {
		if s := suffix(k.Suffix); !slices.Contains(names, string(s)) {
			names = append(names, string(s))
		}
	}
	name := suffix(strings.Join(names, " or "))
	if img.pair != "" {
		name = suffix(path.Base(img.pair)) + name
	} else {
		name = "*" + name
	}
	return fmt.Sprintf("looked for %s in %s", name.withExtensions(imagefile.LabelExtensions()), tried[0])
}

// nearLabel tells of the file in the label folders whose name is nearest to an
// image's, and by which suffixes the two would pair.
func (f *found) nearLabel(d *Dataset, img file) string {
	name := composed(strings.TrimSuffix(img.rel, path.Ext(img.rel)))
	best, longest, known := "", 0, false
	ends := knownLabels()
	for _, x := range append(slices.Clone(f.tree.labels.files), f.tree.labels.others...) {
		if x.path == img.path {
			continue
		}
		n := commonStart(name, composed(x.rel))
		if k := claimed(x.rel, "", ends); n > longest || n == longest && n > 0 && k && !known {
			best, longest, known = x.rel, n, k
		}
	}
	if best == "" {
		return ""
	}
	text := "; the nearest name there is " + best
	stem := composed(strings.TrimSuffix(best, path.Ext(best)))
	if !imagefile.IsLabel(best) {
		return text + ", which is no label: labels are " + strings.Join(imagefile.LabelExtensions(), ", ")
	}
	for longest > 0 && !(endsAt(name, longest) && endsAt(stem, longest)) {
		longest--
	}
	if longest <= strings.LastIndexByte(name, '/')+1 || longest > len(stem) {
		return text
	}
	return fmt.Sprintf("%s: image_suffix %q and label_suffix %q%s", text, name[longest:], stem[longest:], wouldPair)
}

// wouldPair ends the advice that names differ in their ends alone.
const wouldPair = " would pair them"

// knownLabels returns how labels end in some layout, where they end in anything.
func knownLabels() []suffix {
	var all []suffix
	for _, l := range loadLayouts() {
		for _, k := range l.Kinds {
			if k.Suffix != "" {
				all = append(all, suffix(k.Suffix))
			}
		}
	}
	return all
}

// commonStart returns the number of bytes that two names begin with alike.
func commonStart(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// endsAt reports whether a suffix may begin at byte i of a name.
func endsAt(name string, i int) bool {
	return i == len(name) || i < len(name) && strings.IndexByte("_-.", name[i]) >= 0
}

// someOf joins the first of some names and counts the others.
func someOf(names []string) string {
	const most = 5
	switch n := len(names); {
	case n == 0:
		return "nothing"
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	default:
		return strings.Join(names, ", ")
	}
}

// Passed describes files that were passed over in one line: how many, and the
// first by name; empty without any.
func Passed(files []string) string {
	if len(files) == 0 {
		return ""
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = filepath.Base(f)
	}
	return fmt.Sprintf("%s passed over, by name no image that is read: %s", plural.Of(len(files), "file is", "files are"), someOf(names))
}
