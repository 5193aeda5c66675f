package datasets

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"t2sda/internal/imagefile"
	"t2sda/internal/plural"
)

// findings groups what was seen by kind, errors first.
func (k *checker) findings(r *Report) []Finding {
	all := []Finding{}
	add := func(s Severity, kind, one, many string, files []string) {
		if n := len(files); n > 0 {
			all = append(all, Finding{s, kind, plural.Of(n, one, many), files})
		}
	}
	links, names := k.searchProblems()
	add(Error, "dead-link", "link, folder or file cannot be used", "links, folders or files cannot be used", links)
	add(Error, "same-name", "pair of files has one name", "pairs of files have one name", names)
	add(Error, "unreadable-image", "image cannot be read", "images cannot be read",
		k.each(func(_ Item, s inspection) string { return detail(s.err) }))
	add(Error, "unreadable-label", "label cannot be read", "labels cannot be read",
		k.each(func(_ Item, s inspection) string { return detail(s.labelErr) }))
	if k.labelled() {
		advice := k.adviceOnSuffixes()
		add(Error, "missing-label", "image has no label"+advice, "images have no label"+advice, k.each(func(it Item, s inspection) string {
			return when(s.label == "", it.Image)
		}))
	}
	add(Error, "missing-image", "label has no image", "labels have no image", k.found.orphans(k.d.layout))
	add(Error, "size-mismatch", "image differs in size from its label", "images differ in size from their labels",
		k.each(func(it Item, s inspection) string {
			return when(s.sizesDiffer(), fmt.Sprintf("%s: %d×%d, its label %s: %d×%d%s", it.Image, s.w, s.h, s.label, s.labels.w, s.labels.h, lyingLabel(k.src, it.Image, s.labels.w, s.labels.h)))
		}))
	if f := k.unknownIDs(); f.Files != nil {
		all = append(all, f)
	}
	tooSmall := fmt.Sprintf("smaller than %d×%d pixels, the least that a network takes", minSide, minSide)
	add(Error, "small-image", "image is "+tooSmall, "images are "+tooSmall, k.each(func(it Item, s inspection) string {
		return when(s.small(), fmt.Sprintf("%s: %d×%d", it.Image, s.w, s.h))
	}))
	all = append(all, k.classFindings(r)...)
	add(Note, "orientation", "file is turned or mirrored as its orientation tag says", "files are turned or mirrored as their orientation tags say", k.turned())
	add(Note, "passed-over", "file is passed over: by name neither image nor label", "files are passed over: by name neither image nor label", k.found.passed)
	add(Note, "16-bit-image", "image has 16 bits per sample: the upper 8 are used", "images have 16 bits per sample: the upper 8 are used", k.ofKind("16-bit"))
	add(Note, "gray-image", "image is gray: its three channels are equal", "images are gray: their three channels are equal", k.ofKind("gray"))
	add(Note, "alpha", "image has an alpha channel, which is dropped", "images have an alpha channel, which is dropped", k.ofKind("alpha"))
	return all
}

// labelled reports whether there are labels at all.
func (k *checker) labelled() bool {
	return len(k.found.labels) > 0 || slices.ContainsFunc(k.found.labelOf, func(label string) bool { return label != "" })
}

// adviceOnSuffixes tells how the first image without label would pair, where names
// differ in their ends alone.
func (k *checker) adviceOnSuffixes() string {
	i := slices.Index(k.found.labelOf, "")
	if i < 0 {
		return ""
	}
	if advice := k.found.nearLabel(k.d, k.found.chosen[i]); strings.HasSuffix(advice, wouldPair) {
		return advice
	}
	return ""
}

// searchProblems describes what the search for files could not use: links and
// the like, and files of one name.
func (k *checker) searchProblems() (links, names []string) {
	for _, err := range k.problems.errs {
		if errors.As(err, new(*sameNameError)) {
			names = append(names, detail(err))
		} else {
			links = append(links, detail(err))
		}
	}
	return links, names
}

// unknownIDs is the finding of ids that the label map lacks.
func (k *checker) unknownIDs() Finding {
	labels := map[int]int{} // id → labels that have it
	files := k.each(func(_ Item, s inspection) string {
		var ids []string
		for _, n := range s.unknown(k.d.labels) {
			labels[n.id]++
			ids = append(ids, fmt.Sprintf("%s (%s)", rawName(n.id), plural.Of(n.pixels, "pixel", "pixels")))
		}
		return when(ids != nil, s.label+": "+fewOf(ids))
	})
	if files == nil {
		return Finding{}
	}
	var ids []string
	for i, id := range slices.Sorted(maps.Keys(labels)) {
		name := rawName(id)
		if i > 0 {
			name = strings.TrimPrefix(name, "id ")
		}
		ids = append(ids, fmt.Sprintf("%s (in %s)", name, plural.Of(labels[id], "label", "labels")))
	}
	return Finding{Error, "unknown-id", fmt.Sprintf("label map %s lacks %s", k.d.labels.name, fewOf(ids)), files}
}

// fewOf joins a list and shortens it when it is long: with a wrong map or
// channel there are very many ids, and the first ones tell.
func fewOf(ids []string) string {
	const most = 12
	if more := len(ids) - most; more > 1 {
		ids = append(ids[:most:most], fmt.Sprintf("%d more", more))
	}
	return strings.Join(ids, ", ")
}

// classFindings tells about labels as a whole: none, void ones, classes that
// never occur.
func (k *checker) classFindings(r *Report) []Finding {
	switch {
	case !k.labelled():
		return []Finding{{Severity: Warning, Kind: "unlabelled", Text: fmt.Sprintf("no image has a label (%s%s): of use as a target only",
			k.d.labelName(file{}), k.found.nearLabel(k.d, k.found.chosen[0]))}}
	case k.d.labels == nil:
		return []Finding{{Severity: Warning, Kind: "no-map", Text: "no label map is given: labels are counted by id, and a run would take the split as unlabelled"}}
	}
	if len(r.LabelFormats) == 0 { // none could be read: nothing is known of classes
		return nil
	}
	var all []Finding
	void := k.each(func(_ Item, s inspection) string { return when(s.onlyVoid(k.d.labels), s.label) })
	switch n := len(void); {
	case n > 0 && n == r.Pairs:
		return []Finding{{Warning, "only-void", "the labels hold nothing but void: of use as a target only", void}}
	case n > 0:
		all = append(all, Finding{Warning, "only-void", plural.Of(n, "label holds", "labels hold") + " nothing but void", void})
	}
	var never, without []string
	for id, c := range r.Classes {
		switch {
		case len(k.d.labels.IDs(uint8(id))) == 0:
			without = append(without, c.Name)
		case c.Pixels == 0:
			never = append(never, c.Name)
		}
	}
	if never != nil {
		all = append(all, Finding{Severity: Warning, Kind: "empty-class", Text: "no label has a pixel of " + quoteAll(never)})
	}
	if without != nil {
		all = append(all, Finding{Severity: Note, Kind: "class-without-id", Text: fmt.Sprintf("label map %s has no id for %s", k.d.labels.name, quoteAll(without))})
	}
	return all
}

// each collects what line returns for the images, empty lines left out.
func (k *checker) each(line func(it Item, s inspection) string) []string {
	var lines []string
	for i, s := range k.seen {
		if text := line(k.d.items[i], s); text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}

// turned lists the files, images and labels, that are not read as they are stored.
func (k *checker) turned() []string {
	var lines []string
	for i, s := range k.seen {
		if s.turn > imagefile.Upright {
			lines = append(lines, k.d.items[i].Image+": "+s.turn.String())
		}
		if s.labels.turn > imagefile.Upright {
			lines = append(lines, s.label+": "+s.labels.turn.String())
		}
	}
	return lines
}

// ofKind lists the images whose format's description has the word.
func (k *checker) ofKind(word string) []string {
	return k.each(func(it Item, s inspection) string { return when(strings.Contains(s.kind, word), it.Image) })
}

func when(ok bool, text string) string {
	if ok {
		return text
	}
	return ""
}

// detail is an error's text without the package's name.
func detail(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(err.Error(), "datasets: ")
}
