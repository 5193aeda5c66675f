package datasets

import (
	"fmt"
	"slices"
)

// Grouping says which classes of a space are scored together.
type Grouping struct {
	// Categories join classes into coarser ones (road and sidewalk are flat), in
	// the order of their first classes; each class is in one, or there are none.
	Categories []Group
	// Subsets are classes over which means are reported besides that over all, as
	// SYNTHIA's 16 and 13.
	Subsets []Group
}

// Group is some classes of a space.
type Group struct {
	Name    string
	Classes []int // train ids, ascending
}

// grouping reads the categories and subsets of a class list.
func (d document) grouping(space Space) (Grouping, error) {
	var g Grouping
	fail := func(format string, args ...any) (Grouping, error) {
		return Grouping{}, fmt.Errorf("datasets: %s %s: %s", d.what, d.source, fmt.Sprintf(format, args...))
	}
	for id, c := range d.file.Classes {
		if (c.Category == "") != (d.file.Classes[0].Category == "") {
			return fail("class %q: either all classes have a category or none", c.Name)
		}
		if c.Category == "" {
			continue
		}
		k := slices.IndexFunc(g.Categories, func(g Group) bool { return g.Name == c.Category })
		if k < 0 {
			k = len(g.Categories)
			g.Categories = append(g.Categories, Group{Name: c.Category})
		}
		g.Categories[k].Classes = append(g.Categories[k].Classes, id)
	}
	for _, f := range d.file.Subsets {
		s := Group{Name: f.Name}
		for _, name := range f.Classes {
			id := space.Index(name)
			if id < 0 || slices.Contains(s.Classes, id) {
				return fail("subset %q: class %q is not in the list, or twice in the subset", f.Name, name)
			}
			s.Classes = append(s.Classes, id)
		}
		if s.Name == "" || len(s.Classes) == 0 {
			return fail("subset %q: want a name and at least one class", f.Name)
		}
		slices.Sort(s.Classes)
		g.Subsets = append(g.Subsets, s)
	}
	return g, nil
}
