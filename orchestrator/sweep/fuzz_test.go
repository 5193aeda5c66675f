package sweep

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzStore: what a sweep's file tells of its runs, the current ones among them,
// is refused by its name, or can be tabulated, written and read as the same.
func FuzzStore(f *testing.F) {
	dir := f.TempDir()
	p, err := New(load(f, byHand), Options{})
	if err != nil {
		f.Fatal(err)
	}
	var runs []Entry
	for _, v := range p.variants {
		j := p.job(v, 1)
		runs = append(runs, Entry{Row: v.Name, Seed: 1, Hash: j.Config.Hash(), Threads: p.threads, MIoU: 0.25})
	}
	text, err := json.Marshal(map[string]any{"runs": runs})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(strings.ReplaceAll(string(text), `"miou":0.25`, `"miou":null`))
	f.Add(strings.ReplaceAll(string(text), `0.25`, `1e308`))
	f.Add(strings.ReplaceAll(string(text), `"seconds":0`, `"seconds":-1e308`))
	f.Add(`{"runs":null}`)
	f.Add(`{"runs":[{}]}`)
	path := filepath.Join(dir, "store.json")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		known, err := readStore(path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		table := p.tabulate(known)
		if err := table.print(io.Discard); err != nil {
			t.Error(err)
		}
		for _, r := range table.Rows {
			if mean := float64(r.Mean); mean < 0 || mean > 1 || math.IsInf(float64(r.Std), 0) {
				t.Errorf("row %s: %v ± %v", r.Name, r.Mean, r.Std)
			}
		}
		once, err := json.Marshal(table)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, once, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := readStore(path)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := json.Marshal(p.tabulate(again)); err != nil || string(twice) != string(once) {
			t.Errorf("read again it is %s, not %s: %v", twice, once, err)
		}
	})
}
