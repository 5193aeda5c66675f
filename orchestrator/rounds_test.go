package orchestrator

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/atomicfile"
	"t2sda/orchestrator/learner"
)

func inRounds(root, output string, rounds int) configs.Config {
	c := shapesConfig(root, output)
	c.Method, c.Train.Rounds = configs.ProDA, rounds
	return c
}

// folders lists what is in a run's folder of labels.
func folders(t *testing.T, run string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(run, labelsDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestRounds: of three rounds, labels are kept of those that have checkpoints; a run that was
// stopped where a round begins, and one that was within it, end as one that was not.
func TestRounds(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	whole, _ := train(t, inRounds(root, t.TempDir(), 3))
	if got := folders(t, whole); !slices.Equal(got, []string{"round_000002", "round_000004"}) {
		t.Errorf("folders %v", got)
	}
	for _, mark := range []string{" 2/6 ", " 5/6 "} {
		c := inRounds(root, t.TempDir(), 3)
		stopAfter(t, c, mark)
		o := quiet()
		o.Resume = true
		got, err := Run(t.Context(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := lossLines(t, whole), lossLines(t, got.Dir); !slices.Equal(a, b) {
			t.Errorf("uninterrupted:\n%s\nstopped after %s:\n%s", strings.Join(a, "\n"), mark, strings.Join(b, "\n"))
		}
		if kept := folders(t, got.Dir); !slices.Equal(kept, []string{"round_000004"}) {
			t.Errorf("finished: folders %v", kept)
		}
		for _, name := range folders(t, got.Dir) {
			for i := range 4 {
				path := (&round{dir: filepath.Join(labelsDir, name)}).file(i)
				a, errA := os.ReadFile(filepath.Join(whole, path))
				b, errB := os.ReadFile(filepath.Join(got.Dir, path))
				if errors.Join(errA, errB) != nil || !slices.Equal(a, b) {
					t.Errorf("%s differs: %v %v", path, errA, errB)
				}
			}
		}
	}
}

// TestSelectedInRounds: likewise with thresholds of the whole set, that a checkpoint holds.
func TestSelectedInRounds(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	selected := func(output string) configs.Config {
		c := inRounds(root, output, 2)
		c.Method = configs.CBST
		return c
	}
	whole, _ := train(t, selected(t.TempDir()))
	c := selected(t.TempDir())
	stopAfter(t, c, " 4/6 ")
	o := quiet()
	o.Resume = true
	got, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lossLines(t, whole), lossLines(t, got.Dir); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\nresumed:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

// TestRoundIsInterrupted: an interrupt between two images leaves those that are labelled, which
// the next attempt keeps as long as the teacher is the same.
func TestRoundIsInterrupted(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	tr := openTrainer(t, inRounds(root, t.TempDir(), 1))
	tr.meter.start("proda", 0, 6)
	ctx, cancel := context.WithCancel(t.Context())
	tr.disk = atomicfile.On(&stopping{System: atomicfile.OS(), after: 2, stop: cancel})
	if err := tr.beginRound(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	dir := roundPath(tr.dir, 0)
	first := (&round{dir: dir}).file(0)
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := readRound(dir); err != nil || s.Whole {
		t.Fatalf("%+v, %v", s, err)
	}
	tr.disk = atomicfile.Disk{}
	if err := tr.beginRound(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(first); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("labels of the same teacher were made again: %v", err)
	}
	s, err := readRound(dir)
	if err != nil || !s.Whole || s.Images != 4 || s.Bytes == 0 {
		t.Errorf("%+v, %v", s, err)
	}
	s.Teacher, s.Whole = s.Teacher+1, false
	if err := tr.disk.WriteJSON(filepath.Join(dir, roundFile), s); err != nil {
		t.Fatal(err)
	}
	tr.round = nil
	if err := tr.beginRound(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(first); err != nil || after.ModTime().Equal(before.ModTime()) {
		t.Errorf("labels of another teacher were kept: %v", err)
	}
}

// TestRoundOfAnotherOrigin: whole labels are made again where their round.json is damaged, or
// tells of another configuration or teacher.
func TestRoundOfAnotherOrigin(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	tr := openTrainer(t, inRounds(root, t.TempDir(), 1))
	tr.meter.start("proda", 0, 6)
	dir := roundPath(tr.dir, 0)
	begin := func() os.FileInfo {
		t.Helper()
		tr.round = nil
		if err := tr.beginRound(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat((&round{dir: dir}).file(0))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := begin()
	if again := begin(); !first.ModTime().Equal(again.ModTime()) {
		t.Error("whole labels were made again")
	}
	whole, err := readRound(dir)
	if err != nil {
		t.Fatal(err)
	}
	another, taught := whole, whole
	another.ConfigHash, taught.Teacher = "another", whole.Teacher+1
	for _, other := range []any{another, taught, "damaged"} {
		if err := tr.disk.WriteJSON(filepath.Join(dir, roundFile), other); err != nil {
			t.Fatal(err)
		}
		before := begin()
		if after, err := readRound(dir); err != nil || after.Teacher != whole.Teacher || after.ConfigHash != whole.ConfigHash || first.ModTime().Equal(before.ModTime()) {
			t.Errorf("%v was taken: %+v, %v", other, after, err)
		}
		first = before
	}
}

// TestRoundIsTooLarge: what memory or disk cannot hold is told, with what to do.
func TestRoundIsTooLarge(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	tr := openTrainer(t, inRounds(root, t.TempDir(), 1))
	if err := tr.stopRound(0, errors.New("teacher/soft: Failed to allocate memory for requested buffer")); err == nil || !strings.Contains(err.Error(), "lower train.batch") {
		t.Errorf("memory: %v", err)
	}
	for free, full := range map[uint64]bool{14_999_999: true, 15_000_000: false} {
		err := enoughRoom(free, true, 10_000_000, 2, 3)
		if (err != nil) != full || full && !strings.Contains(err.Error(), "3 images that are left will take about 15 MB") {
			t.Errorf("%d bytes free: %v", free, err)
		}
	}
	if err := enoughRoom(0, false, 1, 1, 1); err != nil {
		t.Error(err)
	}
}

// stopping is a system that ends a run after so many files of labels.
type stopping struct {
	atomicfile.System
	after int
	stop  func()
}

func (s *stopping) Rename(from, to string) error {
	if strings.HasSuffix(to, softSuffix) {
		if s.after--; s.after == 0 {
			s.stop()
		}
	}
	return s.System.Rename(from, to)
}

// TestLostLabels: labels that are gone or damaged stop a run with what to do, as far as that
// can be done.
func TestLostLabels(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := inRounds(root, t.TempDir(), 1)
	stopAfter(t, c, " 1/6 ")
	dir := roundPath(filepath.Join(c.Output, c.Name), 0)
	o := quiet()
	o.Resume = true
	if err := os.WriteFile(filepath.Join(dir, roundFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	stopAfter(t, c, " 4/6 ", func(o *Options) { o.Resume = true }) // what it says is not needed
	for i := range 4 {
		path := (&round{dir: dir}).file(i)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Run(t.Context(), c, o); !errors.Is(err, errSoftDamaged) || !strings.Contains(err.Error(), ".soft: it is damaged") || !strings.Contains(err.Error(), "iteration ") || !strings.Contains(err.Error(), "begin a new run") {
		t.Errorf("damaged: %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), c, o); err == nil || !strings.Contains(err.Error(), "before iteration 0 are not all there") || !strings.Contains(err.Error(), "begin a new run") {
		t.Errorf("gone: %v", err)
	}
}

// TestSoftFile: what is written is read, by the image's name only, and no other bytes.
func TestSoftFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.soft")
	want := &learner.Soft{C: 2, H: 1, W: 3, D: 2, Probabilities: []uint8{0, 1, 2, 255, 4, 5}, Counts: []int32{2, 1}, Sums: []float32{1, 2.5, -3, 4}}
	n, err := writeSoft(atomicfile.Disk{}, path, "a", want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readSoft(path, "a")
	if err != nil || !slices.Equal(got.Probabilities, want.Probabilities) || !slices.Equal(got.Counts, want.Counts) || !slices.Equal(got.Sums, want.Sums) || got.W != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := readSoft(path, "b"); !errors.Is(err, errSoftDamaged) {
		t.Errorf("another image's: %v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) != n {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	for i := range data {
		bad := slices.Clone(data)
		bad[i] ^= 0x10
		for _, b := range [][]byte{bad, data[:i]} {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := readSoft(path, "a"); !errors.Is(err, errSoftDamaged) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	}
}
