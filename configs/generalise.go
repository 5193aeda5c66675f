package configs

import (
	"cmp"
	"slices"
)

// weatherKinds lists the kinds of weather that exist.
var weatherKinds = []string{"brightness", "fog", "frost", "rain", "snow"}

// ranges lists what float images of networks may span.
var ranges = []string{"0..1", "-1..1", "0..255"}

// Resolved returns the settings with the severities that stand for 0.
func (w Weather) Resolved() Weather {
	w.SeverityMin = cmp.Or(w.SeverityMin, 1)
	w.SeverityMax = cmp.Or(w.SeverityMax, 5)
	return w
}

// referring lists the engines that look at a picture of the target, or of
// translate.styles in its place; onnx does if its model takes one.
var referring = []string{"adain", "fda", "onnx"}

// clearUnreadEngines empties settings of engines that are not used. (Those of engines
// that are older are part of every hash.)
func (t *Translate) clearUnreadEngines() {
	if !slices.ContainsFunc(referring, t.Engine.Use) {
		t.Styles = ""
	}
	if !t.Engine.Use("adain") {
		t.AdaIN = Network{}
	}
	if t.Engine.Use("weather") {
		t.Weather = t.Weather.Resolved()
	} else {
		t.Weather = Weather{}
	}
}

// validateWeather refuses unknown kinds and severities out of range.
func (v *validator) validateWeather(w Weather) {
	for _, kind := range w.Kinds {
		v.oneOf("translate.weather.kinds", kind, weatherKinds...)
	}
	w = w.Resolved()
	v.between("translate.weather.severity_min", w.SeverityMin, 1, 5)
	v.between("translate.weather.severity_max", w.SeverityMax, 1, 5)
	v.check("translate.weather.severity_max", w.SeverityMin <= w.SeverityMax, "is %g, below severity_min, %g", w.SeverityMax, w.SeverityMin)
}

// validateGeneralisation refuses what needs target images in a method that learns by
// the pull and has none.
func (c *Config) validateGeneralisation(v *validator) {
	m, l := c.method(), &c.Loss
	if !slices.Contains(m.terms, TermPull) || m.target {
		return
	}
	v.check("loss.pull.query_domain", l.Pull.QueryDomain != DomainTarget, "method %s has no target images", m.name)
	v.check("loss.pull.key_domain", l.Pull.KeyDomain != DomainTarget, "method %s has no target images", m.name)
	const other = "method %s has no target images, which %s needs: want another engine"
	v.check(enginesKey, !c.Translate.Engine.Use("camera"), other, m.name, "camera")
	for _, name := range []string{"adain", "fda"} {
		v.check(enginesKey, !c.Translate.Engine.Use(name) || c.Translate.Styles != "",
			other+", or translate.styles, a folder of pictures in their place", m.name, name)
	}
	v.check("loss.drw", l.DRW == "none", "method %s has no target images to weigh classes by: want none, have %q", m.name, l.DRW)
}

// usesEngine reports whether images are translated by one of the engines.
func (c *Config) usesEngine(names ...string) bool {
	return c.UsesPseudo() && slices.ContainsFunc(names, c.Translate.Engine.Use)
}
