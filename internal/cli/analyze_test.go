package cli

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/orchestrator/analyze"
)

// checkAnalysis looks at the run's features.
func checkAnalysis(t *testing.T) {
	t.Helper()
	args := []string{"analyze", "--samples", "2", "--perplexity", "3", "--device", "cpu", "--run"}
	table := succeed(t, append(args, "runs/streets", "--source-split", "val", "--images", "1")...)
	for _, want := range []string{
		"source: 1 of 2 images of cityscapes data/streets/game, split val, 128×64 pixels", "t2s: iter_000002 of runs/streets, iteration 2, 16 head features",
		"similarity  IoU target  IoU source", "CCD target  CCD source  PDD target  PDD source", "correlation", filepath.Join("runs", "streets", "analysis", "tsne.png"),
	} {
		if !strings.Contains(table, want) {
			t.Errorf("analyze did not print %q:\n%s", want, table)
		}
	}
	var written struct {
		Seed     int                       `json:"seed"`
		Networks []struct{ Method string } `json:"networks"`
	}
	if readJSON(t, filepath.Join("runs", "streets", "analysis", "analysis.json"), &written); written.Seed != 1 || len(written.Networks) != 1 || written.Networks[0].Method != "t2s" {
		t.Errorf("analysis.json holds %+v", written)
	}
	fail(t, exitFailure, "runs/none is no run directory", append(args, "runs/none")...)
	fail(t, exitFailure, `holds no checkpoint "iter_9"`, append(args, "runs/streets", "--checkpoint", "iter_9")...)
	fail(t, exitUsage, `required flag(s) "run" not set`, "analyze")
}

// TestAnalysisRows: what was before stands left of what is after.
func TestAnalysisRows(t *testing.T) {
	nan := analyze.Number(math.NaN())
	network := func(a, b, mean analyze.Number) analyze.Network {
		return analyze.Network{Classes: []analyze.Class{{Name: "road", Similarity: a}, {Name: "car", Similarity: b}}, Mean: analyze.Class{Name: "mean", Similarity: mean}}
	}
	r := &analyze.Result{Networks: []analyze.Network{network(0.75, nan, 0.75), network(0.5, 0.25, 0.375)}}
	similarity := []column{{"similarity", func(c analyze.Class) string { return number(c.Similarity) }}}
	want := [][]string{{"class", "similarity"}, {"road", "0.500 → 0.750"}, {"car", "0.250 →    –"}, {"mean", "0.375 → 0.750"}}
	if diff := cmp.Diff(want, analysisRows(r, similarity)); diff != "" {
		t.Error(diff)
	}
	r.Networks = r.Networks[:1]
	if diff := cmp.Diff([][]string{{"class", "similarity"}, {"road", "0.750"}, {"car", "–"}, {"mean", "0.750"}}, analysisRows(r, similarity)); diff != "" {
		t.Error(diff)
	}
}
