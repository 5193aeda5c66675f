package report

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/browsertest"
)

// TestAlikeText: of three classes the third one is nowhere; of road and car, in
// threeResult's order, only the IoU of road differs: 0.9 before, 2/3 after.
func TestAlikeText(t *testing.T) {
	nan := math.NaN()
	after, before := threeResult(t), threeResult(t)
	before.Classes[0].IoU = 0.9
	names := []string{"road", "car", "train"}
	for _, c := range []struct {
		name string
		a    Alike
		want string
	}{
		{
			"both rise",
			Alike{Before: []float64{0.5, 0.25, nan}, After: []float64{0.75, 0.5, nan}},
			"Similarity rises in 2 of 2 classes and falls in 0; on average it goes from 0.375 to 0.625. Of the classes in which it rises, 0 of 2 gain IoU on target images.",
		},
		{
			"what print does not show is no change",
			Alike{Before: []float64{0.5, 0.25, nan}, After: []float64{0.5001, 0.2, nan}},
			"Similarity rises in 0 of 2 classes and falls in 1; on average it goes from 0.375 to 0.350.",
		},
	} {
		if got := c.a.text(after, before, names); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
	// The other way round road gains.
	up := Alike{Before: []float64{0.5, nan, nan}, After: []float64{0.75, 0.5, nan}}
	if got, want := up.text(before, after, names), "rises in 1 of 1 classes and falls in 0; on average it goes from 0.500 to 0.625. Of the classes in which it rises, 1 of 1 gain"; !strings.Contains(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got, want := (Alike{After: []float64{0.75, 0.5, nan}}).text(after, nil, names), "To the trained network the domains are 0.625 alike on average; least alike are car (0.50), road (0.75)."; got != want {
		t.Errorf("alone: %s\nwant %s", got, want)
	}
}

// TestPullTable: queries 6 + 2 + 0 and weights 0.5 + 0.5 + 0 make an average
// query weigh 1/8; one of road weighs 0.5/6 = 1/12, 2/3 of that, one of car 0.5/2
// = 1/4, twice that.
func TestPullTable(t *testing.T) {
	space := fullReport(t).Space
	got, err := pullTable(space, []Pulled{{Queries: 6, Weight: 0.5, Iterations: 1}, {Queries: 2, Weight: 0.5, Iterations: 0.5}, {}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "One query of car pulls 2.0 times as hard as the average query, one of road 0.67 times as hard. Never pulled: train."; got.Text != want {
		t.Errorf("%s\nwant %s", got.Text, want)
	}
	var rows []string
	for _, r := range got.Rows {
		rows = append(rows, strings.Join([]string{r.Name, r.Iterations, r.Queries, r.Weight, r.Each, r.Times}, "|"))
	}
	if want := []string{"road|100|6.0|50.0|83.33|0.67", "car|50|2.0|50.0|250.00|2.0", "train|0|0.0|–|–|–", "all||8.0|100.0|125.00|1.0"}; !slices.Equal(rows, want) {
		t.Errorf("rows %q, want %q", rows, want)
	}
	if w := got.Rows[0].Width; math.Abs(w-100./3) > 1e-9 || got.Rows[1].Width != 100 || got.Rows[2].Width != 0 {
		t.Errorf("bars of %v, %v and %v per cent", w, got.Rows[1].Width, got.Rows[2].Width)
	}
	for _, c := range []struct {
		pulled []Pulled
		want   string
	}{
		{[]Pulled{{Queries: 1, Weight: 0.5}, {Queries: 1, Weight: 0.5}, {}}, "Queries of all classes pull alike. Never pulled: train."},
		{[]Pulled{{Queries: 1, Weight: 1}, {}, {}}, "Only road was ever pulled."},
	} {
		if got, err := pullTable(space, c.pulled); err != nil || got.Text != c.want {
			t.Errorf("%v, %v, want %s", got, err, c.want)
		}
	}
	if got, err := pullTable(space, make([]Pulled, 3)); got != nil || err != nil {
		t.Errorf("a pull without queries shows %v, %v", got, err)
	}
	if _, err := pullTable(space, make([]Pulled, 2)); err == nil || !strings.Contains(err.Error(), "queries and weights of 2 classes, there are 3") {
		t.Errorf("error %v", err)
	}
}

// TestBrowserShowsWhy reads the section, with and without a baseline and a pull.
func TestBrowserShowsWhy(t *testing.T) {
	nan := math.NaN()
	d := fullReport(t)
	look := Look{Name: "tone", Title: "Tone", XName: "luma", Unit: "levels", X: []float64{0, 1}, Source: []float64{0, 1}, Translated: []float64{0, nan}, Target: []float64{1, 2}, Before: 4, After: 1}
	d.Why = Why{
		Looks:  Looks{Engine: "fda", Caption: "on 3 images", Charts: []Look{look}},
		Alike:  Alike{Caption: "on 2 images", Before: []float64{0.5, 0.25, nan}, After: []float64{0.75, 0.5, nan}},
		Pulled: []Pulled{{Queries: 6, Weight: 0.5, Iterations: 1}, {Queries: 2, Weight: 0.5, Iterations: 0.5}, {}},
	}
	const heads = `[...document.querySelectorAll("#why h2, #why h3, #why img")].map(e => e.alt || e.innerText)`
	p := openReport(t, d)
	if got, want := browsertest.Eval[[]string](p, heads), []string{
		"Why it worked, or did not", "Do the images look like the target's?", "Tone of source, translated and target images",
		"Does the network see both domains alike?", "Similarity of the domains per class", "IoU on target images per class", "What was pulled, and how hard?",
	}; !slices.Equal(got, want) {
		t.Errorf("the section shows %q, want %q", got, want)
	}
	if got, want := tableRows(p, "why")[2], "car|50|2.0|50.0|250.00|2.0|"; got != want {
		t.Errorf("the table of the pull shows %q, want %q", got, want)
	}
	for _, problem := range p.Problems() {
		t.Error(problem)
	}
	d.Baseline, d.Why.Alike.Before, d.Why.Pulled, d.Why.Looks = nil, nil, nil, Looks{}
	p = openReport(t, d)
	if got := browsertest.Eval[[]string](p, heads); len(got) != 4 || got[0] != "How the two domains compare" {
		t.Errorf("without baseline and pull the section shows %q", got)
	}
}

// TestWhyErrors: values that do not fit the classes are refused.
func TestWhyErrors(t *testing.T) {
	d := fullReport(t)
	d.Why.Alike.After = []float64{1}
	if err := write(filepath.Join(t.TempDir(), "report.html"), d); err == nil || !strings.Contains(err.Error(), "similarities of 1 and 0 classes, there are 3") {
		t.Errorf("error %v", err)
	}
}
