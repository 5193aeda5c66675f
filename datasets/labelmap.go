package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"t2sda/internal/raster"
)

// maxID is the largest id that a label file can hold: 16 bits.
const maxID = 65535

// unmapped marks ids that a table has no entry for.
const unmapped = -1

// LabelMap takes the ids in label files to train ids or to [raster.Void]. It
// is strict: ids that it does not list are errors.
type LabelMap struct {
	name     string
	space    Space
	grouping Grouping
	table    []int16       // raw id → train id, Void or unmapped; at least 256 long
	colours  map[int]uint8 // colourNumber → train id or Void
	rest     bool          // what is not listed is Void
}

// Maps lists the built-in label maps.
func Maps() []string { return embeddedNames("maps") }

// LoadLabelMap returns a label map: a built-in one by name (see [Maps]) or a
// YAML file's (anything with a slash, .yaml or .yml):
//
//	classes:
//	  - {name: road, color: [128, 64, 128], ids: [7, 8]}
//	  - {name: car, ids: [26]}        # a colour is found for it
//	ignore: [0, 255]                  # ids that become void
//
// Label files may be colour pictures, too: the classes' colours, further ones that
// a class has in label files (`colors:`, a list of them) and ignore_colors, a list of
// those that become void. Black is void where no class has it.
//
// A class may have a `category:`, and `subsets:` may name classes to report a
// mean over, see [Grouping].
//
// With `space:` (a built-in class list or a YAML file) the classes are those
// of that list, in its order; the map names the ones that have ids and gives
// no colours. Unknown keys, ids named twice and ids beyond 65535 are errors.
func LoadLabelMap(nameOrFile string) (*LabelMap, error) {
	d, err := loadYAML("maps", "label map", nameOrFile)
	if err != nil {
		return nil, err
	}
	list := d // of classes
	if d.file.Space != "" {
		list, err = d.parent()
	}
	if err != nil {
		return nil, err
	}
	m := &LabelMap{name: d.name}
	if m.space, err = list.ownSpace(); err != nil {
		return nil, err
	}
	if m.grouping, err = list.grouping(m.space); err != nil {
		return nil, err
	}
	if err := m.fill(d.file); err != nil {
		return nil, fmt.Errorf("datasets: label map %s: %w", nameOrFile, err)
	}
	if err := m.fillColours(d.file); err != nil {
		return nil, fmt.Errorf("datasets: label map %s: %w", nameOrFile, err)
	}
	return m, nil
}

// MapOf returns a label map to the classes that [Options.Layout] and [Options.Map] tell, nil
// where only label files tell them.
func MapOf(layout, nameOrFile string) (*LabelMap, error) {
	if nameOrFile != "" {
		return LoadLabelMap(nameOrFile)
	}
	l, err := findLayout(layout)
	if err != nil {
		return nil, err
	}
	var first *LabelMap
	for _, kind := range l.Kinds {
		if kind.Map == "" {
			return nil, nil
		}
		m, err := LoadLabelMap(kind.Map)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = m
		}
		if !m.space.Equal(first.space) {
			return nil, nil
		}
	}
	return first, nil
}

// Name returns the built-in name or the file's.
func (m *LabelMap) Name() string { return m.name }

// Space returns the classes that the map leads to.
func (m *LabelMap) Space() Space { return m.space }

// Grouping returns which of the classes are scored together.
func (m *LabelMap) Grouping() Grouping { return m.grouping }

// TrainID returns the train id (or [raster.Void]) of an id in a label file, and
// whether the map lists it. Numbers beyond 24 bits stand for colours.
func (m *LabelMap) TrainID(raw int) (id uint8, ok bool) {
	if raw >= firstColour {
		if id, ok = m.colours[raw]; ok {
			return id, true
		}
		return raster.Void, m.rest
	}
	if raw < 0 || raw >= len(m.table) || m.table[raw] == unmapped {
		return raster.Void, false
	}
	return uint8(m.table[raw]), true
}

// IDs returns the ids in label files that lead to a train id (or to
// [raster.Void]), ascending: the way back, for writing a data set's own ids.
func (m *LabelMap) IDs(trainID uint8) []int {
	var ids []int
	for raw, id := range m.table {
		if id == int16(trainID) {
			ids = append(ids, raw)
		}
	}
	return ids
}

// fill builds the table from the file's ids.
func (m *LabelMap) fill(f mapFile) error {
	owner := map[int]string{}
	ids := map[int]int16{}
	add := func(raw int, to int16, name string) error {
		if raw < 0 || raw > maxID {
			return fmt.Errorf("%s: id %d is outside of 0–%d", name, raw, maxID)
		}
		if other, ok := owner[raw]; ok {
			return fmt.Errorf("id %d is given to both %s and %s", raw, other, name)
		}
		owner[raw], ids[raw] = name, to
		return nil
	}
	for i, c := range f.Classes {
		train := i
		if f.Space != "" {
			train = m.space.Index(c.Name)
		}
		for _, raw := range c.IDs {
			if err := add(raw, int16(train), "class "+c.Name); err != nil {
				return err
			}
		}
	}
	if len(ids) == 0 {
		return errors.New("no class has ids")
	}
	for _, raw := range f.Ignore {
		if err := add(raw, raster.Void, "ignore"); err != nil {
			return err
		}
	}
	m.table = make([]int16, max(256, slices.Max(slices.Collect(maps.Keys(ids)))+1))
	for raw := range m.table {
		m.table[raw] = unmapped
	}
	for raw, to := range ids {
		m.table[raw] = to
	}
	return nil
}

// mapFile is the YAML form of class lists and label maps.
type mapFile struct {
	Name    string      `yaml:"name"`
	Space   string      `yaml:"space"`
	Classes []classFile `yaml:"classes"`
	Ignore  []int       `yaml:"ignore"`
	// IgnoreColors are the colours of void in colour label files.
	IgnoreColors [][]int     `yaml:"ignore_colors"`
	Subsets      []groupFile `yaml:"subsets"`
}

type classFile struct {
	Name     string  `yaml:"name"`
	Color    []int   `yaml:"color"`
	Colors   [][]int `yaml:"colors"` // further ones in label files
	IDs      []int   `yaml:"ids"`
	Category string  `yaml:"category"`
}

type groupFile struct {
	Name    string   `yaml:"name"`
	Classes []string `yaml:"classes"`
}

// document is a decoded file with where it came from.
type document struct {
	what, name, source string
	file               mapFile
}

func loadYAML(folder, what, nameOrFile string) (document, error) {
	data, err := readEmbedded(folder, what, nameOrFile)
	if err != nil {
		return document{}, err
	}
	d := document{what: what, name: nameOrFile, source: nameOrFile}
	if err := strictYAML(data, &d.file); err != nil {
		return document{}, fmt.Errorf("datasets: %s %s: %w", what, nameOrFile, err)
	}
	return d, nil
}

// strictYAML decodes one document; unknown keys are errors.
func strictYAML(data []byte, into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("the file is empty")
		}
		return yamlError(err)
	}
	return nil
}

// unknownField is how the decoder speaks of a key that its Go type lacks.
var unknownField = regexp.MustCompile(`field (\S+) not found in type [\w.]+`)

// yamlError brings the decoder's lines into one, in words of the file.
func yamlError(err error) error {
	var lines *yaml.TypeError
	if !errors.As(err, &lines) {
		return err
	}
	return errors.New(unknownField.ReplaceAllString(strings.Join(lines.Errors, "; "), "unknown key $1"))
}

// parent returns the class list that `space:` names, after checking that the
// map's classes are in it. A file is meant relative to the map's.
func (d document) parent() (document, error) {
	name := d.file.Space
	if isFile(name) && !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(d.source), name)
	}
	if isFile(name) && isFile(d.source) && filepath.Clean(name) == filepath.Clean(d.source) {
		return document{}, fmt.Errorf("datasets: %s %s: space: names the file itself", d.what, d.source)
	}
	parent, err := loadYAML("spaces", "class list", name)
	if err != nil {
		return document{}, fmt.Errorf("datasets: %s %s: space: %w", d.what, d.source, err)
	}
	if parent.file.Space != "" {
		return document{}, fmt.Errorf("datasets: %s %s: space: %s leads to yet another space", d.what, d.source, name)
	}
	space, err := parent.ownSpace()
	if err != nil {
		return document{}, err
	}
	if d.file.Subsets != nil {
		return document{}, fmt.Errorf("datasets: %s %s: subsets come from %s", d.what, d.source, name)
	}
	seen := map[string]bool{}
	for _, c := range d.file.Classes {
		switch {
		case space.Index(c.Name) < 0:
			return document{}, fmt.Errorf("datasets: %s %s: class %q is not in %s (%s)", d.what, d.source, c.Name, name, strings.Join(space.Names(), ", "))
		case seen[c.Name]:
			return document{}, fmt.Errorf("datasets: %s %s: class %q is listed twice", d.what, d.source, c.Name)
		case c.Color != nil:
			return document{}, fmt.Errorf("datasets: %s %s: class %q: the colour comes from %s", d.what, d.source, c.Name, name)
		case c.Category != "":
			return document{}, fmt.Errorf("datasets: %s %s: class %q: the category comes from %s", d.what, d.source, c.Name, name)
		}
		seen[c.Name] = true
	}
	return parent, nil
}

// ownSpace returns the classes that the file itself lists.
func (d document) ownSpace() (Space, error) {
	s := Space{Name: d.file.Name}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(d.source), filepath.Ext(d.source))
	}
	for i, c := range d.file.Classes {
		class := Class{Name: c.Name, Color: distinctColor(i)}
		if c.Color != nil {
			colour, err := parseColour(c.Color)
			if err != nil {
				return Space{}, fmt.Errorf("datasets: %s %s: class %q: %w", d.what, d.source, c.Name, err)
			}
			class.Color = colour
		}
		s.Classes = append(s.Classes, class)
	}
	if err := s.Validate(); err != nil {
		return Space{}, fmt.Errorf("datasets: %s %s: %w", d.what, d.source, err)
	}
	return s, nil
}
