package orchestrator

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/atomicfile"
	"t2sda/orchestrator/learner"

	"t2sda/configs"
)

func TestRunDir(t *testing.T) {
	c := configs.Default()
	c.Name, c.Output = "r", filepath.Join(t.TempDir(), "runs")
	if _, err := runDir(c, true); err == nil || !strings.Contains(err.Error(), "nothing to resume") {
		t.Errorf("have %v", err)
	}
	for _, want := range []string{"r", "r-2", "r-3"} {
		if dir, err := runDir(c, false); err != nil || filepath.Base(dir) != want {
			t.Errorf("new run in %s, %v; want %s", dir, err, want)
		}
	}
	if dir, err := runDir(c, true); err != nil || filepath.Base(dir) != "r-3" {
		t.Errorf("resume %s, %v; want r-3", dir, err)
	}
	c.Name = "r-2" // as the run's own config.yaml says
	if dir, err := runDir(c, true); err != nil || filepath.Base(dir) != "r-2" {
		t.Errorf("resume %s, %v; want r-2", dir, err)
	}
}

// TestOneProcessPerRun: nobody else trains in a directory that is locked, and
// afterwards it is free.
func TestOneProcessPerRun(t *testing.T) {
	enginetest.Isolate(t)
	c := shapesConfig(t.TempDir(), t.TempDir())
	compared := filepath.Join(c.Output, c.Name+"-compare")
	for dir, train := range map[string]func() error{
		filepath.Join(c.Output, c.Name): func() error {
			o := quiet()
			o.Resume = true
			_, err := Run(t.Context(), c, o)
			return err
		},
		compared: func() error {
			_, err := Compare(t.Context(), c, CompareOptions{Methods: []string{configs.T2S}, Seeds: []uint{1}}, quiet())
			return err
		},
	} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		lock, err := lockDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := train(); err == nil || !strings.Contains(err.Error(), dir+": another process is training there") {
			t.Errorf("have %v", err)
		}
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
		if lock, err = lockDir(dir); err != nil {
			t.Fatal(err)
		}
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailedStartLeavesNothing: the next attempt gets the same name.
func TestFailedStartLeavesNothing(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Baseline = true
	c.Data.Source.Root = filepath.Join(root, "nowhere")
	if _, err := Run(t.Context(), c, quiet()); err == nil {
		t.Fatal("no error")
	}
	if left, err := os.ReadDir(c.Output); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestInterruptedBaseline: the command that the message gives finds its file,
// and a resume with other numbers leaves that file alone.
func TestInterruptedBaseline(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Baseline = true
	stopAfter(t, c, "source-only 2/6 ")
	file := filepath.Join(c.Output, c.Name, ConfigFile)
	kept, err := configs.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if kept.Method != configs.T2S || !kept.Baseline || kept.Hash() != c.Hash() {
		t.Errorf("%s holds another configuration: %+v", file, kept)
	}
	stopAfter(t, kept, "t2s 2/6 ", resuming)

	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c.Seed++
	o := quiet()
	o.Resume = true
	if _, err := Run(t.Context(), c, o); err == nil || !strings.Contains(err.Error(), "another configuration") {
		t.Errorf("have %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the refused configuration replaced the run's own (%v)", err)
	}
}

// TestEventsAreCutAtTheCheckpoint: what a killed run wrote after its last
// checkpoint, and a torn last line, go; what came before stays.
func TestEventsAreCutAtTheCheckpoint(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, eventsFile)
	writeFile(t, path, `{"iteration":0,"lr":1}
{"iteration":1,"lr":0.5}
{"iteration":2,"lr":0.25}
{"iteration":3,"l`)
	log, err := openEvents(atomicfile.Disk{}, dir, 2, func(text string) { t.Error(text) })
	if err != nil {
		t.Fatal(err)
	}
	if err := log.write(Event{Step: learner.Step{Iteration: 2, LR: 7}}); err != nil {
		t.Fatal(err)
	}
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	events, err := ReadEvents(path)
	if err != nil {
		t.Fatal(err)
	}
	var rates []float64
	for _, e := range events {
		rates = append(rates, e.LR)
	}
	if !slices.Equal(rates, []float64{1, 0.5, 7}) {
		t.Errorf("have %v", rates)
	}
	boards, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil || len(boards) != 1 {
		t.Fatalf("TensorBoard's files %v, %v", boards, err)
	}
	start := []byte{0x10, 2, 0x3a, 2, 8, 1} // step 2, a session's start
	if board, err := os.ReadFile(boards[0]); err != nil || !bytes.Contains(board, start) {
		t.Errorf("TensorBoard is not told where the run goes on (%v)", err)
	}
	writeFile(t, path, "{\"iteration\":0}\n{torn\n{\"iteration\":2}\n{\"iteration\":5}\n")
	if _, err := ReadEvents(path); err == nil || !strings.Contains(err.Error(), eventsFile+": line 2") {
		t.Errorf("have %v, want the line", err)
	}
	var told []string
	log, err = openEvents(atomicfile.Disk{}, dir, 5, func(text string) { told = append(told, text) })
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	if all := strings.Join(told, "\n"); len(told) != 2 || !strings.Contains(all, "line 2") || !strings.Contains(all, "lacks iterations 1, 3–4,") {
		t.Errorf("told %q", told)
	}
	if events, err = ReadEvents(path); err != nil || len(events) != 2 {
		t.Errorf("kept %v, %v", events, err)
	}
}
