package configs

import (
	"maps"
	"math"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestEnginesInBothForms(t *testing.T) {
	for text, want := range map[string]struct {
		engines Engines
		form    string
	}{
		"jitter":               {Engines{"jitter": 1}, "jitter"},
		"{fda: 1, blur: 2}":    {Engines{"fda": 1, "blur": 2}, "{blur: 2, fda: 1}"},
		"{fda: 0.25}":          {Engines{"fda": 0.25}, "fda"},
		"{fda: 0, jitter: 1}":  {Engines{"fda": 0, "jitter": 1}, "jitter"},
		"{none: 1e-3, fda: 1}": {Engines{"none": 1e-3, "fda": 1}, "{fda: 1, none: 0.001}"},
	} {
		for name, load := range map[string]func() (Config, error){
			"setting": func() (Config, error) { return Load("streets", []string{"translate.engine=" + text}) },
			"file": func() (Config, error) {
				return Load(write(t, "c.yaml", "extends: streets\ntranslate: {engine: "+text+"}"), nil)
			},
			"over a mix": func() (Config, error) {
				base := write(t, "base.yaml", "extends: streets\ntranslate:\n  engine: {fda: 3, none: 7, blur: 1, jitter: 2}\n")
				return Load(write(t, "c.yaml", "extends: "+base+"\ntranslate: {engine: "+text+"}"), nil)
			},
			"over a mix by a setting": func() (Config, error) {
				return Load(write(t, "base.yaml", "extends: streets\ntranslate: {engine: {fda: 3, none: 7}}"), []string{"translate.engine=" + text})
			},
		} {
			c, err := load()
			if err != nil || !maps.Equal(c.Translate.Engine, want.engines) || c.Translate.Engine.String() != want.form {
				t.Errorf("%s by %s: %v, %v", text, name, c.Translate.Engine, err)
			}
		}
	}
	for _, preset := range []string{"gta5-cityscapes", "gta5-cityscapes-r101", "gta5-cityscapes-dinov2", "synthia-cityscapes", "synthia-cityscapes-r101", "synthia-cityscapes-dinov2"} { // the paper's
		if c, err := Read(preset); err != nil || c.Translate.Engine.String() != "fda" {
			t.Errorf("%s: the engine is %v, %v", preset, c.Translate.Engine, err)
		}
	}
	if e := Default().Translate.Engine; !maps.Equal(e, Engines{"fda": 1}) {
		t.Errorf("Default was changed to %v", e)
	}
}

// What YAML writes, Load reads back; one engine is its name, as it always was.
func TestEnginesRoundTrip(t *testing.T) {
	for text, line := range map[string]string{
		"jitter":                       "engine: jitter\n",
		"{fda: 2}":                     "engine: fda\n",
		"{blur: 0.5, fda: 2, none: 0}": "engine: {blur: 0.5, fda: 2}\n",
	} {
		c, err := Load("streets", []string{"translate.engine=" + text})
		if err != nil {
			t.Fatal(err)
		}
		file, err := c.YAML()
		if err != nil || !strings.Contains(string(file), line) {
			t.Errorf("%s is written as\n%s%v", text, file, err)
		}
		back, err := Load(write(t, "run.yaml", string(file)), nil)
		if err != nil || back.Hash() != c.Hash() || back.Translate.Engine.String() != c.Translate.Engine.String() {
			t.Errorf("%s is read back as %v, %v", text, back.Translate.Engine, err)
		}
	}
}

// Hashes of runs from before there were several engines hold: what the hash is
// made of is as it was, also where the method reads no engine.
func TestEnginesHash(t *testing.T) {
	for _, c := range []struct {
		engines Engines
		want    string
	}{{nil, "engine: \"\"\n"}, {Engines{"fda": 1}, "engine: fda\n"}} {
		text, err := yaml.Marshal(Translate{Engine: c.engines})
		if err != nil || !strings.HasPrefix(string(text), c.want) {
			t.Errorf("%v is written as %s, %v", c.engines, text, err)
		}
	}
	a, b := Default(), Default()
	b.Translate.Engine = Engines{"fda": 1, "blur": 1}
	if a.Hash() == b.Hash() {
		t.Error("another mix has the same hash")
	}
}

func TestBadEngines(t *testing.T) {
	const names = "want an engine (one of "
	for text, want := range map[string]string{
		"gan":                       names,
		"gan2":                      `as in {fda: 1, blur: 2}; have "gan2"`,
		"{fda: 1, gan: 1}":          `have "gan"`,
		"{fda: 1, gan: 0}":          `have "gan"`,
		"{fda: -1, blur: 2}":        "fda: want a weight of 0 or more, have -1",
		"{fda: .nan}":               "fda: as weight want a number, have .nan",
		"{fda: .inf}":               "fda: as weight want a number, have .inf",
		"{fda: true}":               "fda: as weight want a number, have true",
		"{fda: 1, fda: 2}":          `key "fda" is there twice`,
		"{fda: 1e308, blur: 1e308}": "the weights sum to infinity",
		"{fda: 0, blur: 0}":         "the weights of blur, fda are all 0",
		"{}":                        names,
		"":                          "have nothing",
		"[fda, blur]":               "have a list",
		"3":                         `have "3"`,
		"{fda: much}":               "fda: as weight want a number, have much",
		"{fda: {share: 1}}":         "fda: as weight want a number, have key: value pairs",
		"{1: 2}":                    names,
	} {
		_, err := Load("streets", []string{"translate.engine=" + text})
		if err == nil || !strings.Contains(err.Error(), "translate.engine") || !strings.Contains(err.Error(), want) {
			t.Errorf("setting %s: have %v, want … %s", text, err, want)
		}
		_, err = Load(write(t, "c.yaml", "extends: streets\ntranslate:\n  engine: "+text), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("file with %s: have %v, want … %s", text, err, want)
		}
		if _, err := ParseEngines(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parsing %s: have %v, want … %s", text, err, want)
		}
	}
	if _, err := Load("streets", []string{"translate.engine.fda=1"}); err == nil || !strings.Contains(err.Error(), "no such key") {
		t.Errorf("a weight by its own key: %v", err)
	}
	if _, err := Load("streets", []string{"method=generalise", "loss.drw=none", "translate.engine={fda: 1, blur: 9}"}); err == nil ||
		!strings.Contains(err.Error(), "translate.engine: method generalise has no target images, which fda needs") {
		t.Errorf("a mix that needs target images: %v", err)
	}
	if e := (Engines{"fda": math.NaN()}); !e.Use("fda") {
		t.Error("a weight that is no number must not be overlooked")
	}
}
