package configs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Variant is a row of a sweep's table with its configuration, whose seed is the
// sweep's first.
type Variant struct {
	Name   string
	Config Config
	// Of is the sweep's row that the variant belongs to, empty without rows, and X
	// is its value on the grid's axis: for a curve, see [Sweep.Curve].
	Of string
	X  float64
}

// check finds what is wrong with the sweep itself.
func (s *Sweep) check() error {
	if !isFileName(s.Name) {
		return fmt.Errorf("name: want the name of a file, without slashes, have %q", s.Name)
	}
	if s.Config == "" {
		return errors.New("config: is empty: name a preset or a file")
	}
	if len(s.Seeds) == 0 {
		return errors.New("seeds: is empty: give at least one")
	}
	for i, seed := range s.Seeds {
		if slices.Contains(s.Seeds[:i], seed) {
			return fmt.Errorf("seeds: %d is there twice", seed)
		}
	}
	if len(s.Rows) == 0 && len(s.Grid) == 0 {
		return errors.New("there are neither rows nor a grid")
	}
	if err := s.checkSize(); err != nil {
		return err
	}
	return errors.Join(s.checkRows(), s.checkKeys())
}

// maxRows is the largest number of rows of a table: a hundred times what anyone has
// trained.
const maxRows = 10_000

// checkSize refuses grids of so many points that to list them takes all memory.
func (s *Sweep) checkSize() error {
	n := max(1, len(s.Rows))
	for _, a := range s.Grid {
		n = min(n*len(a.Values), maxRows+1)
	}
	if n > maxRows {
		return fmt.Errorf("rows × grid: more than %d rows: leave out values", maxRows)
	}
	return nil
}

func (s *Sweep) checkRows() error {
	for i, r := range s.Rows {
		if r.Name == "" {
			return fmt.Errorf("rows[%d]: has no name", i)
		}
	}
	var names []string
	for _, p := range s.points() {
		if slices.Contains(names, p.name) {
			return fmt.Errorf("row %q is there twice", p.name)
		}
		names = append(names, p.name)
	}
	for _, r := range []struct{ key, row string }{{"baseline", s.Baseline}, {"oracle", s.Oracle}} {
		if r.row != "" && !slices.Contains(names, r.row) {
			return fmt.Errorf("%s: there is no row %q%s", r.key, r.row, didYouMean(nearest(r.row, names)))
		}
	}
	if s.Oracle != "" && s.Baseline == "" {
		return errors.New("oracle: a gap lies between two rows: give the baseline, too")
	}
	return s.checkPaper(names)
}

// checkKeys refuses keys that a sweep sets itself, and those that two of its
// parts set.
func (s *Sweep) checkKeys() error {
	for _, r := range append([]SweepRow{{"settings", s.Settings}, {"grid", s.gridKeys()}}, s.Rows...) {
		for _, set := range r.Set {
			switch {
			case slices.Contains([]string{"seed", "name", "output", "baseline"}, set.Key):
				return fmt.Errorf("%s: %s cannot be set here: a sweep sets it for each run", r.Name, set.Key)
			case set.Key == "runtime.threads" && r.Name != "settings":
				return fmt.Errorf("%s: runtime.threads must be the same for all runs: put it under settings", r.Name)
			case r.Name != "grid" && s.axis(set.Key) >= 0:
				return fmt.Errorf("%s: %s is a key of the grid, too", r.Name, set.Key)
			}
		}
	}
	return nil
}

func (s *Sweep) axis(key string) int {
	return slices.IndexFunc(s.Grid, func(a Axis) bool { return a.Key == key })
}

func (s *Sweep) gridKeys() []Setting {
	var out []Setting
	for _, a := range s.Grid {
		out = append(out, Setting{Key: a.Key})
	}
	return out
}

// varies reports whether rows or grid set the key.
func (s *Sweep) varies(key string) bool {
	return s.axis(key) >= 0 || slices.ContainsFunc(s.Rows, func(r SweepRow) bool {
		return slices.ContainsFunc(r.Set, func(set Setting) bool { return set.Key == key })
	})
}

// point is a row at one point of the grid.
type point struct {
	name, of string
	set      []Setting
}

// points lists every row at every point of the grid, the last axis fastest.
func (s *Sweep) points() []point {
	var out []point
	for _, r := range s.Rows {
		out = append(out, point{r.Name, r.Name, r.Set})
	}
	if len(out) == 0 {
		out = []point{{}}
	}
	for _, a := range s.Grid {
		var next []point
		for _, p := range out {
			for _, v := range a.Values {
				name := strings.TrimSpace(p.name + " " + s.shortKey(a.Key) + "=" + v.Value)
				next = append(next, point{name, p.of, append(slices.Clone(p.set), v)})
			}
		}
		out = next
	}
	return out
}

// Len is the number of the table's rows.
func (s *Sweep) Len() int { return len(s.points()) }

// shortKey is the last part of a grid's key, or all of it where another key of
// the grid ends alike.
func (s *Sweep) shortKey(key string) string {
	last := lastPart(key)
	for _, a := range s.Grid {
		if a.Key != key && lastPart(a.Key) == last {
			return key
		}
	}
	return last
}

// Curve returns the grid's only key if its values are numbers:
// the rows are then curves over it. Otherwise it returns "".
func (s *Sweep) Curve() string {
	if len(s.Grid) != 1 || len(s.Grid[0].Values) < 2 {
		return ""
	}
	for _, v := range s.Grid[0].Values {
		if _, ok := v.number(); !ok {
			return ""
		}
	}
	return s.Grid[0].Key
}

// number returns the value of a field that holds a number.
func (s Setting) number() (float64, bool) {
	switch v := s.read.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// Variants makes the configuration of every row of the table and validates it:
// the sweep's configuration with one thread a run, the sweep's settings, those
// given here, as key=value, and the row's own, in this order.
func (s *Sweep) Variants(settings []string) ([]Variant, error) {
	base, err := s.base(settings)
	if err != nil {
		return nil, fmt.Errorf("sweep %s: %w", s.path, err)
	}
	var out []Variant
	var faults []error
	var unset unsetVariables // of all rows: one error
	for _, p := range s.points() {
		cfg, err := load(s.Config, append(slices.Clone(base), entriesOf(p.set)...))
		if u := new(unsetVariables); errors.As(err, &u) {
			unset.add(u)
			continue
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("sweep %s: row %q: %w", s.path, p.name, err))
			continue
		}
		v := Variant{Name: p.name, Config: cfg, Of: p.of}
		if s.Curve() != "" {
			v.X, _ = p.set[len(p.set)-1].number() // Curve has seen that it is one
		}
		out = append(out, v)
	}
	if len(unset.fields) > 0 {
		faults = append(faults, fmt.Errorf("sweep %s: configuration %s: %w", s.path, s.Config, &unset))
	}
	if len(faults) == 0 {
		faults = append(faults, s.checkRuntime(out))
	}
	return out, errors.Join(faults...)
}

// checkRuntime refuses rows that differ in nothing but in settings of the runtime that no hash knows: they
// are one run, whose figures would stand in both.
func (s *Sweep) checkRuntime(rows []Variant) error {
	points, first := s.points(), map[string]int{}
	for i := range rows {
		hash := rows[i].Config.Hash()
		j, there := first[hash]
		if !there {
			first[hash] = i
			continue
		}
		a, b := rows[j].Config.Runtime, rows[i].Config.Runtime
		a.Precision, b.Precision = rows[j].Config.Precision(), rows[i].Config.Precision()
		if !reflect.DeepEqual(a, b) {
			differ := strings.Trim(runtimeOf(points[j].set)+"; "+runtimeOf(points[i].set), "; ")
			return fmt.Errorf("sweep %s: rows %q and %q are one run: what they differ in (%s) is no part of what tells runs apart; put it under settings, and make a table of each (--out)",
				s.path, rows[j].Name, rows[i].Name, differ)
		}
	}
	return nil
}

// runtimeOf lists the settings of the runtime among a row's.
func runtimeOf(set []Setting) string {
	var all []string
	for _, v := range set {
		if strings.HasPrefix(v.Key, "runtime.") {
			all = append(all, v.Key+"="+v.Value)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// base lists what every row sets, those given as key=value last.
func (s *Sweep) base(settings []string) ([]entry, error) {
	base := []entry{{key: "baseline", value: false}, {key: "runtime.threads", value: 1}, {key: "seed", value: s.Seeds[0]}}
	base = append(base, entriesOf(s.Settings)...)
	given, err := readSettings(settings)
	if err != nil {
		return nil, err
	}
	for i, e := range given {
		switch {
		case s.varies(e.key):
			return nil, fmt.Errorf("setting %q: rows of the sweep set this key", settings[i])
		case e.key == "seed" || e.key == "name" || e.key == "baseline":
			return nil, fmt.Errorf("setting %q: a sweep sets it for each run", settings[i])
		}
	}
	return append(base, given...), nil
}

func entriesOf(set []Setting) []entry {
	out := make([]entry, len(set))
	for i, s := range set {
		out[i] = entry{key: s.Key, value: s.read}
	}
	return out
}
