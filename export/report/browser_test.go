package report

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/export/score"
	"t2sda/internal/browsertest"
)

// openReport writes a report and opens it as a reader does.
func openReport(t *testing.T, d Data) *browsertest.Page {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := write(path, d); err != nil {
		t.Fatal(err)
	}
	return browsertest.Open(t, path)
}

// tableRows lists the cells of each line of a section's first table, as a reader
// sees them.
func tableRows(p *browsertest.Page, section string) []string {
	return browsertest.Eval[[]string](p, `[...document.querySelectorAll("#`+section+` table:not(.facts) tr")].map(r => [...r.cells].map(c => c.innerText.trim()).join("|"))`)
}

func TestBrowserShowsARun(t *testing.T) {
	p := openReport(t, fullReport(t))
	if got, want := browsertest.Eval[string](p, "document.title"), "T2S-DA <on> streets"; got != want {
		t.Errorf("title is %q, want %q", got, want)
	}
	sections := browsertest.Eval[[]string](p, `[...document.querySelectorAll("section")].sort((a, b) => a.offsetTop - b.offsetTop).map(s => s.id + ": " + s.querySelector("h2").innerText)`)
	if want := []string{
		"facts: What was trained on what", "samples: Samples", "scores: IoU per class", "worst: Worst images first", "confusion: What is taken for what",
		"training: How training went", "time: Where the time went", "files: Where it lies", "again: How to do it again",
	}; !slices.Equal(sections, want) {
		t.Errorf("sections are %q, want %q", sections, want)
	}
	// The matrix of threeResult: of 3 + 1 pixels, 2 roads and 1 car are right and
	// one road is taken for a car. IoU: road 2/3, car 1/2, mean 7/12.
	if got, want := tableRows(p, "scores"), []string{
		"class|source only|T2S|gain|% of pixels|source only T2S",
		"road|90.00|66.67|-23.33|75.00|", "car|50.00|50.00|+0.00|25.00|", "train|–|–|–|0.00|", "mean|58.33|58.33|+0.00||",
	}; !slices.Equal(got, want) {
		t.Errorf("the table of classes shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got, want := tableRows(p, "time"), []string{
		"stage||seconds|ms each|share, %|", "teacher|labels|25.0|1250.0|25.0|", "student||75.0||75.0|", "all||100.0||100.0|",
	}; !slices.Equal(got, want) {
		t.Errorf("the table of stages shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	bars := browsertest.Eval[[]float64](p, `[...document.querySelectorAll("#scores tbody tr:first-child .track i")].map(i => Math.round(100 * i.offsetWidth / i.parentElement.offsetWidth))`)
	if !slices.Equal(bars, []float64{90, 67}) {
		t.Errorf("the first class's bars are %v %% long, want 90 and 67", bars)
	}
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
	// Whatever a name smuggled in, nothing in the page runs and nothing is fetched.
	if got := browsertest.Eval[int](p, `(() => { const s = document.createElement("script"); s.textContent = "window.ran = 1"; document.body.append(s); return window.ran || 0 })()`); got != 0 {
		t.Error("a script that was put into the page runs")
	}
}

// TestBrowserShowsAnEvaluation: a page of scores alone speaks of no training.
func TestBrowserShowsAnEvaluation(t *testing.T) {
	full, result := fullReport(t), threeResult(t)
	mean := score.Score(0.583)
	result.Categories = []score.ClassResult{{Name: "flat", IoU: 2.0 / 3, Recall: 2.0 / 3, Truth: 3, Predicted: 2}, {Name: "vehicle", IoU: 0.5, Recall: 1, Truth: 1, Predicted: 2}}
	result.MeanCategory, result.Subsets = &mean, []score.SubsetResult{{Name: "two", Classes: 2, MIoU: 0.25}}
	p := openReport(t, Data{
		Title: "model.onnx on val", Facts: []Fact{{"model", "model.onnx"}}, Space: full.Space, Final: result,
		Worst:   full.Samples[0],
		Command: "t2sda evaluate --model model.onnx", Created: full.Created,
	})
	sections := browsertest.Eval[[]string](p, `[...document.querySelectorAll("section h2")].map(h => h.innerText)`)
	if want := []string{"What was evaluated", "IoU per class", "Worst images first", "What is taken for what", "How to do it again"}; !slices.Equal(sections, want) {
		t.Errorf("sections are %q, want %q", sections, want)
	}
	numbers := browsertest.Eval[[]string](p, `[...document.querySelectorAll(".numbers div")].map(d => d.innerText.replace(/\s+/g, " "))`)
	if want := []string{"58.3% mIoU", "58.3% mIoU of categories", "75.0% pixel accuracy", "83.3% mean accuracy"}; !slices.Equal(numbers, want) {
		t.Errorf("the large numbers are %q, want %q", numbers, want)
	}
	if got, want := tableRows(p, "scores"), []string{
		"class|IoU|recall|% of pixels|IoU", "road|66.67|66.67|75.00|", "car|50.00|100.00|25.00|", "train|–|–|0.00|", "mean|58.33|83.33||", "mean, two|25.00|–||",
		"category|IoU|recall|% of pixels|IoU", "flat|66.67|66.67|75.00|", "vehicle|50.00|100.00|25.00|", "mean|58.30|–||",
	}; !slices.Equal(got, want) {
		t.Errorf("the table of classes shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	text := browsertest.Eval[string](p, "document.body.innerText")
	for _, word := range []string{"trained", "training", "before", "after"} {
		if strings.Contains(text, word) {
			t.Errorf("the page of an evaluation says %q", word)
		}
	}
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
}

// TestBrowserFitsNarrowWindows: long names and values break rather than widen
// the page.
func TestBrowserFitsNarrowWindows(t *testing.T) {
	d := fullReport(t)
	long := strings.Repeat("a_very_long_name_without_a_space", 8)
	d.Title, d.Summary, d.Command, d.Again, d.Config, d.Version = long, long, long, long, long, long
	d.Facts, d.Files = []Fact{{"source", long}}, []Fact{{"model", long}}
	d.Final.Skipped[0].Error, d.Final.Worst[0].ID = long, long
	d.Samples[0].Rows[0].Title, d.Samples[0].Columns[0], d.Stages[0].Name = long, long, long
	for _, problem := range openReport(t, d).Problems() {
		t.Error(problem)
	}
}
