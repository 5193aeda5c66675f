package datasets

import "fmt"

// pair joins the chosen images with their labels. Without a label map labels
// mean nothing and are left out.
func (d *Dataset) pair(f found) {
	byKey := make(map[string]string, len(f.labels))
	for _, l := range f.labels {
		if d.labels != nil {
			byKey[l.key] = l.path
		}
	}
	for _, f := range f.chosen {
		d.items = append(d.items, Item{ID: f.key, Image: f.path, Rel: f.rel, Label: byKey[f.key]})
	}
}

// insist returns an error when an image has no label, or a label no image.
func (d *Dataset) insist(f found) error {
	var missing []string
	for _, it := range d.items {
		if it.Label == "" {
			missing = append(missing, it.Image)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("datasets: image %s has no label (a .png of the same name%s)%s", missing[0], d.labelName(), andMore(missing))
	}
	if orphans := f.orphans(); len(orphans) > 0 {
		return fmt.Errorf("datasets: label %s has no image of the same name%s", orphans[0], andMore(orphans))
	}
	return nil
}

// orphans returns the label files without image.
func (f found) orphans() []string {
	known := make(map[string]bool, len(f.images))
	for _, img := range f.images {
		known[img.key] = true
	}
	var orphans []string
	for _, l := range f.labels {
		if !known[l.key] {
			orphans = append(orphans, l.path)
		}
	}
	return orphans
}

// labelName tells in messages where a label was expected.
func (d *Dataset) labelName() string {
	_, tried, _ := folders(d.opts.Root, d.opts.Split, d.opts.Labels, d.layout.Labels) // what went wrong was said before
	suffix := ""
	if s := d.kinds()[0].Suffix; s != "" {
		suffix = " with " + s
	}
	return suffix + " in " + tried[0]
}

func andMore(names []string) string {
	if len(names) == 1 {
		return ""
	}
	return fmt.Sprintf(", nor have %d others", len(names)-1)
}
