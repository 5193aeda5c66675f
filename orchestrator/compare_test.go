package orchestrator

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/configs"
)

// TestGapByHand: source-only at a mean of 30 %, the oracle at 70 %, so 60 % has
// recovered 3/4 of the gap.
func TestGapByHand(t *testing.T) {
	c := &Comparison{Name: "x", Iterations: 9, Seeds: []uint{1, 2}, Rows: []MethodRow{
		{Method: configs.SourceOnly, MIoU: []float64{0.28, 0.32}, Seconds: 4},
		{Method: configs.T2S, MIoU: []float64{0.55, 0.65}, Seconds: 10},
		{Method: configs.TargetOnly, MIoU: []float64{0.7, 0.7}, Seconds: 6},
	}}
	c.finish()
	for i, want := range []struct{ mean, std, gap, seconds float64 }{
		{0.3, 0.02 * math.Sqrt2, 0, 2},
		{0.6, 0.05 * math.Sqrt2, 0.75, 5},
		{0.7, 0, 1, 3},
	} {
		r := c.Rows[i]
		if math.Abs(r.Mean-want.mean) > 1e-12 || math.Abs(r.Std-want.std) > 1e-12 || r.Seconds != want.seconds {
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
		"no oracle": {{Method: configs.SourceOnly, MIoU: []float64{0.3}}, {Method: configs.T2S, MIoU: []float64{0.5}}},
		"no gap":    {{Method: configs.SourceOnly, MIoU: []float64{0.3}}, {Method: configs.TargetOnly, MIoU: []float64{0.3}}},
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

func compareConfig(root, output string) configs.Config {
	c := shapesConfig(root, output)
	c.Data.Target = c.Data.Eval // for the oracle
	c.Train.Iterations, c.Train.EvalEvery, c.Train.CheckpointEvery = 2, 0, 0
	return c
}

// TestCompare interrupts a comparison in its second half; the same call then
// continues, trains no run twice and writes the table.
func TestCompare(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := compareConfig(root, t.TempDir())
	o := CompareOptions{Methods: []string{configs.SourceOnly, configs.TargetOnly}, Seeds: []uint{4, 9}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	runs := 0
	stop := quiet()
	stop.Out = writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), " 1/2 ") {
			if runs++; runs == 3 {
				cancel()
			}
		}
		return len(p), nil
	})
	_, err := Compare(ctx, c, o, stop)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "source-only, seed 9: ") || !strings.Contains(err.Error(), "the same command continues") {
		t.Fatal(err)
	}
	var out bytes.Buffer
	again := quiet()
	again.Out = &out
	table, err := Compare(t.Context(), c, o, again)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), " 1/2 "); n != 1 { // the oracle's second seed
		t.Errorf("%d first iterations after the interrupt, want 1:\n%s", n, out.String())
	}
	if len(table.Rows) != 2 || len(table.Rows[0].MIoU) != 2 || len(table.Rows[1].IoU["box"]) != 2 {
		t.Errorf("have %+v", table)
	}
	if g := table.Rows[1].Gap; table.Rows[0].Mean != table.Rows[1].Mean && (g == nil || *g != 1) {
		t.Errorf("the oracle recovers %v of the gap", g)
	}
	text, err := os.ReadFile(filepath.Join(c.Output, "shapes-compare", "compare.md"))
	if err != nil || string(text) != table.Markdown() || !strings.Contains(out.String(), "gap recovered") {
		t.Errorf("%v: table %s\nprinted %s", err, text, out.String())
	}
	c.Train.LR *= 2
	if _, err := Compare(t.Context(), c, o, quiet()); err == nil || !strings.Contains(err.Error(), "belongs to another configuration") {
		t.Errorf("a comparison of other numbers: have %v", err)
	}
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
		{CompareOptions{Methods: []string{"magic"}, Seeds: []uint{1}}, "method magic: "},
	} {
		_, err := Compare(t.Context(), shapesConfig("x", t.TempDir()), c.o, quiet())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("have %v, want … %s", err, c.want)
		}
	}
}
