package orchestrator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
)

// diedAt runs c and returns the output folder of a run that died when it printed mark: what was on
// disk then.
func diedAt(t *testing.T, c configs.Config, mark string) (output string) {
	t.Helper()
	output = t.TempDir()
	o := quiet()
	o.Out = writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), mark) {
			if err := os.CopyFS(output, os.DirFS(c.Output)); err != nil {
				t.Error(err)
			}
		}
		return len(p), nil
	})
	if _, err := Run(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
	return output
}

// sameEnd expects a run to have the losses and passed over files of another.
func sameEnd(t *testing.T, what, want, have string) {
	t.Helper()
	if a, b := lossLines(t, want), lossLines(t, have); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\n%s:\n%s", strings.Join(a, "\n"), what, strings.Join(b, "\n"))
	}
	if a, b := skippedOf(t, want), skippedOf(t, have); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\n%s:\n%s", strings.Join(a, "\n"), what, strings.Join(b, "\n"))
	}
}

// skippedOf lists what the iterations of a run have done without.
func skippedOf(t *testing.T, dir string) (all []string) {
	t.Helper()
	events, err := ReadEvents(filepath.Join(dir, eventsFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		all = append(all, strings.Join(e.Skipped, " "))
	}
	return all
}

// TestDeathInALaterRound: a run that dies rounds after its last checkpoint goes on from it.
func TestDeathInALaterRound(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := inRounds(root, t.TempDir(), 6)
	c.Train.Iterations, c.Train.CheckpointEvery, c.Train.EvalEvery = 12, 5, 0
	whole := filepath.Join(c.Output, c.Name)
	c.Output = diedAt(t, c, " 9/12 ")
	dir := filepath.Join(c.Output, c.Name)
	needed := &round{dir: roundPath(dir, 4)}
	if f := states(t, dir)["round_000004"]; f.State != Whole || f.Detail != "4 images" {
		t.Errorf("verify: %+v", f)
	}
	flip(t, needed.file(2))
	if f := states(t, dir)["round_000004"]; f.State != Damaged || !strings.Contains(f.Detail, "000002.soft: it is damaged") {
		t.Errorf("verify: %+v", f)
	}
	flip(t, needed.file(2))
	if got := folders(t, dir); !slices.Equal(got, []string{"round_000004", "round_000008"}) {
		t.Errorf("folders %v", got)
	}
	resume(t, c)
	sameEnd(t, "died", whole, dir)
	if got := folders(t, dir); !slices.Equal(got, []string{"round_000010"}) {
		t.Errorf("finished: folders %v", got)
	}
}

// TestDeathBeforeACheckpoint: labels of another seed are not learned with.
func TestDeathBeforeACheckpoint(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := inRounds(root, t.TempDir(), 1)
	c.Train.CheckpointEvery, c.Train.EvalEvery = 5, 0
	died := diedAt(t, c, " 1/6 ")
	c.Seed++
	whole, _ := train(t, c)
	c.Output = died
	resume(t, c)
	sameEnd(t, "begun by another seed", whole, filepath.Join(died, c.Name))
}

// TestLabelsOutOfReach: labels that cannot be read for a while cost nothing of what was trained.
func TestLabelsOutOfReach(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := inRounds(root, t.TempDir(), 1)
	c.Train.CheckpointEvery, c.Train.EvalEvery = 0, 0
	whole, _ := train(t, c)
	dir := filepath.Join(c.Output, c.Name)
	file := func(i int) string { return (&round{dir: roundPath(dir, 0)}).file(i) }
	o := quiet()
	o.Out = writerFunc(func(p []byte) (int, error) {
		for i := 0; i < 4 && strings.Contains(string(p), " 3/6 "); i++ {
			if err := os.Rename(file(i), file(i)+".away"); err != nil {
				t.Error(err)
			}
			if err := os.Mkdir(file(i), 0o755); err != nil { // reading that fails
				t.Error(err)
			}
		}
		return len(p), nil
	})
	_, err := Run(t.Context(), c, o)
	if err == nil || strings.Contains(err.Error(), "begin a new run") || !strings.Contains(err.Error(), "iteration 3: labels of target image") || !strings.Contains(err.Error(), "--resume") {
		t.Fatalf("error %v", err)
	}
	for i := range 4 {
		if err := os.Remove(file(i)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file(i)+".away", file(i)); err != nil {
			t.Fatal(err)
		}
	}
	o = quiet()
	o.Resume = true
	if saved, err := checkpoints(dir, lastPrefix); err != nil || len(saved) != 1 || filepath.Base(saved[0]) != "iter_000003" {
		t.Errorf("saved %v, %v", saved, err)
	}
	if _, err := Run(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
	sameEnd(t, "labels away", whole, dir)
}
