package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// modulesOf lists the modules, or skips: those of other systems may be missing in the
// module cache, and not to be had without network.
func modulesOf(t *testing.T) []*module {
	t.Helper()
	modules, err := listModules(t.Context())
	if err != nil && strings.Contains(err.Error(), "go list") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return modules
}

// TestNotices: the committed file is that of the modules that the program is built from
// now. What Go's own licence says changes with the compiler, and comes last.
func TestNotices(t *testing.T) {
	have, err := os.ReadFile("../../THIRD_PARTY_NOTICES")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile("../../go.sum"); err != nil { // so that the test is run again when it changes
		t.Fatal(err)
	}
	cut := func(text []byte) string {
		before, _, _ := strings.Cut(string(text), rule+"\nGo's standard library")
		return before
	}
	if cut(have) != cut(noticesOf(modulesOf(t))) {
		t.Error("THIRD_PARTY_NOTICES is not of the modules in go.mod: run task notices")
	}
}

// TestLicences: what is in the program is known, and of nothing else.
func TestLicences(t *testing.T) {
	of := map[string]string{}
	for _, m := range modulesOf(t) {
		of[m.Path] = strings.Join(m.ids(), " ")
	}
	for path, want := range map[string]string{
		"github.com/golang/freetype": "FTL", "github.com/ajstarks/svgo": "CC-BY-4.0", "github.com/spf13/cobra": "Apache-2.0", "github.com/nlpodyssey/safetensors": "BSD-2-Clause",
		"codeberg.org/go-fonts/liberation": "BSD-3-Clause OFL-1.1", "github.com/inconshreveable/mousetrap": "Apache-2.0", stdlib: "BSD-3-Clause", "github.com/chromedp/chromedp": "",
	} {
		if of[path] != want {
			t.Errorf("%s: %q, want %q", path, of[path], want)
		}
	}
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004": "Apache-2.0", "GNU GENERAL PUBLIC LICENSE Version 3": "", "": "",
		"Redistribution and use in source and\nbinary forms": "BSD-2-Clause", "Redistribution and use in source and binary forms … endorse or promote": "BSD-3-Clause",
	} {
		if ids := strings.Join(grants(text), " "); ids != want {
			t.Errorf("%q: %q, want %q", text, ids, want)
		}
	}
}

// TestBill: the fields that the schema of CycloneDX 1.6 requires, in the form that it
// gives them; references that lead somewhere, each once.
func TestBill(t *testing.T) {
	text, err := billOf(modulesOf(t), "v1", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.SpecVersion != "1.6" || b.Version != 1 || b.Metadata.Timestamp != "1970-01-01T00:00:00Z" {
		t.Errorf("head %+v", b)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(b.Serial) {
		t.Errorf("serial number %q", b.Serial)
	}
	refs := []string{b.Metadata.Component.Ref}
	for _, c := range b.Components {
		if c.Name == "" || !slices.Contains([]string{"library", "machine-learning-model"}, c.Type) || len(c.Licenses) == 0 || slices.Contains(refs, c.Ref) {
			t.Errorf("component %+v", c)
		}
		for _, l := range c.Licenses {
			if (l.License.ID == "") == (l.License.Name == "") { // the schema wants one of them
				t.Errorf("%s: licence %+v", c.Name, l)
			}
		}
		for _, h := range c.Hashes {
			if h.Alg != "SHA-256" || len(h.Content) != 64 {
				t.Errorf("%s: hash %+v", c.Name, h)
			}
		}
		refs = append(refs, c.Ref)
	}
	for _, d := range b.Dependencies {
		for _, ref := range append(d.Need, d.Ref) {
			if !slices.Contains(refs, ref) {
				t.Errorf("%q leads nowhere", ref)
			}
		}
	}
	if need := b.Dependencies[0].Need; !slices.ContainsFunc(need, func(ref string) bool { return strings.HasPrefix(ref, "pkg:golang/github.com/yalue/onnxruntime_go@") }) {
		t.Errorf("the program needs %v", need)
	}
}
