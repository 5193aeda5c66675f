package configs

import (
	"path/filepath"
	"strings"
)

// validateSuffixes wants ends of file names, or patterns of them.
func (c *Config) validateSuffixes(v *validator) {
	for _, s := range []struct{ field, value string }{
		{"data.source.image_suffix", c.Data.Source.ImageSuffix},
		{"data.source.label_suffix", c.Data.Source.LabelSuffix},
		{"data.target.image_suffix", c.Data.Target.ImageSuffix},
		{"data.target.label_suffix", c.Data.Target.LabelSuffix},
		{"data.eval.image_suffix", c.Data.Eval.ImageSuffix},
		{"data.eval.label_suffix", c.Data.Eval.LabelSuffix},
	} {
		_, err := filepath.Match(s.value, "")
		v.check(s.field, err == nil && !strings.Contains(s.value, "/"), "want how file names end, such as _rgb_anon or _beta_*, have %q", s.value)
	}
}
