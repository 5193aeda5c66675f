package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"t2sda/graphs/engine/enginetest"

	"t2sda/configs"
	"t2sda/export/score"
)

// TestGapByHand: source-only at a mean of 30 %, the oracle at 70 %, so 60 % has
// recovered 3/4 of the gap.
func TestGapByHand(t *testing.T) {
	c := &Comparison{Name: "x", Iterations: 9, Seeds: []uint{1, 2}, Rows: []MethodRow{
		{Method: configs.SourceOnly, MIoU: []score.Score{0.28, 0.32}, Seconds: 4},
		{Method: configs.T2S, MIoU: []score.Score{0.55, 0.65}, Seconds: 10},
		{Method: configs.TargetOnly, MIoU: []score.Score{0.7, 0.7}, Seconds: 6},
	}}
	c.finish()
	for i, want := range []struct{ mean, std, gap, seconds float64 }{
		{0.3, 0.02 * math.Sqrt2, 0, 2},
		{0.6, 0.05 * math.Sqrt2, 0.75, 5},
		{0.7, 0, 1, 3},
	} {
		r := c.Rows[i]
		if math.Abs(float64(r.Mean)-want.mean) > 1e-12 || math.Abs(float64(r.Std)-want.std) > 1e-12 || r.Seconds != want.seconds {
			t.Errorf("%s: mean %g ± %g in %g s, want %g ± %g in %g s", r.Method, r.Mean, r.Std, r.Seconds, want.mean, want.std, want.seconds)
		}
		if r.Gap == nil || math.Abs(*r.Gap-want.gap) > 1e-12 {
			t.Errorf("%s: gap %v, want %g", r.Method, r.Gap, want.gap)
		}
	}
	const want = `| method | seed 1 | seed 2 | mean ± std | gap recovered | s/run |
|---|---|---|---|---|---|
| source-only | 28.0 | 32.0 | 30.0 ± 2.8 | 0 % | 2 |
| t2s | 55.0 | 65.0 | 60.0 ± 7.1 | 75 % | 5 |
| target-only | 70.0 | 70.0 | 70.0 ± 0.0 | 100 % | 3 |
`
	if got := c.Markdown(); got != want {
		t.Errorf("have\n%s\nwant\n%s", got, want)
	}
}

// TestNoGapWithoutBothEnds: a share of an unknown or empty gap is not printed.
func TestNoGapWithoutBothEnds(t *testing.T) {
	for name, rows := range map[string][]MethodRow{
		"no oracle": {{Method: configs.SourceOnly, MIoU: []score.Score{0.3}}, {Method: configs.T2S, MIoU: []score.Score{0.5}}},
		"no gap":    {{Method: configs.SourceOnly, MIoU: []score.Score{0.3}}, {Method: configs.TargetOnly, MIoU: []score.Score{0.3}}},
	} {
		c := &Comparison{Seeds: []uint{1}, Rows: rows}
		c.finish()
		for _, r := range c.Rows {
			if r.Gap != nil || r.Std != 0 {
				t.Errorf("%s: %s has gap %v, deviation %g", name, r.Method, r.Gap, r.Std)
			}
		}
	}
}

// TestHoles: a run that failed leaves a hole, and statistics are over the rest:
// of 28 % and 32 %, 30 % and √8 % = 2.8 %.
func TestHoles(t *testing.T) {
	hole := score.Score(math.NaN())
	c := &Comparison{Seeds: []uint{1, 2, 3}, Failures: []string{"row t2s seed 2 failed: no disk"}, Rows: []MethodRow{
		{Method: configs.T2S, MIoU: []score.Score{0.28, hole, 0.32}, Seconds: 8},
		{Method: configs.SourceOnly, MIoU: []score.Score{hole, hole, hole}},
		{Method: configs.TargetOnly, MIoU: []score.Score{hole, hole, 0.5}, Seconds: 3},
	}}
	c.finish()
	const want = `| method | seed 1 | seed 2 | seed 3 | mean ± std | gap recovered | s/run |
|---|---|---|---|---|---|---|
| t2s | 28.0 | – | 32.0 | 30.0 ± 2.8 | – | 4 |
| source-only | – | – | – | – ± – | – | 0 |
| target-only | – | – | 50.0 | 50.0 ± 0.0 | – | 3 |

row t2s seed 2 failed: no disk
`
	if got := c.Markdown(); got != want {
		t.Errorf("have\n%s\nwant\n%s", got, want)
	}
	if _, err := json.Marshal(c); err != nil {
		t.Error(err)
	}
}

func compareConfig(root, output string) configs.Config {
	c := shapesConfig(root, output)
	c.Data.Target = c.Data.Eval // for the oracle
	c.Train.Iterations, c.Train.EvalEvery, c.Train.CheckpointEvery = 2, 0, 0
	return c
}

// TestCompare interrupts a comparison in its second half; the table has its first half then.
// The same call continues, trains no run twice and completes the table.
func TestCompare(t *testing.T) {
	enginetest.Isolate(t)
	inChildren(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := compareConfig(root, t.TempDir())
	c.Train.Iterations = 30
	o := CompareOptions{Methods: []string{configs.SourceOnly, configs.TargetOnly}, Seeds: []uint{4, 9}, Jobs: 1}
	dir := filepath.Join(c.Output, "shapes-compare")
	third := filepath.Join(dir, "source-only-seed9")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	meanwhile := make(chan string, 1)
	go func() {
		for ctx.Err() == nil && iterations(third) < 3 {
			time.Sleep(time.Millisecond)
		}
		text, _ := os.ReadFile(filepath.Join(dir, compareMarkdown))
		meanwhile <- string(text)
		cancel()
	}()
	half, err := Compare(ctx, c, o, quiet())
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "2 of 4 runs complete") || !strings.Contains(err.Error(), "the same command continues") {
		t.Fatal(err)
	}
	if len(half.Failures) > 0 || math.IsNaN(float64(half.Rows[1].Mean)) {
		t.Errorf("after the interrupt: %+v", half)
	}
	text, err := os.ReadFile(filepath.Join(dir, compareMarkdown))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{<-meanwhile, string(text)} {
		if text != half.Markdown() {
			t.Errorf("the table of half of the runs:\n%s\nwant\n%s", text, half.Markdown())
		}
	}
	saved, err := checkpoints(third, lastPrefix)
	if err != nil || len(saved) != 1 {
		t.Fatalf("the interrupt left %v, %v", saved, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "target-only-seed9")); err == nil {
		t.Error("a run began after the interrupt")
	}
	var out bytes.Buffer
	again := quiet()
	again.Out = &out
	table, err := Compare(t.Context(), c, o, again)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4 runs, 2 complete", "[3/4] source-only, seed 9: target mIoU", "; 1 to go, ETA ", "[4/4] target-only, seed 9: target mIoU"} {
		if n := strings.Count(out.String(), want); n != 1 {
			t.Errorf("printed %d times %q:\n%s", n, want, out.String())
		}
	}
	if len(table.Rows) != 2 || len(table.Rows[0].MIoU) != 2 || len(table.Rows[1].IoU["box"]) != 2 || table.Threads < 1 {
		t.Errorf("have %+v", table)
	}
	if g := table.Rows[1].Gap; table.Rows[0].Mean != table.Rows[1].Mean && (g == nil || *g != 1) {
		t.Errorf("the oracle recovers %v of the gap", g)
	}
	text, err = os.ReadFile(filepath.Join(dir, compareMarkdown))
	if err != nil || string(text) != table.Markdown() || !strings.Contains(out.String(), "gap recovered") {
		t.Errorf("%v: table %s\nprinted %s", err, text, out.String())
	}
	checkRefused(t, c, o)
}

// checkRefused: what is there is not mixed with runs of other numbers.
func checkRefused(t *testing.T, c configs.Config, o CompareOptions) {
	other := c
	other.Train.LR *= 2
	if _, err := Compare(t.Context(), other, o, quiet()); err == nil || !strings.Contains(err.Error(), "belongs to another configuration") {
		t.Errorf("a comparison of other numbers: have %v", err)
	}
	other = c
	other.Runtime.Threads = 99
	if _, err := Compare(t.Context(), other, o, quiet()); err == nil || !strings.Contains(err.Error(), "this time it is 99: set runtime.threads=") {
		t.Errorf("a comparison with other threads: have %v", err)
	}
}

// iterations counts the lines of a run's events.
func iterations(dir string) int {
	text, _ := os.ReadFile(filepath.Join(dir, eventsFile))
	return bytes.Count(text, []byte("\n"))
}

func TestBadComparisons(t *testing.T) {
	for _, c := range []struct {
		o    CompareOptions
		want string
	}{
		{CompareOptions{}, "want at least one method and one seed"},
		{CompareOptions{Methods: []string{configs.T2S}}, "want at least one method and one seed"},
		{CompareOptions{Methods: []string{configs.T2S}, Seeds: []uint{1, 2, 1}}, "seed 1 is there twice"},
		{CompareOptions{Methods: []string{configs.T2S, configs.T2S}, Seeds: []uint{1}}, "method t2s is there twice"},
		{CompareOptions{Methods: []string{configs.T2S}, Seeds: []uint{1}, Jobs: -1}, "want at least 1 job"},
		{CompareOptions{Methods: []string{"magic"}, Seeds: []uint{1}}, "method magic: "},
	} {
		_, err := Compare(t.Context(), shapesConfig("x", t.TempDir()), c.o, quiet())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("have %v, want … %s", err, c.want)
		}
	}
}
