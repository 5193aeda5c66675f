package configs

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed sweeps/*.yaml
var sweeps embed.FS

// Sweep is a table of configurations to be trained with several seeds each: the
// rows, or the points of the grid, or every row at every point.
type Sweep struct {
	Name     string    // of the files that the sweep writes
	Title    string    // what the table shows
	Config   string    // preset or file that every row starts from
	Settings []Setting // of every row
	Seeds    []uint64
	Rows     []SweepRow
	Grid     []Axis
	Baseline string // row that the others are held against; empty: none
	// Oracle is the row that closes the gap, of which the table says what share
	// the others recover from the baseline; empty: none.
	Oracle string
	// Subsets are names of class subsets of the evaluation, as synthia-16: the table's means are
	// over the first one, and each further one is a column. Empty: over all classes.
	Subsets []string
	Paper   *Paper // what was published of the rows; nil: nothing
	path    string // for messages
	file    document
}

// Setting is a configuration's dotted key and its value, as the sweep's file has
// it on one line.
type Setting struct {
	Key, Value string
	read       any // of the field's type
}

// SweepRow is what a row sets.
type SweepRow struct {
	Name string
	Set  []Setting
}

// Axis is a key of the grid and the values that it takes.
type Axis struct {
	Key    string
	Values []Setting
}

// Sweeps lists the names of the embedded sweep files, sorted.
func Sweeps() []string {
	entries, err := sweeps.ReadDir("sweeps")
	if err != nil {
		panic(err) // the directory is part of the binary
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	slices.Sort(names)
	return names
}

// LoadSweep reads an embedded sweep file (by name) or one on disk (by path). Its
// rows' configurations are made and checked by [Sweep.Variants].
func LoadSweep(name string) (*Sweep, error) {
	text, err := sweepSource(name)
	if err != nil {
		return nil, err
	}
	s := &Sweep{path: name, file: document{path: name, embedded: slices.Contains(Sweeps(), name)}}
	if err := errors.Join(s.file.settle(""), s.parse(text)); err != nil {
		return nil, fmt.Errorf("sweep %s: %w", name, err)
	}
	s.Config = s.file.beside(s.Config)
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("sweep %s: %w", name, err)
	}
	return s, nil
}

func sweepSource(name string) ([]byte, error) {
	if slices.Contains(Sweeps(), name) {
		return sweeps.ReadFile("sweeps/" + name + ".yaml")
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sweep %q: neither one of the program's (%s) nor a file%s", name, strings.Join(Sweeps(), ", "), didYouMean(nearest(name, Sweeps())))
	}
	if err != nil {
		return nil, fmt.Errorf("sweep %q: %w", name, err)
	}
	return text, nil
}

// parse reads the file's text. Keys that no field reads are errors.
func (s *Sweep) parse(text []byte) error {
	root, err := parse(text)
	if err != nil {
		return err
	}
	if root == nil {
		return errors.New("the file is empty")
	}
	return members(root, "", map[string]func(*yaml.Node) error{
		"name":     textInto(&s.Name),
		"title":    textInto(&s.Title),
		"config":   textInto(&s.Config),
		"baseline": textInto(&s.Baseline),
		"oracle":   textInto(&s.Oracle),
		"seeds":    s.parseSeeds,
		"settings": func(n *yaml.Node) (err error) { s.Settings, err = s.settingsOf(n); return err },
		"grid":     func(n *yaml.Node) (err error) { s.Grid, err = s.axesOf(n); return err },
		"rows":     s.parseRows,
		"subsets":  s.parseSubsets,
		"paper":    s.parsePaper,
	})
}

func (s *Sweep) parseRows(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return errors.New("want a list of {name: …, set: {key: value}}")
	}
	for i, item := range n.Content {
		var r SweepRow
		err := members(item, fmt.Sprintf("[%d].", i), map[string]func(*yaml.Node) error{
			"name": textInto(&r.Name),
			"set":  func(n *yaml.Node) (err error) { r.Set, err = s.settingsOf(n); return err },
		})
		if err != nil {
			return err
		}
		s.Rows = append(s.Rows, r)
	}
	return nil
}

// pairs calls f with every key and value of a mapping, in the file's order.
func pairs(n *yaml.Node, f func(key string, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want key: value pairs", n.Line)
	}
	var seen []string
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if slices.Contains(seen, key) {
			return fmt.Errorf("line %d: key %q is there twice", n.Content[i].Line, key)
		}
		seen = append(seen, key)
		if err := f(key, n.Content[i+1]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// members reads a mapping by a reader per key.
func members(n *yaml.Node, prefix string, read map[string]func(*yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want key: value pairs", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i].Value; read[key] == nil {
			known := make([]string, 0, len(read))
			for k := range read {
				known = append(known, k)
			}
			return fmt.Errorf("line %d: unknown key %q%s", n.Content[i].Line, prefix+key, didYouMean(nearest(key, known)))
		}
	}
	return pairs(n, func(key string, value *yaml.Node) error { return read[key](value) })
}

// textInto reads text.
func textInto(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		value, err := readNode(reflect.TypeFor[string](), n)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		*to = value.(string)
		return nil
	}
}

func (s *Sweep) parseSeeds(n *yaml.Node) error {
	n = resolved(n)
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: want a list of whole numbers", n.Line)
	}
	for _, item := range n.Content {
		seed, err := readNode(reflect.TypeFor[uint64](), item)
		if err != nil {
			return fmt.Errorf("line %d: %w", item.Line, err)
		}
		s.Seeds = append(s.Seeds, seed.(uint64))
	}
	return nil
}

// setting reads the value of a configuration's key by the field's type.
func (s *Sweep) setting(key string, n *yaml.Node) (Setting, error) {
	t, ok := fields[key]
	if !ok {
		return Setting{}, fmt.Errorf("line %d: %w", n.Line, unknownKey(key))
	}
	value, err := readNode(t, n)
	if err != nil {
		return Setting{}, fmt.Errorf("line %d: %w", n.Line, err)
	}
	text, err := inline(resolved(n))
	return Setting{key, text, s.file.lead(key, value)}, err
}

// settingsOf reads dotted keys and their values.
func (s *Sweep) settingsOf(n *yaml.Node) ([]Setting, error) {
	var out []Setting
	err := pairs(n, func(key string, value *yaml.Node) error {
		set, err := s.setting(key, value)
		out = append(out, set)
		return err
	})
	return out, err
}

func (s *Sweep) axesOf(n *yaml.Node) ([]Axis, error) {
	var out []Axis
	err := pairs(n, func(key string, values *yaml.Node) error {
		if fields[key] == nil {
			return fmt.Errorf("line %d: %w", values.Line, unknownKey(key))
		}
		if values = resolved(values); values.Kind != yaml.SequenceNode || len(values.Content) == 0 {
			return fmt.Errorf("line %d: want a list of values", values.Line)
		}
		axis := Axis{Key: key}
		for _, v := range values.Content {
			set, err := s.setting(key, v)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(axis.Values, func(have Setting) bool { return reflect.DeepEqual(have.read, set.read) }) {
				return fmt.Errorf("line %d: value %s is there twice", v.Line, set.Value)
			}
			axis.Values = append(axis.Values, set)
		}
		out = append(out, axis)
		return nil
	})
	return out, err
}

// inline returns a node as one line of YAML.
func inline(n *yaml.Node) (string, error) {
	flow := *n
	flow.HeadComment, flow.LineComment, flow.FootComment = "", "", ""
	flow.Style |= yaml.FlowStyle
	text, err := yaml.Marshal(&flow)
	if err != nil {
		return "", err
	}
	return strings.Join(strings.Fields(string(text)), " "), nil
}
