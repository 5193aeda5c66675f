package orchestrator

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
)

// TestFeatureDistanceResumes: the frozen encoder of a resumed run is that of its
// first iteration.
func TestFeatureDistanceResumes(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Model.Init = "mit_nano"
	c.Loss.FeatureDistance = configs.FeatureDistance{Weight: 0.05, Classes: []string{"box", "disc"}, Ratio: 0.3} // cells are 32×32
	dir, _ := train(t, c)
	stopAfter(t, c, " 3/6 ")
	got, err := Run(t.Context(), c, Options{Log: zap.NewNop(), Out: quiet().Out, Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lossLines(t, dir), lossLines(t, got.Dir); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\nresumed:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}
