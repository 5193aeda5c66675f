package configs

import (
	"strings"
	"testing"
)

// Suffixes of names are read, checked and part of what is learned; without them a
// configuration's hash is what it was before there were any, as tables of results
// are keyed by it.
func TestSuffixes(t *testing.T) {
	base, err := Load("streets", nil)
	if err != nil {
		t.Fatal(err)
	}
	if have, want := base.Hash(), "6b75311e681a9945"; have != want {
		t.Errorf("streets has hash %s, it had %s", have, want)
	}
	c, err := Load("streets", []string{"data.target.image_suffix=_rgb_anon", "data.eval.label_suffix=_gt_*.png"})
	if err != nil || c.Data.Target.ImageSuffix != "_rgb_anon" || c.Data.Eval.LabelSuffix != "_gt_*.png" {
		t.Fatalf("%+v, %v", c.Data, err)
	}
	if c.Hash() == base.Hash() {
		t.Error("suffixes do not enter the hash")
	}
	for setting, want := range map[string]string{
		"data.source.image_suffix=a/b": "data.source.image_suffix: want how file names end",
		"data.eval.label_suffix=_[":    "data.eval.label_suffix: want how file names end",
	} {
		if _, err := Load("streets", []string{setting}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
