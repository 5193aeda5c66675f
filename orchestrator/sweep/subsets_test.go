package sweep

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/datasets"
	"t2sda/export/score"
	"t2sda/internal/atomicfile"
	"t2sda/internal/raster"
	"t2sda/orchestrator"
)

// scored is an evaluation of Cityscapes' classes, of which the last never occurs, and its
// means over the list's subsets.
func scored(t *testing.T) *score.Result {
	t.Helper()
	m, err := datasets.LoadLabelMap("cityscapes")
	if err != nil {
		t.Fatal(err)
	}
	truth, prediction := raster.NewLabels(97, 13), raster.NewLabels(97, 13)
	for i := range truth.Pix {
		truth.Pix[i], prediction.Pix[i] = uint8(i%18), uint8(i%18)
		if i%7 < 3 {
			prediction.Pix[i] = uint8(i / 5 % 18)
		}
	}
	names := m.Space().Names()
	c := score.NewConfusion(len(names))
	if err := c.Add(truth, prediction); err != nil {
		t.Fatal(err)
	}
	r := score.NewResult(names, c)
	for _, g := range m.Grouping().Subsets {
		r.Subsets = append(r.Subsets, score.SubsetResult{Name: g.Name, MIoU: score.Score(c.MeanIoU(g.Classes...))})
	}
	return r
}

const overSubsets = byHand + "subsets: [synthia-13, synthia-16]\n"

// TestSubsetsOfKnownRuns: a file that gets subsets after its runs were trained has their
// means, which are the evaluation's to the last bit, and trains nothing.
func TestSubsetsOfKnownRuns(t *testing.T) {
	dir, r := t.TempDir(), scored(t)
	before := plan(t, load(t, byHand), Options{Out: dir, Seeds: []uint{1}})
	s := &store{}
	for _, j := range before.jobs {
		s.put(before.entryOf(j, orchestrator.JobResult{Outcome: &orchestrator.Outcome{Result: r, Seconds: 10}}))
	}
	text, err := json.Marshal(before.tabulate(s))
	if err != nil || bytes.Contains(text, []byte("subsets")) {
		t.Fatalf("%v: %s", err, text)
	}
	if err := os.WriteFile(before.path(".json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	after := plan(t, load(t, overSubsets), Options{Out: dir, Seeds: []uint{1}, Settings: []string{"output=" + t.TempDir()}})
	var out bytes.Buffer
	table, err := after.Run(t.Context(), quiet(&out))
	if err != nil || !strings.Contains(out.String(), "3 of 3 runs are in ") {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	for _, e := range table.Runs {
		for _, want := range r.Subsets {
			if have := e.Subsets[want.Name]; have != want.MIoU || math.IsNaN(float64(have)) || have == r.MIoU {
				t.Errorf("%s: %v over %s, the evaluation has %v", e.Row, float64(have), want.Name, float64(want.MIoU))
			}
		}
	}
	first := r.Subsets[slices.IndexFunc(r.Subsets, func(s score.SubsetResult) bool { return s.Name == "synthia-13" })]
	if table.Rows[0].Mean != first.MIoU {
		t.Errorf("have %+v", table.Rows[0])
	}
}

// TestBadSubsets: names that a row's classes do not have are found before anything is
// trained.
func TestBadSubsets(t *testing.T) {
	classes := filepath.Join(t.TempDir(), "two.yaml")
	if err := os.WriteFile(classes, []byte("classes: [{name: a, ids: [1]}, {name: b, ids: [2]}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{byHand + "subsets: [synthia-61]", `sweep s: row "better": subsets: the row's list of classes has no subset "synthia-61" (did you mean synthia-16?): it has synthia-16, synthia-13`},
		{overSubsets + "settings: {data.eval.map: " + classes + "}", `sweep s: row "better": subsets: "synthia-13": the row's list of classes has no subsets`},
		{overSubsets + "settings: {data.eval.map: " + classes + ".gone.yaml}", `sweep s: row "better": data.eval.map: `},
		{overSubsets + "settings: {data.eval.layout: idd}", `sweep s: row "better": data.eval.map: subsets are of a list of classes: name the label map`},
	} {
		if _, err := New(load(t, c.text), Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("have %v\nwant %s", err, c.want)
		}
	}
}

// TestRunsWithoutASubset: a run that was not scored over all of a subset's classes keeps
// what it reached and is to be trained; so is one that failed.
func TestRunsWithoutASubset(t *testing.T) {
	p := plan(t, load(t, overSubsets), Options{Out: t.TempDir(), Seeds: []uint{1}, Jobs: 1})
	r := scored(t)
	r.Classes = r.Classes[1:] // road is in both
	whole := scored(t)
	s := &store{}
	for i, result := range []*score.Result{r, whole} {
		s.put(p.entryOf(p.jobs[i], orchestrator.JobResult{Outcome: &orchestrator.Outcome{Result: result, Seconds: 10}}))
	}
	p.put(t, s, "gone", 1, math.NaN(), 3e9, "no\ndisk")
	partial := s.runs[0]
	if partial.Error != "" || partial.MIoU != r.MIoU || partial.Seconds != 10 || len(partial.IoU) != 18 || partial.Subsets != nil {
		t.Errorf("have %+v", partial)
	}
	text, err := json.Marshal(p.tabulate(s))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path(".json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`to be trained; the last time: it was scored, but not over all classes that subset "synthia-13" has now`,
		" % in " + p.path(".json"),
		"to be trained; the last time: no disk\n",
		"3 runs, 2 to be trained, up to ", "estimated time: 20s\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed no %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "–") {
		t.Errorf("a run without a score is told as one that is there:\n%s", out.String())
	}
	if err := p.failed(s); err == nil || !strings.Contains(err.Error(), "row better seed 1 failed: it was scored, but not over") {
		t.Errorf("have %v", err)
	}
}

// TestSubsetsBeside: where a run's own figures lack a class of a subset, those of another table count.
func TestSubsetsBeside(t *testing.T) {
	p := plan(t, load(t, overSubsets), Options{Out: t.TempDir(), Seeds: []uint{1}})
	whole := scored(t)
	lacking := scored(t)
	lacking.Classes = lacking.Classes[1:]
	for name, r := range map[string]*score.Result{p.path(".json"): lacking, p.path("-beside.json"): whole} {
		s := &store{}
		s.put(p.entryOf(p.jobs[0], orchestrator.JobResult{Outcome: &orchestrator.Outcome{Result: r, Seconds: 10}}))
		text, err := json.Marshal(p.tabulate(s))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	known, err := p.read()
	if err != nil {
		t.Fatal(err)
	}
	if e := known.find(p.jobs[0].Config.Hash(), p.threads); !e.settled(p.sweep.Subsets) || len(e.IoU) != len(whole.Classes) || e.from != p.path("-beside.json") || len(known.runs) != 1 {
		t.Errorf("have %+v", e)
	}
}

// TestFailuresKeepFigures: an entry with figures outlives a run of it that fails; what
// failed is replaced.
func TestFailuresKeepFigures(t *testing.T) {
	s := &store{}
	put := func(miou score.Score, failure string) *Entry {
		s.put(Entry{Hash: "a", Threads: 1, MIoU: miou, Error: failure})
		return s.find("a", 1)
	}
	if e := put(missing, "no disk"); e.Error != "no disk" {
		t.Errorf("have %+v", e)
	}
	if e := put(missing, "no memory"); e.Error != "no memory" {
		t.Errorf("have %+v", e)
	}
	if e := put(0.5, ""); e.MIoU != 0.5 || e.Error != "" {
		t.Errorf("have %+v", e)
	}
	if e := put(missing, "no disk"); e.MIoU != 0.5 || e.Error != "" {
		t.Errorf("have %+v", e)
	}
	if e := put(0.6, ""); e.MIoU != 0.6 || len(s.runs) != 1 {
		t.Errorf("have %+v", e)
	}
	if (*Entry)(nil).settled(nil) {
		t.Error("what is not there is settled")
	}
}

// TestSubsetOfOneRun: a deviation is of the runs that have a mean over the subset, not of
// all of the row's.
func TestSubsetOfOneRun(t *testing.T) {
	p := plan(t, load(t, overSubsets), Options{})
	s := &store{}
	for seed, subsets := range []map[string]score.Score{{"synthia-13": 0.4, "synthia-16": 0.3}, {"synthia-13": 0.6}} {
		p.put(t, s, "base", uint64(seed+1), 0.5, 10, "")
		s.runs[seed].Subsets = subsets
	}
	table := p.tabulate(s)
	base := table.Rows[table.row("base")]
	if further := base.Further[0]; further != (Spread{0.3, 0, 1}) {
		t.Errorf("have %+v", further)
	}
	if text := table.Markdown(); !strings.Contains(text, "| base | 40.0 | 60.0 | – | 50.0 ± 14.1 | 30.0 |") {
		t.Errorf("have\n%s", text)
	}
}

// TestStalePicture: a table with nothing to draw leaves no picture of what there was.
func TestStalePicture(t *testing.T) {
	p := plan(t, load(t, byHand), Options{Out: t.TempDir()})
	s := &store{}
	p.put(t, s, "base", 1, 0.5, 10, "")
	for _, c := range []struct {
		known *store
		want  bool
	}{{&store{}, false}, {s, true}, {&store{}, false}} {
		if err := p.write(atomicfile.Disk{}, p.tabulate(c.known)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(p.path(".png")); (err == nil) != c.want {
			t.Errorf("of %d runs there is: %v", len(c.known.runs), err)
		}
	}
}
