package sweep

import (
	"os"
	"strings"
	"testing"

	"t2sda/internal/atomicfile"
	"t2sda/internal/faulttest"
)

// TestEveryFaultOfATable writes a table over an older one with each operation failing in
// each way: of its files each is the old one or the new one, whole, and the error names
// what failed.
func TestEveryFaultOfATable(t *testing.T) {
	p := plan(t, load(t, byHand), Options{})
	old, changed := &store{}, &store{}
	p.put(t, old, "base", 1, 0.30, 10, "")
	p.put(t, changed, "base", 1, 0.30, 10, "")
	p.put(t, changed, "better", 1, 0.32, 20, "")
	files := func() (all [3]string) {
		t.Helper()
		for i, ext := range []string{".json", ".md", ".png"} {
			text, err := os.ReadFile(p.path(ext))
			if err != nil {
				t.Fatal(err)
			}
			all[i] = string(text)
		}
		return all
	}
	of := func(s *store) [3]string {
		t.Helper()
		p.out = t.TempDir()
		if err := p.write(atomicfile.Disk{}, p.tabulate(s)); err != nil {
			t.Fatal(err)
		}
		return files()
	}
	before, after := of(old), of(changed)
	for _, k := range faulttest.Kinds {
		for n := 0; ; n++ {
			p.out = t.TempDir()
			for i, ext := range []string{".json", ".md", ".png"} {
				if err := os.WriteFile(p.path(ext), []byte(before[i]), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s := faulttest.New(k, n)
			err := p.write(atomicfile.On(s), p.tabulate(changed))
			if s.Hit == nil {
				break
			}
			if err == nil || !strings.Contains(err.Error(), p.path("")) {
				t.Errorf("%s, %v: %v", k.Name, s.Hit, err)
			}
			for i, have := range files() {
				if have != before[i] && have != after[i] {
					t.Errorf("%s, %v: file %d is neither the old one nor the new one", k.Name, s.Hit, i)
				}
			}
			if known, err := readStore(p.path(".json")); err != nil || len(known.runs) == 0 {
				t.Errorf("%s, %v: %v", k.Name, s.Hit, err)
			}
		}
	}
}
