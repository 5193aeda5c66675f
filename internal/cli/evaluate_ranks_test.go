package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"t2sda/export/exporttest"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
	"t2sda/internal/raster"
)

// rankedEvaluation evaluates by two ranks, to each of which args adds what it is told, and
// returns their evaluations and errors.
func rankedEvaluation(t *testing.T, args func(rank int) []string) ([2]evaluation, []error) {
	t.Helper()
	enginetest.Isolate(t)
	s := exporttest.NewSet(t)
	truth := raster.NewLabels(24, 16)
	for i := range truth.Pix {
		truth.Pix[i] = uint8(i % 24 / 5)
	}
	for i := range 3 {
		s.Add(fmt.Sprint("img", i), exporttest.Paint(truth, 40), truth)
	}
	model := exporttest.Foreign{Classes: 5, Step: 40, Scale: 1, Labels: engine.Int64}.File(t)
	var all [2]evaluation
	errs := rankstest.Run(2, func(g *ranks.Group) error {
		v := &all[g.Rank()]
		v.ranks, v.model.device.ranks = g, g
		cmd := v.command()
		cmd.SetContext(t.Context())
		told := []string{"--model", model, "--output", "y", "--dataset", "generic", "--root", s.Root, "--images", "images", "--gt", "labels", "--device", "cpu"}
		told = append(told, "--map", filepath.Join(s.Root, "map.yaml"))
		if err := cmd.ParseFlags(append(told, args(g.Rank())...)); err != nil {
			return err
		}
		speakFor(cmd, g)
		if err := cmd.PreRunE(cmd, nil); err != nil {
			return err
		}
		return v.run(cmd)
	})
	return all, errs
}

// TestEvaluateRanks: ranks of a machine share its cores.
func TestEvaluateRanks(t *testing.T) {
	all, errs := rankedEvaluation(t, func(int) []string { return []string{"--json", filepath.Join(t.TempDir(), "scores.json")} })
	for rank, err := range errs {
		if want := max(1, runtime.NumCPU()/2); err != nil || all[rank].options.Workers != want {
			t.Errorf("rank %d: %v, %d workers, want %d", rank, err, all[rank].options.Workers, want)
		}
	}
}

// TestEvaluateRanksFiles: files of one name that differ are told before anything is scored.
func TestEvaluateRanksFiles(t *testing.T) {
	dir := t.TempDir()
	for rank := range 2 {
		text := exporttest.FiveMap + strings.Repeat("\n# another node's\n", rank)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(rank)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for flag, want := range map[string]string{"--map": "label map of the data set", "--labels": "label map of the model"} {
		_, errs := rankedEvaluation(t, func(rank int) []string { return []string{flag, filepath.Join(dir, fmt.Sprint(rank))} })
		if slices.ContainsFunc(errs, func(err error) bool {
			return err == nil || !strings.Contains(err.Error(), "the "+want+" of rank 1 (node-0) is not that of rank 0")
		}) {
			t.Errorf("%s: %v", flag, errs)
		}
	}
}
