package orchestrator

import (
	"slices"
	"testing"

	"t2sda/export/report"
	"t2sda/orchestrator/learner"
)

// TestPulled: means over the two iterations that pulled, of four. The events'
// weights may be those of L_T: they are not read.
func TestPulled(t *testing.T) {
	events := []learner.Step{
		{Weights: []float64{9, 9, 9}},
		{Queries: []int{4, 2, 0}, QueryWeights: []float64{0.0625, 0.375, 0}, Weights: []float64{9, 9, 9}},
		{Queries: []int{2, 0, 0}, QueryWeights: []float64{0.5, 0, 0}},
		{Queries: []int{8, 8, 8}}, // of a run that an earlier version began
	}
	want := []report.Pulled{{Queries: 3, Weight: 0.625, Iterations: 1}, {Queries: 1, Weight: 0.375, Iterations: 0.5}, {}}
	if got := pulled(steps(events...)); !slices.Equal(got, want) {
		t.Errorf("have %v, want %v", got, want)
	}
	if got := pulled(steps(events[:1]...)); got != nil {
		t.Errorf("without queries: %v", got)
	}
}
