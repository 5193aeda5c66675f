package configs

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// path is a field that holds a path.
type path struct {
	field string
	value *string
	read  bool // by the configured method: ${VAR} is expanded
	named bool // a name without slash and dot is one of the program's own
	is    role
}

// role is what has to lie at a path before the run.
type role int

const (
	anything role = iota // what the run makes, or the system finds
	aFile
	aFolder // or shards
)

// paths lists the fields that hold paths.
func (c *Config) paths() []path {
	d := &c.Data
	source, target := !c.LabelsTarget(), c.UsesTarget() || c.LabelsTarget()
	return []path{
		{"data.source.root", &d.Source.Root, source, false, aFolder},
		{"data.target.root", &d.Target.Root, target, false, aFolder},
		{"data.eval.root", &d.Eval.Root, true, false, aFolder},
		{"data.source.list", &d.Source.List, source, false, aFile},
		{"data.target.list", &d.Target.List, target, false, aFile},
		{"data.eval.list", &d.Eval.List, true, false, aFile},
		{"data.source.map", &d.Source.Map, source, true, aFile},
		{"data.target.map", &d.Target.Map, target, true, aFile},
		{"data.eval.map", &d.Eval.Map, true, true, aFile},
		{"data.cache", &d.Cache, true, false, anything},
		{"data.stats_cache", &d.StatsCache, true, false, anything},
		{"translate.folder", &c.Translate.Folder, true, false, aFolder},
		{"translate.model", &c.Translate.Model, c.usesEngine("onnx"), false, aFile},
		{"translate.adain.model", &c.Translate.AdaIN.Model, c.usesEngine("adain"), false, aFile},
		{"translate.styles", &c.Translate.Styles, c.usesEngine(referring...), false, aFolder},
		{initField, &c.Model.Init, true, true, aFile},
		{"runtime.library", &c.Runtime.Library, true, false, anything},
		{"runtime.profile", &c.Runtime.Profile, true, false, anything},
		{"output", &c.Output, true, false, anything},
	}
}

// relative reports whether the field's text is a relative path. One that begins
// with a variable is what the variable makes it.
func relative(field, text string) bool {
	return slices.ContainsFunc(new(Config).paths(), func(p path) bool { return p.field == field && p.isRelative(text) })
}

func (p path) isRelative(text string) bool {
	return text != "" && !p.isName(text) && !isURL(text) && !filepath.IsAbs(text) && !strings.HasPrefix(text, "${") && !shellOnly.MatchString(text)
}

// isName reports whether the text is a name of the program's own, or of what it fetches.
func (p path) isName(text string) bool {
	return p.named && (!strings.ContainsAny(text, `/.`) || p.field == initField && strings.HasPrefix(text, FetchPrefix))
}

// isURL reports whether a path is one of a bucket, which is the same from anywhere.
func isURL(text string) bool { return strings.Contains(text, "://") }

const initField = "model.init"

// FetchPrefix begins a model.init that names weights to fetch, which no path does.
const FetchPrefix = "fetch:"

// shellOnly is the beginning of a path that a shell would have expanded: a home,
// or a variable without braces.
var shellOnly = regexp.MustCompile(`^(~[A-Za-z0-9_-]*(/|$)|\$[A-Za-z_])`)

// validatePaths refuses paths that would lead to a folder called ~ or $NAME.
func (c *Config) validatePaths(v *validator) {
	for _, p := range c.paths() {
		if !p.read || !shellOnly.MatchString(*p.value) {
			continue
		}
		name, rest, _ := strings.Cut(*p.value, "/")
		want := "the whole path"
		if name == "~" || strings.HasPrefix(name, "$") {
			variable := cmp.Or(strings.TrimLeft(name, "~$"), "HOME")
			want = fmt.Sprintf("${%s}/%s, or %s", variable, rest, want)
		}
		v.check(p.field, false, "~ and $NAME are for shells: want %s, have %q", want, *p.value)
	}
}

func (c *Config) hasRelativePaths() bool {
	return slices.ContainsFunc(c.paths(), func(p path) bool { return p.isRelative(*p.value) })
}

// origin says where a run began that is looked at from another working
// directory: its relative paths are brought to where they lead from there, and
// written and hashed as they stood.
type origin struct {
	base string            // empty: in the working directory
	text map[string]string // by field, of its relative paths
}

// add takes over another file's paths; those of a second place stay absolute.
func (o *origin) add(more origin) {
	switch {
	case more.base == "":
	case o.base == "":
		*o = more
	case o.base == more.base:
		maps.Copy(o.text, more.text)
	}
}

// written returns the configuration with the relative paths of its run as they
// stood in the run's file.
func (c *Config) written() *Config {
	k := *c
	for _, p := range k.paths() {
		if text, ok := c.from.text[p.field]; ok && *p.value == filepath.Join(c.from.base, text) {
			*p.value = text
		}
	}
	k.leaveOut()
	return &k
}

// leaveOut empties the sections that the run does not read and that are as they were
// before anybody changed them, so that they are not written.
func (c *Config) leaveOut() {
	c.leaveOutFamilies(true)
	initial := Default()
	if !c.UsesHRDA() && c.Model.HRDA == initial.Model.HRDA {
		c.Model.HRDA = HRDA{}
	}
	if !c.UsesMask() && c.Loss.Mask == initial.Loss.Mask {
		c.Loss.Mask = Mask{}
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// Expanded returns a path with ${VAR} replaced where the variable is set, whatever the method reads.
func Expanded(path string) string {
	return variable.ReplaceAllStringFunc(path, func(m string) string { return cmp.Or(os.Getenv(m[2:len(m)-1]), m) })
}

// expand replaces ${VAR} in every path that the run reads by the environment's
// value. Variables that are not set, or empty, are one error, an [unsetVariables].
func (c *Config) expand() error {
	unset := new(unsetVariables)
	for _, path := range c.paths() {
		if !path.read {
			continue
		}
		*path.value = variable.ReplaceAllStringFunc(*path.value, func(m string) string {
			name := m[2 : len(m)-1]
			value := os.Getenv(name)
			if value == "" { // nor is an empty one a place
				unset.note(name, path.field)
			}
			return value
		})
	}
	if len(unset.fields) == 0 {
		return nil
	}
	return unset
}

// unsetVariables is the error of variables of the environment that paths name and that
// are not set, or empty.
type unsetVariables struct {
	fields map[string][]string // by variable
}

func (u *unsetVariables) note(name, field string) {
	if u.fields == nil {
		u.fields = map[string][]string{}
	}
	if !slices.Contains(u.fields[name], field) {
		u.fields[name] = append(u.fields[name], field)
	}
}

// add notes those of another configuration, too.
func (u *unsetVariables) add(other *unsetVariables) {
	for name, fields := range other.fields {
		for _, field := range fields {
			u.note(name, field)
		}
	}
}

// Error names the variables in the alphabet's order, each with its fields and the mend.
func (u *unsetVariables) Error() string {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(u.fields)) {
		fields := slices.Sorted(slices.Values(u.fields[name]))
		missing = append(missing, fmt.Sprintf("%s: environment variable %s is not set, or empty (set it, or %s=…)",
			strings.Join(fields, ", "), name, strings.Join(fields, "=… ")))
	}
	return strings.Join(missing, "; ")
}
