package orchestrator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"t2sda/graphs/engine/enginetest"

	"t2sda/configs"
	"t2sda/export/score"
)

// childEnv makes the test binary the program that TrainAll starts.
const childEnv = "T2SDA_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" || len(os.Args) < 2 || os.Args[1] != "train" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := trainAsChild(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "t2sda:", err)
		os.Exit(1)
	}
}

// trainAsChild is the command that children are called with.
func trainAsChild(ctx context.Context, args []string) error {
	if len(args) != 4 || !slices.Equal(args[:3], []string{"train", "--resume", "-c"}) {
		return fmt.Errorf("called with %q", args)
	}
	cfg, err := configs.Load(args[3], nil)
	if err != nil {
		return err
	}
	_, err = Run(ctx, cfg, Options{Log: zap.NewNop(), Out: os.Stdout, Resume: true})
	return err
}

func inChildren(t *testing.T) { t.Setenv(childEnv, "1") }

// TestOneFails: a run that fails leaves the others alone, and its result tells
// its last line.
func TestOneFails(t *testing.T) {
	enginetest.Isolate(t)
	inChildren(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := compareConfig(root, t.TempDir())
	c.Method, c.Runtime.Threads = configs.SourceOnly, 1
	var jobs []Job
	for i := range 3 {
		j := Job{fmt.Sprintf("row %d", i), c}
		j.Config.Name = fmt.Sprint("r", i)
		j.Config.Seed = uint64(i)
		jobs = append(jobs, j)
	}
	jobs[1].Config.Model.Encoder = "vgg"
	var out bytes.Buffer
	o := quiet()
	o.Out = &out
	results, err := TrainAll(t.Context(), jobs, 2, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Outcome == nil || results[1].Outcome != nil || results[2].Outcome == nil {
		t.Errorf("have %+v", results)
	}
	log := filepath.Join(jobs[1].Dir(), logFile)
	failed := failures(jobs, results)
	if failed == nil || !strings.Contains(failed.Error(), "row row 1 seed 1 failed: model: ") || !strings.Contains(failed.Error(), "vgg") || !strings.Contains(failed.Error(), log) {
		t.Errorf("have %v", failed)
	}
	if !strings.Contains(out.String(), "    | t2sda: ") || !strings.Contains(out.String(), "row 1, seed 1: failed: ") {
		t.Errorf("printed\n%s", out.String())
	}
	if seconds := results[2].Outcome.Seconds; results[2].Outcome.Iterations != 2 || seconds <= 0 {
		t.Errorf("have %+v", results[2].Outcome)
	}
	// A program that cannot be started is no reason to stop either.
	o.Executable = filepath.Join(root, "none")
	results, err = TrainAll(t.Context(), jobs[1:], 1, nil, o)
	if err != nil || results[0].Err == nil || !errors.Is(results[0].Err, os.ErrNotExist) || results[1].Err != nil {
		t.Errorf("%+v, %v", results, err)
	}
}

// TestSideBySideEqualsAlone: a child trains what a run of this process does, bit
// for bit.
func TestSideBySideEqualsAlone(t *testing.T) {
	enginetest.Isolate(t)
	inChildren(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Runtime.Threads, c.Train.EvalEvery = 1, 0
	jobs := []Job{{"a", c}, {"b", c}}
	jobs[0].Config.Name, jobs[1].Config.Name = "a", "b"
	if results, err := TrainAll(t.Context(), jobs, 2, nil, quiet()); err != nil || failures(jobs, results) != nil {
		t.Fatal(err, failures(jobs, results))
	}
	alone, _ := train(t, c)
	want := lossLines(t, alone)
	for _, j := range jobs {
		if have := lossLines(t, j.Dir()); !slices.Equal(have, want) {
			t.Errorf("%s:\n%s\nalone:\n%s", j, strings.Join(have, "\n"), strings.Join(want, "\n"))
		}
		kept, err := configs.Load(filepath.Join(j.Dir(), ConfigFile), nil)
		if err != nil || kept.Name != j.Row || kept.Output != c.Output || kept.Runtime.Threads != 1 {
			t.Errorf("%s keeps %+v, %v", j, kept, err)
		}
	}
}

func TestSeats(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	for _, c := range []struct{ jobs, threads, wantJobs, wantThreads int }{
		{0, 0, 1, cores},
		{1, 0, 1, cores},
		{3, 0, 3, 1},
		{2, 4, 2, 4},
		{0, 1, cores, 1},
		{0, 2 * cores, 1, 2 * cores},
	} {
		if jobs, threads := Seats(c.jobs, c.threads); jobs != c.wantJobs || threads != c.wantThreads {
			t.Errorf("Seats(%d, %d) is %d runs of %d threads, want %d of %d", c.jobs, c.threads, jobs, threads, c.wantJobs, c.wantThreads)
		}
	}
}

// TestJobMeter: of four runs one was complete, one had half of its iterations.
// After 10 s one has ended, and the half one has come to three quarters: 1.25
// runs' worth in 10 s, 1.25 are left.
func TestJobMeter(t *testing.T) {
	c := configs.Default()
	c.Output, c.Train.Iterations, c.Runtime.Threads = t.TempDir(), 8, 1
	var jobs []Job
	for _, name := range []string{"complete", "half", "whole", "none"} {
		j := Job{name, c}
		j.Config.Name = name
		if err := os.Mkdir(j.Dir(), 0o755); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	writeFile(t, filepath.Join(jobs[1].Dir(), eventsFile), "{\"iteration\":2}\n{\"iteration\":3}\n{\"iter")
	var out bytes.Buffer
	o := quiet()
	o.Out = &out
	m := newJobMeter(o, jobs, []int{1, 2, 3}, 2)
	defer m.stop()
	if eta := m.eta(m.began.Add(time.Second)); eta != "unknown" {
		t.Errorf("before anything was done, %s are left", eta)
	}
	m.columns = func() int { return 70 }
	m.started(jobs[1])
	m.started(jobs[2])
	m.ended(jobs[2], JobResult{Outcome: &Outcome{Result: &score.Result{MIoU: 0.5}, Seconds: 9}}, false)
	writeFile(t, filepath.Join(jobs[1].Dir(), eventsFile), "{\"iteration\":5}\n")
	if eta := m.eta(m.began.Add(10 * time.Second)); eta != "10s" {
		t.Errorf("%s are left, want 10 s", eta)
	}
	m.ended(jobs[1], JobResult{Err: errors.New("no disk")}, true) // interrupted: not told
	m.draw()
	for _, want := range []string{
		"4 runs, 1 complete; up to 2 at a time, threads per run: 1",
		"[2/4] whole, seed 1: target mIoU 50.0 %, 9 s; 2 to go, ETA ",
		// 1 + 1 + 0.75 of 4 runs are 13.75 of 20 cells.
		"[█████████████·······] 2/4 runs, 1 training, ETA ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed no %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "no disk") {
		t.Errorf("an interrupted run is told as a failure:\n%s", out.String())
	}
}

func TestMeanStd(t *testing.T) {
	nan := score.Score(math.NaN())
	for _, c := range []struct {
		scores    []score.Score
		mean, std score.Score
		n         int
	}{
		{[]score.Score{0.25}, 0.25, 0, 1},
		{[]score.Score{0.25, nan, 0.75}, 0.5, score.Score(math.Sqrt(0.125)), 2},
		{[]score.Score{nan}, nan, nan, 0},
	} {
		mean, std, n := MeanStd(c.scores)
		if fmt.Sprint(mean, std, n) != fmt.Sprint(c.mean, c.std, c.n) {
			t.Errorf("%v: %v ± %v of %d, want %v ± %v of %d", c.scores, mean, std, n, c.mean, c.std, c.n)
		}
	}
}
