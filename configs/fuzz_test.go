package configs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"t2sda/internal/peaktest"
)

// configBound is how much memory reading a file of a configuration may take: the
// fixed part is what presets and defaults take, the other what a YAML node does.
func configBound(text string) uint64 { return 64<<20 + uint64(64<<10*len(text)) }

// writeFuzzed writes a file that a target reads.
func writeFuzzed(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// FuzzLoad: a configuration file is refused by its name, or is valid; what
// is written of it is read as the same configuration.
func FuzzLoad(f *testing.F) {
	for _, name := range Presets() {
		text, err := source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range []string{
		"extends: streets\nseed: 7\n", "extends: fuzzed.yaml\n", "extends: [a]\n", "relative_to: ..\nextends: streets\ndata: {cache: here}\n",
		"extends: streets\ndata: &d {<<: *d}\n", "extends: streets\ntrain: {<<: [{lr: 1e-3}, {lr: 2}]}\nloss: null\n",
		"extends: streets\ntranslate: {engine: {fda: 1, blur: 2}}\nmethod: {source: 1}\n", "a: &a [*a]\n", "? [a]\n: b\n",
		"--- a\n--- b\n", "\ufeffextends: streets\n", "extends: streets\ntrain: {iterations: 1_0e1, lr: 0x1p-2}\n", "!!binary YQ==: !!float 1\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := writeFuzzed(t, "fuzzed.yaml", text)
		peaktest.Bound(t, configBound(text), func() {
			c, err := Load(path, nil)
			if err != nil {
				if !strings.Contains(err.Error(), path) {
					t.Errorf("the error does not name the file: %v", err)
				}
				return
			}
			checkWritten(t, c)
		})
	})
}

// checkWritten writes a configuration and reads it back.
func checkWritten(t *testing.T, c Config) {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Errorf("loaded, but not valid: %v", err)
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(writeFuzzed(t, "written.yaml", string(text)), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if again.Hash() != c.Hash() {
		t.Errorf("written and read it has another hash:\n%s", text)
	}
}

// FuzzSetting: a setting of the command line is refused by its key, or by the configuration
// that it does not go together with, or changes a valid configuration to one that is
// written and read as the same.
func FuzzSetting(f *testing.F) {
	for _, s := range []string{
		"seed=7", "train.lr=1e-3", "data.source.include=[a*, 'b,c', \"d\"]", "translate.engine={fda: 1, blur: 2}", "method=source+mix",
		"data.source.include=[[ab]*", "name=x", "=", "Seed = 1", "train.iterations=1e400", "translate.engine=&a [*a]", "data.eval.exclude='",
		"runtime.threads=-1", "data.crop.width=1_0", "train.lr=0x10", "loss.delta=.5e-1", "method={source: 1}",
	} {
		f.Add(s)
	}
	base := writeBase(f)
	f.Fuzz(func(t *testing.T, setting string) {
		c, err := Load(base, []string{setting})
		if err != nil {
			key, _, _ := strings.Cut(setting, "=")
			quoted, text := strings.Trim(strconv.Quote(key), `"`), err.Error()
			if !strings.Contains(text, key) && !strings.Contains(text, quoted) && !strings.HasPrefix(text, "configuration "+base) {
				t.Errorf("the error names neither the setting %q nor, where settings do not go together, the configuration: %v", key, err)
			}
			return
		}
		checkWritten(t, c)
	})
}

func writeBase(f *testing.F) string {
	path := filepath.Join(f.TempDir(), "base.yaml")
	if err := os.WriteFile(path, []byte("extends: streets\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	return path
}

// FuzzSweep: a sweep file is refused by its name, or its rows are distinct and
// their configurations valid.
func FuzzSweep(f *testing.F) {
	for _, name := range Sweeps() {
		text, err := sweepSource(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range []string{
		"name: s\nconfig: streets\nseeds: [1]\ngrid: {loss.delta: [0.1, 0.2]}\n",
		"name: ../s\nconfig: streets\nseeds: [1, 1]\nrows: [{name: a, set: {}}]\n",
		"name: s\nconfig: fuzzed.yaml\nseeds: [1]\nrows: [{name: a, set: {seed: 1}}]\n",
		"name: s\nconfig: streets\nseeds: &a [*a]\nrows: *a\n",
		"name: s\nconfig: streets\nseeds: [1]\ngrid: {translate.engine: [&a {fda: *a}]}\n",
		"name: s\nconfig: streets\nseeds: [1]\nbaseline: a\noracle: b\nrows: [{name: a, set: {}}, {name: b, set: {train.lr: 1e-3}}]\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := writeFuzzed(t, "fuzzed.yaml", text)
		peaktest.Bound(t, configBound(text), func() {
			s, err := LoadSweep(path)
			if err != nil {
				if !strings.Contains(err.Error(), path) {
					t.Errorf("the error does not name the file: %v", err)
				}
				return
			}
			variants, err := s.Variants(nil)
			if err != nil {
				return
			}
			seen := map[string]bool{}
			for _, v := range variants {
				if seen[v.Name] {
					t.Errorf("row %q is there twice", v.Name)
				}
				seen[v.Name] = true
				if err := v.Config.Validate(); err != nil {
					t.Errorf("row %q: %v", v.Name, err)
				}
			}
		})
	})
}
