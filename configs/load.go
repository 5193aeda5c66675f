package configs

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

//go:embed presets/*.yaml
var presets embed.FS

// Presets lists the names of the embedded presets, sorted.
func Presets() []string {
	entries, err := presets.ReadDir("presets")
	if err != nil {
		panic(err) // the directory is part of the binary
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	slices.Sort(names) // '-' comes before '.', but not before the end of a name
	return names
}

// Load reads a preset (by name) or a YAML file (by path) over [Default],
// applies settings of the form key=value, whose keys are dotted paths, expands
// ${VAR} in the paths that the method reads and validates the result.
//
// A value is read by its field's type, and what is not of it is an error; text
// after key= is taken as it stands. Relative paths in a file are relative to
// the file, or to the folder that its key relative_to names; those of presets
// and settings are relative to the working directory.
func Load(name string, settings []string) (Config, error) {
	given, err := readSettings(settings)
	if err != nil {
		return Config{}, err
	}
	return load(name, given)
}

// load is [Load] with settings that were read.
func load(name string, given []entry) (Config, error) {
	l := &layers{name: name, where: map[string]string{}}
	cfg, err := l.read(given)
	if err != nil {
		return cfg, err
	}
	if err := cfg.expand(); err != nil {
		return cfg, fmt.Errorf("configuration %s: %w", name, err)
	}
	if err := l.locate(cfg.faults()); err != nil {
		return cfg, fmt.Errorf("configuration %s: %w", name, err)
	}
	return cfg, nil
}

// Read is [Load] without settings, validation and expansion of ${VAR}.
func Read(name string) (Config, error) {
	return (&layers{name: name, where: map[string]string{}}).read(nil)
}

// layers merges a configuration from what it is made of.
type layers struct {
	name  string            // of the configuration
	where map[string]string // place in a file, by key, of the values that stand
	from  origin
}

// read merges the configuration's files and the settings.
func (l *layers) read(given []entry) (Config, error) {
	v := viper.New()
	if err := l.merge(v, l.name, nil); err != nil {
		return Config{}, err
	}
	for _, e := range given {
		v.Set(e.key, e.value)
		delete(l.where, e.key)
	}
	cfg := Default()
	if v.IsSet(enginesKey) {
		cfg.Translate.Engine = nil // or the decoder would add to it
	}
	if err := v.UnmarshalExact(&cfg); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", l.name, err)
	}
	cfg.from = l.from
	return cfg, nil
}

// merge reads name's ancestors first, then name itself, into v.
func (l *layers) merge(v *viper.Viper, name string, seen []string) error {
	text, err := source(name)
	if err != nil {
		return err
	}
	if slices.Contains(seen, name) {
		return fmt.Errorf("configuration %s: extends itself through %s", name, strings.Join(seen, ", "))
	}
	d := &document{embedded: slices.Contains(Presets(), name), path: name}
	if err := d.read(text); err != nil {
		return fmt.Errorf("configuration %s: %w", name, err)
	}
	if d.extends != "" {
		if err := l.merge(v, d.beside(d.extends), append(seen, name)); err != nil {
			return fmt.Errorf("configuration %s: extends: %w", name, err)
		}
	}
	for _, e := range d.entries {
		switch delete(l.where, e.key); {
		case d.embedded:
		case name == l.name:
			l.where[e.key] = fmt.Sprintf("line %d: ", e.line)
		default:
			l.where[e.key] = fmt.Sprintf("%s: line %d: ", name, e.line)
		}
	}
	l.from.add(d.from)
	return v.MergeConfigMap(d.tree())
}

// locate joins the faults, each with the place in a file where the value that
// is at fault was set.
func (l *layers) locate(faults []fault) error {
	var errs []error
	for _, f := range faults {
		place := l.where[f.field]
		for _, key := range keys { // of a fault that several fields have together
			if place == "" && strings.HasPrefix(key, f.field+".") {
				place = l.where[key]
			}
		}
		if place == "" {
			errs = append(errs, f)
			continue
		}
		errs = append(errs, fmt.Errorf("%s%w", place, f))
	}
	return errors.Join(errs...)
}

// source returns the YAML text behind a preset's name or a file's path.
func source(name string) ([]byte, error) {
	if slices.Contains(Presets(), name) {
		return presets.ReadFile("presets/" + name + ".yaml")
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration %q: neither a preset (%s) nor a file%s", name, strings.Join(Presets(), ", "), didYouMean(nearest(name, Presets())))
	}
	if err != nil {
		return nil, fmt.Errorf("configuration %q: %w", name, err)
	}
	return text, nil
}

// readSettings reads settings of the form key=value.
func readSettings(settings []string) ([]entry, error) {
	var out []entry
	var faults []error
	for _, s := range settings {
		e, err := readSetting(s)
		if err != nil {
			faults = append(faults, err)
		}
		out = append(out, e)
	}
	return out, errors.Join(faults...)
}

func readSetting(setting string) (entry, error) {
	given, text, ok := strings.Cut(setting, "=")
	if !ok || given == "" {
		return entry{}, fmt.Errorf("setting %q: want key=value", setting)
	}
	key := strings.ToLower(given)
	t, ok := fields[key]
	if !ok {
		return entry{}, fmt.Errorf("setting %q: %w", given, unknownKey(key))
	}
	value, err := readText(t, text)
	if err != nil {
		return entry{}, fmt.Errorf("setting %s=%s: %w", given, text, err)
	}
	return entry{key: key, value: value}, nil
}

// beside returns a preset's name as it is, and as a path from here what the
// document calls a file, which lies beside its own.
func (d *document) beside(name string) string {
	isFile := filepath.Ext(name) != "" || strings.ContainsRune(name, filepath.Separator)
	if !isFile || filepath.IsAbs(name) || d.embedded {
		return name
	}
	return filepath.Join(filepath.Dir(d.path), name)
}

// YAML returns the configuration as a file that [Load] reads back, wherever it
// lies.
func (c *Config) YAML() ([]byte, error) {
	k := c.written()
	text, err := k.encode()
	if err != nil || !k.hasRelativePaths() {
		return text, err
	}
	base := c.from.base
	if base == "" {
		if base, err = os.Getwd(); err != nil {
			return nil, fmt.Errorf("relative paths: %w", err)
		}
	}
	head, err := yaml.Marshal(map[string]string{relativeToKey: base})
	return append(head, text...), err
}

func (c *Config) encode() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
