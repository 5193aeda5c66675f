package configs

import (
	"strings"
	"testing"
)

// TestHashOfEngines: settings of the newer engines enter the hash where the engine is
// used, and where they change anything.
func TestHashOfEngines(t *testing.T) {
	for _, c := range []struct {
		name    string
		engines Engines
		set     func(t *Translate)
		changes bool
	}{
		{"weather's kinds", Engines{"weather": 1, "fda": 1}, func(t *Translate) { t.Weather.Kinds = []string{"fog"} }, true},
		{"weather's severity", Engines{"weather": 1}, func(t *Translate) { t.Weather.SeverityMax = 3 }, true},
		{"weather's severity, as it is", Engines{"weather": 1}, func(t *Translate) { t.Weather.SeverityMin, t.Weather.SeverityMax = 1, 5 }, false},
		{"weather of none", Engines{"fda": 1}, func(t *Translate) { t.Weather = Weather{Kinds: []string{"fog"}, SeverityMin: 2} }, false},
		{"styles", Engines{"fda": 1}, func(t *Translate) { t.Styles = "s" }, true},
		{"styles of AdaIN", Engines{"adain": 1}, func(t *Translate) { t.Styles = "s" }, true},
		{"styles of none", Engines{"weather": 1, "cartoon": 1}, func(t *Translate) { t.Styles = "s" }, false},
		{"AdaIN", Engines{"adain": 1, "fda": 1}, func(t *Translate) { t.AdaIN.Model = "m" }, true},
		{"AdaIN of none", Engines{"fda": 1}, func(t *Translate) { t.AdaIN = Network{Model: "m", Range: "0..1"} }, false},
	} {
		a := Default()
		a.Translate.Engine = c.engines
		b := a
		c.set(&b.Translate)
		if changes := a.Hash() != b.Hash(); changes != c.changes {
			t.Errorf("%s changes the hash: %t", c.name, changes)
		}
		if a.Translate.Weather.SeverityMin != 0 {
			t.Errorf("%s: taking the hash changed the configuration", c.name)
		}
	}
}

// TestGeneralisePresets: preset gta5-dg is the paper's run less all of the target, with
// five engines, and what engines that are left out need, need not be there.
func TestGeneralisePresets(t *testing.T) {
	t.Setenv("GTA5_ROOT", "g")
	t.Setenv("CITYSCAPES_ROOT", "c")
	_, err := Load("gta5-dg", nil)
	for _, want := range []string{"STYLES_ROOT", "STYLE_TRANSFER_ONNX", "ADAIN_ONNX"} {
		if err == nil || !strings.Contains(err.Error(), "environment variable "+want+" is not set") {
			t.Errorf("have %v, want … %s", err, want)
		}
	}
	if _, err := Load("gta5-dg", []string{"translate.engine={weather: 1, cartoon: 1}"}); err != nil {
		t.Error(err)
	}
	t.Setenv("STYLES_ROOT", "styles")
	if _, err := Load("gta5-dg", []string{"translate.engine={fda: 1, weather: 1, cartoon: 1}"}); err != nil {
		t.Error(err)
	}
	t.Setenv("STYLE_TRANSFER_ONNX", "b.onnx")
	t.Setenv("ADAIN_ONNX", "c.onnx")
	c, err := Load("gta5-dg", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.UsesTarget() || c.UsesMix() || !c.UsesPull() || c.Loss.Pull.Weight != 0.1 || c.Loss.DRW != "none" || c.CEDomain() != DomainSource {
		t.Errorf("%+v", c.Loss)
	}
	if e := c.Translate.Engine.String(); e != "{adain: 1, cartoon: 1, fda: 1, onnx: 1, weather: 1}" {
		t.Errorf("engines %s", e)
	}
	small, err := Load("streets-dg", nil)
	if err != nil || small.UsesTarget() {
		t.Errorf("streets-dg: %v", err)
	}
	base, err := Load("streets", []string{"method=source-only"})
	if err != nil {
		t.Fatal(err)
	}
	small.Method = SourceOnly
	if small.Hash() != base.Hash() {
		t.Error("source-only is not that of streets, of which results may be known")
	}
}
