package configs

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
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
// applies settings of the form key=value, whose keys are dotted paths and whose
// values are YAML, expands ${VAR} in the paths that the method reads and
// validates the result.
func Load(name string, settings []string) (Config, error) {
	cfg, err := Read(name, settings)
	if err != nil {
		return cfg, err
	}
	if err := cfg.expand(); err != nil {
		return cfg, fmt.Errorf("configuration %s: %w", name, err)
	}
	if err := cfg.Validate(); err != nil {
		return cfg, fmt.Errorf("configuration %s: %w", name, err)
	}
	return cfg, nil
}

// Read is [Load] without validation and without expansion of ${VAR}.
func Read(name string, settings []string) (Config, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := merge(v, name, nil); err != nil {
		return Config{}, err
	}
	for _, s := range settings {
		key, text, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return Config{}, fmt.Errorf("setting %q: want key=value", s)
		}
		if !slices.Contains(keys(), strings.ToLower(key)) {
			return Config{}, fmt.Errorf("setting %q: no such key%s", key, suggestion(key))
		}
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return Config{}, fmt.Errorf("setting %q: %w", s, err)
		}
		if strings.EqualFold(key, enginesKey) {
			var err error
			if value, err = enginesOf(value); err != nil {
				return Config{}, fmt.Errorf("setting %q: %w", s, err)
			}
		}
		v.Set(key, value)
	}
	cfg := Default()
	if v.IsSet(enginesKey) {
		cfg.Translate.Engine = nil // or the decoder would add to it
	}
	if err := v.UnmarshalExact(&cfg); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", name, err)
	}
	return cfg, nil
}

// merge reads name's ancestors first, then name itself, into v.
func merge(v *viper.Viper, name string, seen []string) error {
	text, err := source(name)
	if err != nil {
		return err
	}
	if slices.Contains(seen, name) {
		return fmt.Errorf("configuration %s: extends itself through %s", name, strings.Join(seen, ", "))
	}
	tree := map[string]any{}
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return fmt.Errorf("configuration %s: %w", name, err)
	}
	if base, ok := tree["extends"]; ok {
		parent, isString := base.(string)
		if !isString {
			return fmt.Errorf("configuration %s: extends: want a preset or a file, have %v", name, base)
		}
		if filepath.Ext(parent) != "" && !filepath.IsAbs(parent) {
			parent = filepath.Join(filepath.Dir(name), parent)
		}
		if err := merge(v, parent, append(seen, name)); err != nil {
			return fmt.Errorf("configuration %s: extends: %w", name, err)
		}
		delete(tree, "extends")
	}
	if err := readEngines(tree); err != nil {
		return fmt.Errorf("configuration %s: %w", name, err)
	}
	if err := known(tree, ""); err != nil {
		return fmt.Errorf("configuration %s: %w", name, err)
	}
	return v.MergeConfigMap(tree)
}

// readEngines makes the engines of a tree one value, which replaces an
// ancestor's: viper would put the engines of both into one map.
func readEngines(tree map[string]any) error {
	section, _ := tree["translate"].(map[string]any)
	value, ok := section["engine"]
	if !ok {
		return nil
	}
	engines, err := enginesOf(value)
	section["engine"] = engines
	return err
}

// source returns the YAML text behind a preset's name or a file's path.
func source(name string) ([]byte, error) {
	if slices.Contains(Presets(), name) {
		return presets.ReadFile("presets/" + name + ".yaml")
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration %q: neither a preset (%s) nor a file", name, strings.Join(Presets(), ", "))
	}
	return text, err
}

// known reports the first key of the tree that no field reads.
func known(tree map[string]any, prefix string) error {
	for key, value := range tree {
		path := prefix + key
		if sub, ok := value.(map[string]any); ok {
			if err := known(sub, path+"."); err != nil {
				return err
			}
			continue
		}
		if !slices.Contains(keys(), path) {
			return fmt.Errorf("unknown key %q%s", path, suggestion(path))
		}
	}
	return nil
}

// keys lists the dotted path of every field.
func keys() []string {
	var out []string
	var walk func(t reflect.Type, prefix string)
	walk = func(t reflect.Type, prefix string) {
		for f := range t.Fields() {
			path := prefix + f.Tag.Get("mapstructure")
			if f.Type.Kind() == reflect.Struct {
				walk(f.Type, path+".")
				continue
			}
			out = append(out, path)
		}
	}
	walk(reflect.TypeFor[Config](), "")
	return out
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces ${VAR} in every path that the run reads by the environment's
// value. Variables that are not set are one error that names them with their
// fields.
func (c *Config) expand() error {
	var unset []string
	fields := map[string][]string{}
	for _, path := range c.paths() {
		*path.value = variable.ReplaceAllStringFunc(*path.value, func(m string) string {
			name := m[2 : len(m)-1]
			value, ok := os.LookupEnv(name)
			if !ok {
				if fields[name] == nil {
					unset = append(unset, name)
				}
				fields[name] = append(fields[name], path.field)
			}
			return value
		})
	}
	if len(unset) == 0 {
		return nil
	}
	var missing []string
	for _, name := range unset {
		missing = append(missing, fmt.Sprintf("%s: environment variable %s is not set", strings.Join(fields[name], ", "), name))
	}
	return fmt.Errorf("%s (set it, or the field: %s=DIR)", strings.Join(missing, "; "), fields[unset[0]][0])
}

// path is a field that may hold ${VAR}.
type path struct {
	field string
	value *string
}

// paths lists the paths that the method reads.
func (c *Config) paths() []path {
	paths := []path{
		{"data.eval.root", &c.Data.Eval.Root},
		{"data.cache", &c.Data.Cache},
		{"data.stats_cache", &c.Data.StatsCache},
		{"translate.folder", &c.Translate.Folder},
		{"translate.model", &c.Translate.Model},
		{"model.init", &c.Model.Init},
		{"runtime.library", &c.Runtime.Library},
	}
	if c.UsesTarget() || c.LabelsTarget() {
		paths = append([]path{{"data.target.root", &c.Data.Target.Root}}, paths...)
	}
	if !c.LabelsTarget() {
		paths = append([]path{{"data.source.root", &c.Data.Source.Root}}, paths...)
	}
	return paths
}

// YAML returns the configuration as a file that [Load] reads back.
func (c *Config) YAML() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Hash identifies what determines what is learned: a checkpoint of another hash
// is not resumed. That includes the roots of the data, model.init,
// translate.folder and translate.model, because what lies there is learned from.
// The run's name and place, how often something is logged, evaluated or saved,
// the runtime, and settings that the method never reads do not enter.
func (c *Config) Hash() string {
	k := *c
	k.Name, k.Output, k.Baseline = "", "", false
	k.Data.Workers, k.Data.Prefetch, k.Data.CacheMB, k.Data.Cache, k.Data.StatsCache = 0, 0, 0, "", ""
	if !k.SkipsBadFiles() {
		k.Data.OnError = "" // "stop" is what runs do that say nothing of it
	}
	k.Train.EvalEvery, k.Train.CheckpointEvery, k.Train.Keep, k.Train.LogEvery = 0, 0, 0, 0
	k.Runtime = Runtime{}
	k.clearUnread()
	text, err := k.YAML()
	if err != nil {
		panic(err) // plain structs of strings and numbers encode
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// clearUnread empties the settings that the method never reads, so that a
// comparison does not train source-only again when τ changes, and puts what the
// method's name settles in place of what is configured.
func (c *Config) clearUnread() {
	ce, mix, kind := c.CEDomain(), c.MixDomain(), c.PullKind()
	mixes, pulls := c.UsesMix(), c.UsesPull()
	if !c.UsesPseudo() {
		c.Translate = Translate{}
	}
	c.Loss.CEDomain, c.Loss.MixDomain, c.Loss.Pull.Kind = ce, mix, kind
	if !mixes {
		c.Loss.MixDomain, c.Loss.MixWeight, c.Loss.Quality = "", 0, ""
		c.Loss.Delta, c.Loss.IgnoreTop, c.Loss.IgnoreBottom = 0, 0, 0
	}
	if !pulls {
		c.Loss.Pull = Pull{}
		c.Model.ProjectorWidth, c.Model.ProjectorInput = 0, ""
	}
	if !c.UsesFeatureDistance() {
		c.Loss.FeatureDistance = FeatureDistance{}
	}
	if !(pulls && c.Loss.DRW == "pull" || mixes && c.Loss.DRW == "lt") {
		c.Loss.DRW, c.Loss.DRWBeta = "", 0
	}
	if !mixes && !pulls { // no teacher
		c.Train.AdaptAfter, c.Train.EMA = 0, 0
	}
}
