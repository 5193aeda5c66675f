package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The keys of a file that are no fields of a configuration.
const (
	extendsKey    = "extends"     // preset or file that it starts from
	relativeToKey = "relative_to" // folder that its relative paths are relative to; empty: its own
)

// document is a YAML file, or a preset, read by the types of the fields.
type document struct {
	path     string // or the preset's name
	embedded bool   // a preset: its paths are relative to the working directory
	extends  string
	base     string // absolute folder of relative paths; empty: the working directory
	from     origin // of relative paths that stand for those of another working directory
	entries  []entry
}

// entry is a value that was read, by its field's dotted key.
type entry struct {
	key   string
	value any // of the field's type
	line  int // in its file
}

// read reads the text. Its faults are joined, each with its line.
func (d *document) read(text []byte) error {
	root, err := parse(text)
	if err != nil || root == nil {
		return err
	}
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want key: value pairs", root.Line)
	}
	if d.extends, err = special(root, extendsKey, "a preset or a file"); err != nil {
		return err
	}
	relativeTo, err := special(root, relativeToKey, "a folder")
	if err != nil {
		return err
	}
	if err := d.settle(relativeTo); err != nil {
		return err
	}
	return errors.Join(d.section(root, "")...)
}

// special returns the text under a key that is no field, empty without it.
func special(root *yaml.Node, key, want string) (string, error) {
	for i := 0; i < len(root.Content); i += 2 {
		if root.Content[i].Value != key {
			continue
		}
		value := resolved(root.Content[i+1])
		if value.Kind != yaml.ScalarNode || plain(value) == "" {
			return "", fmt.Errorf("line %d: %s: want %s", root.Content[i].Line, key, want)
		}
		return value.Value, nil
	}
	return "", nil
}

// parse returns the root of the text's only document, nil for an empty one.
func parse(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	err := decoder.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil && (strings.Contains(err.Error(), "alphabetic or numeric character") || strings.Contains(err.Error(), "unknown anchor")):
		return nil, fmt.Errorf(`%w (in a YAML file, text that begins with * or & needs quotes, as in ["*_night*"])`, err)
	case err != nil:
		return nil, err
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.Join(errors.New("want one YAML document, have several (---)"), err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, nil
	}
	return doc.Content[0], nil
}

// settle decides what relative paths are relative to.
func (d *document) settle(relativeTo string) error {
	if d.embedded {
		return nil
	}
	dir, err := filepath.Abs(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	d.base = dir
	switch {
	case relativeTo == "" && isRunFile(d.path): // from before files said what it was
		d.base = ""
	case relativeTo != "":
		if !filepath.IsAbs(relativeTo) {
			relativeTo = filepath.Join(dir, relativeTo)
		}
		here, err := os.Getwd()
		if err != nil {
			return err
		}
		if _, err := os.Stat(relativeTo); err != nil || relativeTo == here { // the first: the project has moved
			d.base = ""
			break
		}
		d.base = relativeTo
		d.from = origin{base: relativeTo, text: map[string]string{}}
	}
	return nil
}

// isRunFile reports whether the file is a run's own, whose paths were relative
// to the working directory before there was relative_to.
func isRunFile(path string) bool {
	if filepath.Base(path) != "config.yaml" {
		return false
	}
	return slices.ContainsFunc([]string{"run.lock", "events.jsonl", "result.json"}, func(name string) bool {
		_, err := os.Stat(filepath.Join(filepath.Dir(path), name))
		return err == nil
	})
}

// section reads a mapping, whose keys follow the prefix, and returns its faults.
func (d *document) section(n *yaml.Node, prefix string) []error {
	own, err := effective(n, nil, map[*yaml.Node][]pair{})
	if err != nil {
		return []error{err}
	}
	var faults []error
	for _, p := range own {
		path := prefix + p.key.Value
		if path == extendsKey || path == relativeToKey {
			continue
		}
		faults = append(faults, d.value(path, p.key.Line, p.value)...)
	}
	return faults
}

// pair is a key of a mapping with its value.
type pair struct{ key, value *yaml.Node }

// effective lists a mapping's pairs, and behind them those that YAML's << merges
// into it where it has no such key itself. within are the mappings that this one
// is being merged into; known holds what was listed before, so that mappings that
// merge each other over and over take no time.
func effective(n *yaml.Node, within []*yaml.Node, known map[*yaml.Node][]pair) ([]pair, error) {
	if out, ok := known[n]; ok {
		return out, nil
	}
	if slices.Contains(within, n) {
		return nil, fmt.Errorf("line %d: is merged into itself", n.Line)
	}
	var out []pair
	var merged []*yaml.Node
	find := func(key string) int { return slices.IndexFunc(out, func(p pair) bool { return p.key.Value == key }) }
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], resolved(n.Content[i+1])
		switch at := find(key.Value); {
		case key.ShortTag() == "!!merge" && value.Kind == yaml.SequenceNode:
			merged = append(merged, value.Content...)
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
		case at >= 0:
			return nil, fmt.Errorf("line %d: key %q is there twice, see line %d", key.Line, key.Value, out[at].key.Line)
		default:
			out = append(out, pair{key, value})
		}
	}
	for _, m := range merged {
		if m = resolved(m); m.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("line %d: <<: want key: value pairs", m.Line)
		}
		more, err := effective(m, append(within, n), known)
		if err != nil {
			return nil, err
		}
		for _, p := range more {
			if find(p.key.Value) < 0 {
				out = append(out, p)
			}
		}
	}
	known[n] = out
	return out, nil
}

// value reads what stands under a key: a field's value, or a section.
func (d *document) value(path string, line int, n *yaml.Node) []error {
	at := func(err error) []error { return []error{fmt.Errorf("line %d: %w", line, err)} }
	t, isField := fields[path]
	isSection := slices.Contains(sections, path)
	switch {
	case isField:
		value, err := readNode(t, n)
		if err != nil {
			return at(fmt.Errorf("%s: %w", path, err))
		}
		return d.add(entry{path, value, line})
	case isSection && n.Kind == yaml.MappingNode:
		return d.section(n, path+".")
	case isSection && n.Tag == "!!null": // all of it is commented out
		return nil
	case isSection:
		return at(fmt.Errorf("%s: want key: value pairs", path))
	}
	return at(fmt.Errorf("unknown key %q%s", path, suggestion(path)))
}

// add keeps an entry.
func (d *document) add(e entry) []error {
	if i := slices.IndexFunc(d.entries, func(have entry) bool { return have.key == e.key }); i >= 0 {
		return []error{fmt.Errorf("line %d: key %q is there twice, see line %d", e.line, e.key, d.entries[i].line)}
	}
	e.value = d.lead(e.key, e.value)
	d.entries = append(d.entries, e)
	return nil
}

// lead returns a field's value, a relative path as what it leads to.
func (d *document) lead(key string, value any) any {
	text, ok := value.(string)
	if !ok || d.base == "" || !relative(key, text) {
		return value
	}
	if d.from.base != "" {
		d.from.text[key] = text
	}
	return filepath.Join(d.base, text)
}

// tree returns the entries as maps within maps.
func (d *document) tree() map[string]any {
	root := map[string]any{}
	for _, e := range d.entries {
		at, parts := root, strings.Split(e.key, ".")
		for _, name := range parts[:len(parts)-1] {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			at = at[name].(map[string]any)
		}
		at[parts[len(parts)-1]] = e.value
	}
	return root
}
