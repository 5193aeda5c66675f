package configs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func writeSweep(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// rowHash is the hash of a row of an embedded sweep, with its first seed.
func rowHash(t *testing.T, sweep, row string) string {
	t.Helper()
	s, err := LoadSweep(sweep)
	if err != nil {
		t.Fatal(err)
	}
	variants, err := s.Variants(nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(variants, func(v Variant) bool { return v.Name == row })
	if i < 0 {
		t.Fatalf("%s has no row %q", sweep, row)
	}
	return variants[i].Config.Hash()
}

// TestEmbeddedSweeps: all of the program's sweeps parse, and all of their
// configurations are valid and differ.
func TestEmbeddedSweeps(t *testing.T) {
	for _, name := range []string{"CAMVID_ROOT", "GTA5_ROOT", "SYNTHIA_ROOT", "CITYSCAPES_ROOT", "STYLES_ROOT", "STYLE_TRANSFER_ONNX", "ADAIN_ONNX"} {
		t.Setenv(name, t.TempDir())
	}
	paper := rowHash(t, "methods-streets", "t2s as in the paper")
	for _, name := range Sweeps() {
		s, err := LoadSweep(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.Name != name || s.Title == "" || s.Baseline == "" {
			t.Errorf("%s: name %q, title %q, baseline %q", name, s.Name, s.Title, s.Baseline)
		}
		variants, err := s.Variants(nil)
		if err != nil {
			t.Error(err)
		}
		if len(variants) != s.Len() {
			t.Errorf("%s: %d rows, %d variants", name, s.Len(), len(variants))
		}
		hashes := map[string]string{}
		for _, v := range variants {
			if other, ok := hashes[v.Config.Hash()]; ok {
				t.Errorf("%s: rows %q and %q are the same", name, other, v.Name)
			}
			hashes[v.Config.Hash()] = v.Name
			if v.Config.Baseline || v.Config.Runtime.Threads != 1 {
				t.Errorf("%s: row %q has a baseline (%v) or %d threads", name, v.Name, v.Config.Baseline, v.Config.Runtime.Threads)
			}
		}
		known := []string{presetHash(t, s.Config)}
		if s.Config == "streets" {
			known = append(known, paper)
		}
		if !slices.ContainsFunc(variants, func(v Variant) bool { return slices.Contains(known, v.Config.Hash()) }) && name != "band" { // FDA's window means nothing to the preset's engine
			t.Errorf("%s has neither a row of the preset as it is nor of the paper's form of it, which other sweeps share", name)
		}
	}
	if n := len(Sweeps()); n < 10 {
		t.Errorf("%d sweeps", n)
	}
	// Rows with masked images on HRDA are the presets of MIC.
	for _, data := range []string{"gta5", "synthia"} {
		s, err := LoadSweep("paper-" + data + "-hrda")
		if err != nil {
			t.Fatal(err)
		}
		variants, err := s.Variants(nil)
		if err != nil {
			t.Fatal(err)
		}
		k := slices.IndexFunc(variants, func(v Variant) bool { return v.Name == "t2s+mask" })
		if k < 0 || variants[k].Config.Hash() != presetHash(t, data+"-cityscapes-mic") {
			t.Errorf("%s: row %d, t2s+mask, is not the preset of MIC", s.Name, k)
		}
	}
}

func presetHash(t *testing.T, preset string) string {
	t.Helper()
	c, err := Load(preset, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Hash()
}

// TestVariants: rows × grid, the last key fastest; the sweep's settings lie under
// those of the command line, and both under the row's.
func TestVariants(t *testing.T) {
	s, err := LoadSweep(writeSweep(t, `
name: s
config: streets
settings: {train.lr: 0.5, train.batch: 3, train.ema: 0.9}
seeds: [7, 8]
baseline: b weight=1 tau=0.1
rows:
  - {name: a, set: {method: source-only, train.ema: 0.8}}
  - {name: b}
grid:
  loss.pull.weight: [0.5, 1]
  loss.pull.tau: [0.1, 0.2]
`))
	if err != nil {
		t.Fatal(err)
	}
	variants, err := s.Variants([]string{"train.batch=4"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range variants {
		names = append(names, v.Name)
	}
	want := "a weight=0.5 tau=0.1, a weight=0.5 tau=0.2, a weight=1 tau=0.1, a weight=1 tau=0.2, b weight=0.5 tau=0.1, b weight=0.5 tau=0.2, b weight=1 tau=0.1, b weight=1 tau=0.2"
	if have := strings.Join(names, ", "); have != want {
		t.Errorf("have %s\nwant %s", have, want)
	}
	a, b := variants[1].Config, variants[6].Config
	if a.Method != SourceOnly || a.Train.EMA != 0.8 || a.Loss.Pull.Weight != 0.5 || a.Loss.Pull.Tau != 0.2 || variants[1].Of != "a" {
		t.Errorf("have %+v", a)
	}
	if b.Method != T2S || b.Train.EMA != 0.9 || b.Train.LR != 0.5 || b.Train.Batch != 4 || b.Loss.Pull.Weight != 1 || b.Seed != 7 {
		t.Errorf("have %+v", b)
	}
	// Source-only does not read what the grid sets: one run.
	if variants[0].Config.Hash() != variants[3].Config.Hash() {
		t.Error("runs that learn the same have different hashes")
	}
	if s.Curve() != "" {
		t.Errorf("two keys make a curve over %q", s.Curve())
	}
}

func TestCurve(t *testing.T) {
	for _, c := range []struct{ grid, want string }{
		{"loss.pull.tau: [0.1, 1]", "loss.pull.tau"},
		{"loss.pull.tau: [0.1]", ""},
		{"loss.pull.mean: [class, pair]", ""},
		{"train.batch: [1, 2]\n  data.streets.seed: [1, 2]", ""},
	} {
		s, err := LoadSweep(writeSweep(t, "name: s\nconfig: streets\nseeds: [1]\ngrid:\n  "+c.grid))
		if err != nil {
			t.Fatal(err)
		}
		variants, err := s.Variants(nil)
		if err != nil || s.Curve() != c.want || c.want != "" && (variants[0].X != 0.1 || variants[1].X != 1) {
			t.Errorf("%s: a curve over %q, want %q; %v", c.grid, s.Curve(), c.want, err)
		}
	}
}

// TestShortKeys: keys of the grid that end alike are told apart, and a value may
// be a list.
func TestShortKeys(t *testing.T) {
	s, err := LoadSweep(writeSweep(t, `
name: s
config: streets
seeds: [1]
grid:
  data.streets.size.width: [64]
  data.crop.width: [32]
  data.source.include: [["a*", "b*"], []]
`))
	if err != nil {
		t.Fatal(err)
	}
	variants, err := s.Variants(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := `data.streets.size.width=64 data.crop.width=32 include=["a*", "b*"]`; variants[0].Name != want || !slices.Equal(variants[0].Config.Data.Source.Include, []string{"a*", "b*"}) {
		t.Errorf("have %s, %v", variants[0].Name, variants[0].Config.Data.Source.Include)
	}
}

func TestBadSweeps(t *testing.T) {
	const head = "name: s\nconfig: streets\nseeds: [1, 2]\n"
	const row = "rows: [{name: a}]\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "s.yaml: the file is empty"},
		{"no mapping", "[1]", "line 1: want key: value pairs"},
		{"unknown key", head + "row: []", `s.yaml: line 4: unknown key "row" (did you mean rows?)`},
		{"far key", head + "something: 1", `line 4: unknown key "something"`},
		{"unknown key of a row", head + "rows: [{name: a, sets: {}}]", `rows: line 4: unknown key "[0].sets" (did you mean set?)`},
		{"twice", head + row + row, `key "rows" is there twice`},
		{"unknown setting", head + row + "settings: {loss.pull.wieght: 1}", "settings: loss.pull.wieght: line 5: no such key (did you mean loss.pull.weight?)"},
		{"section forgotten", head + "rows: [{name: a, set: {tau: 1}}]", "set: tau: line 4: no such key (did you mean loss.contrast.tau or loss.pull.tau or loss.regions.tau?)"},
		{"unknown grid key", head + "grid: {loss.tau: [1]}", "did you mean loss.contrast.tau or loss.pull.tau or loss.regions.tau?"},
		{"no list", head + "grid: {loss.pull.tau: 1}", "grid: loss.pull.tau: line 4: want a list of values"},
		{"value twice", head + "grid: {loss.pull.tau: [1, 1]}", "value 1 is there twice"},
		{"rows are no list", head + "rows: {a: 1}", "rows: want a list of {name"},
		{"no name", "config: streets\nseeds: [1]\n" + row, "name: want the name of a file"},
		{"no config", "name: s\nseeds: [1]\n" + row, "config: is empty"},
		{"no seeds", "name: s\nconfig: streets\n" + row, "seeds: is empty"},
		{"bad seed", "name: s\nconfig: streets\nseeds: [-1]\n" + row, "seeds: "},
		{"seed twice", "name: s\nconfig: streets\nseeds: [1, 1]\n" + row, "seeds: 1 is there twice"},
		{"no rows", head, "neither rows nor a grid"},
		{"nameless row", head + "rows: [{set: {train.lr: 1}}]", "rows[0]: has no name"},
		{"row twice", head + "rows: [{name: a}, {name: a}]", `row "a" is there twice`},
		{"baseline", head + "rows: [{name: none}]\nbaseline: nine", `baseline: there is no row "nine" (did you mean none?)`},
		{"oracle", head + "rows: [{name: none}]\nbaseline: none\noracle: nine", `oracle: there is no row "nine" (did you mean none?)`},
		{"oracle alone", head + "rows: [{name: none}]\noracle: none", "oracle: a gap lies between two rows"},
		{"seed as a setting", head + row + "settings: {seed: 3}", "settings: seed cannot be set here"},
		{"threads of a row", head + "rows: [{name: a, set: {runtime.threads: 2}}]", "a: runtime.threads must be the same for all runs"},
		{"grid over a setting", head + "settings: {train.lr: 1}\ngrid: {train.lr: [1]}", "settings: train.lr is a key of the grid, too"},
	} {
		_, err := LoadSweep(writeSweep(t, c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: have %v\nwant … %s", c.name, err, c.want)
		}
	}
	if _, err := LoadSweep("table99"); err == nil || !strings.Contains(err.Error(), "neither one of the program's (alpha, ") {
		t.Errorf("have %v", err)
	}
}

// TestBadVariants: every row that is wrong is named.
func TestBadVariants(t *testing.T) {
	s, err := LoadSweep(writeSweep(t, `
name: s
config: streets
seeds: [1]
rows:
  - {name: a, set: {loss.pull.tau: -1}}
  - {name: b, set: {method: magic}}
  - {name: c}
`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Variants(nil)
	for _, want := range []string{`s.yaml: row "a": configuration streets: loss.pull.tau: want > 0`, `row "b": configuration streets: method: want one of`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v\nwant … %s", err, want)
		}
	}
	for setting, want := range map[string]string{
		"loss.pull.tau=1": "rows of the sweep set this key",
		"seed=4":          "a sweep sets it for each run",
		"bogus=4":         "no such key",
	} {
		if _, err := s.Variants([]string{setting}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: have %v, want %s", setting, err, want)
		}
	}
}

// TestConfigBesideTheSweep: a file is looked for beside the sweep's.
func TestConfigBesideTheSweep(t *testing.T) {
	path := writeSweep(t, "name: s\nconfig: own.yaml\nseeds: [1]\nrows: [{name: a}]\n")
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "own.yaml"), []byte("extends: streets\ntrain: {batch: 5}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := LoadSweep(path)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.Variants(nil); err != nil || v[0].Config.Train.Batch != 5 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"kitten", "sitting", 3}, {"tau", "tau", 0}, {"wieght", "weight", 1}, {"ca", "abc", 3}, {"row", "rows", 1}} {
		if d, back := editDistance(c.a, c.b), editDistance(c.b, c.a); d != c.want || back != c.want {
			t.Errorf("%s to %s: %d and %d back, want %d", c.a, c.b, d, back, c.want)
		}
	}
	if n := nearest("moon", []string{"sun", "stars"}); n != "" {
		t.Errorf("moon is like %q", n)
	}
}

// TestRowsOfOneRun: rows that results are not kept apart by are refused; equal ones may share a run.
func TestRowsOfOneRun(t *testing.T) {
	const head = "name: s\nconfig: streets\nseeds: [1]\n"
	for text, want := range map[string]string{
		"grid: {runtime.precision: [fp32, tf32, bf16]}":                                                         `rows "precision=fp32" and "precision=tf32" are one run: what they differ in (runtime.precision=fp32; runtime.precision=tf32) is no part`,
		"rows: [{name: a}, {name: b, set: {runtime.device: cuda}}]":                                             `rows "a" and "b" are one run: what they differ in (runtime.device=cuda) is no part`,
		"grid: {runtime.precision: [tf32, bf16, fp16]}":                                                         "",
		"rows: [{name: a, set: {method: source-only}}, {name: b, set: {method: source-only, loss.delta: 0.1}}]": "",
		"rows: [{name: a, set: {runtime.device: cpu}}, {name: b, set: {runtime.device: cpu, train.lr: 1}}]":     "",
	} {
		s, err := LoadSweep(writeSweep(t, head+text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Variants(nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
