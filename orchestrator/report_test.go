package orchestrator

import (
	"cmp"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/export/report"
	"t2sda/export/score"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/atomicfile"
	"t2sda/internal/browsertest"
	"t2sda/orchestrator/learner"
)

// TestReportInTheBrowser trains with a baseline, is stopped in it, goes on, and
// reads the report as a person does.
func TestReportInTheBrowser(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Baseline = true
	stopAfter(t, c, "source-only 2/6 ", func(o *Options) { o.Command = "t2sda train -c 'my shapes.yaml'" })
	o := quiet()
	o.Resume, o.Program, o.Command = true, "./t2sda", "./t2sda train --resume -c 'my shapes.yaml'"
	out, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	p := browsertest.Open(t, filepath.Join(out.Dir, reportFile))
	sections := browsertest.Eval[[]string](p, `[...document.querySelectorAll("section")].map(s => s.id)`)
	if want := "facts samples scores why worst confusion training time files again"; strings.Join(sections, " ") != want {
		t.Errorf("sections are %v, want %s", sections, want)
	}
	strips := browsertest.Eval[[]string](p, `[...document.querySelectorAll(".strip")].map(s => [...s.querySelectorAll(".row")].map(r => r.querySelectorAll("img").length).join(" ") + ": " +
		[...s.querySelectorAll(".row:first-child figcaption")].map(c => c.innerText).join(", "))`)
	if want := []string{
		"4 4 4 4: labelled image, its labels, pseudo-target: fda, target image",
		"4 4 4 4: target image, before: source-only, after: t2s, truth",
		"4 4 4 4: image, prediction, truth, wrong pixels",
	}; !slices.Equal(strips, want) {
		t.Errorf("pictures are\n%s\nwant\n%s", strings.Join(strips, "\n"), strings.Join(want, "\n"))
	}
	charts := browsertest.Eval[[]string](p, `[...document.querySelectorAll("#training img")].map(i => i.alt)`)
	if want := []string{"mIoU on the evaluation images over iterations", "Losses over iterations", "Queries per class over iterations", "Weight per class over iterations"}; !slices.Equal(charts, want) {
		t.Errorf("charts are %q, want %q", charts, want)
	}
	stages := browsertest.Eval[[]string](p, `[...document.querySelectorAll("#time tbody tr")].map(r => r.cells[0].innerText)`)
	if want := "data teacher plan source pull mix update ema evaluation export final evaluation why the rest baseline all"; strings.Join(stages, " ") != want {
		t.Errorf("stages are %v, want %s", stages, want)
	}
	commands := browsertest.Eval[[]string](p, `[...document.querySelectorAll("pre.command")].map(e => e.innerText)`)
	if want := []string{
		"t2sda train -c 'my shapes.yaml'\n./t2sda train --resume -c 'my shapes.yaml'",
		"./t2sda train -c " + filepath.Join(out.Dir, ConfigFile),
	}; !slices.Equal(commands, want) {
		t.Errorf("commands are %q, want %q", commands, want)
	}
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
	worst := out.Result.Worst
	if len(worst) != 4 || !slices.IsSortedFunc(worst, func(a, b score.ImageScore) int { return cmp.Compare(a.PixelAccuracy, b.PixelAccuracy) }) {
		t.Errorf("worst images %v", worst)
	}
}

// TestStagesAddUp: what was not measured is the rest of the whole.
func TestStagesAddUp(t *testing.T) {
	c := shapesConfig("x", t.TempDir())
	tr := &trainer{learner: openLearner(t, c), began: time.Now(), spent: 100, delivery: []report.Stage{{Name: "export", Seconds: 5}}}
	events := steps([]learner.Step{
		{Seconds: map[string]float64{"data": 1, "update": 10}},
		{Seconds: map[string]float64{"data": 2, "update": 20, stageEvaluation: 7}},
	}...)
	// Of 100 s, 40 are the events' and 5 the export's.
	got := tr.stages(events, &Outcome{Seconds: 50})
	want := []report.Stage{
		{Name: "data", Count: 2, Seconds: 3},
		{Name: "update", Count: 2, Seconds: 30},
		{Name: stageEvaluation, Count: 1, Seconds: 7},
		{Name: "export", Seconds: 5},
		{Name: "the rest", Seconds: 55},
		{Name: "baseline", Seconds: 50},
	}
	if len(got) != len(want) {
		t.Fatalf("stages %v", got)
	}
	for i, w := range want {
		if g := got[i]; g.Name != w.Name || g.Count != w.Count || math.Abs(g.Seconds-w.Seconds) > 1 {
			t.Errorf("stage %d is %v, want %v", i, g, w)
		}
	}
}

// TestCommandsAreKept: one that is repeated is kept once.
func TestCommandsAreKept(t *testing.T) {
	dir := t.TempDir()
	for _, command := range []string{"", "a 1", "a 1", "a --resume", "a --resume", "", "a 1"} {
		if err := keepCommand(atomicfile.Disk{}, dir, command); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := readCommands(dir); err != nil || got != "a 1\na --resume\na 1" {
		t.Errorf("kept %q, %v", got, err)
	}
}

// TestClassHistory: a class without queries has no weight; nothing is thinned.
func TestClassHistory(t *testing.T) {
	var d report.Data
	addClasses(&d, steps(learner.Step{}, learner.Step{Iteration: 1, Queries: []int{3, 0}, Weights: []float64{1, 0}}, learner.Step{Iteration: 2, Weights: []float64{0.5, 0.5}}))
	if q := d.Queries; !slices.Equal(q.Iterations, []float64{2}) || !slices.Equal(q.Values[0], []float64{3, 0}) {
		t.Errorf("queries %v", q)
	}
	w := d.Weights
	if !slices.Equal(w.Iterations, []float64{2, 3}) || w.Values[0][0] != 1 || !math.IsNaN(w.Values[0][1]) || w.Values[1][1] != 0.5 {
		t.Errorf("weights %v", w)
	}
	var none report.Data
	if addClasses(&none, steps(learner.Step{Weights: []float64{0, 0}})); len(none.Weights.Values) > 0 {
		t.Errorf("weights %v of a run without queries", none.Weights)
	}
}
