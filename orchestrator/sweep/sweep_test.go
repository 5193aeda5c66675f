package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"t2sda/graphs/engine/enginetest"

	"t2sda/configs"
	"t2sda/export/score"
	"t2sda/internal/atomicfile"
	"t2sda/orchestrator"
)

// childEnv makes the test binary the program that trains a run.
const childEnv = "T2SDA_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg, err := configs.Load(os.Args[len(os.Args)-1], nil) // train --resume -c FILE
	if err == nil {
		_, err = orchestrator.Run(ctx, cfg, orchestrator.Options{Log: zap.NewNop(), Out: os.Stdout, Resume: true})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "t2sda:", err)
		os.Exit(1)
	}
}

func load(t testing.TB, text string) *configs.Sweep {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := configs.LoadSweep(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func plan(t *testing.T, s *configs.Sweep, o Options) *Plan {
	t.Helper()
	p, err := New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func quiet(out *bytes.Buffer) orchestrator.Options {
	return orchestrator.Options{Log: zap.NewNop(), Out: out}
}

// byHand is a sweep that is never trained: outcomes are put into its store.
const byHand = `
name: s
title: By hand
config: streets
seeds: [1, 2, 3]
baseline: base
rows:
  - {name: better, set: {train.lr: 0.5}}
  - {name: base, set: {train.lr: 0.25}}
  - {name: gone, set: {train.lr: 0.125}}
`

// put notes what a row's run of a seed reached.
func (p *Plan) put(t *testing.T, s *store, row string, seed uint64, miou, seconds float64, failure string) {
	t.Helper()
	for _, v := range p.variants {
		if v.Name == row {
			j := p.job(v, seed)
			s.put(Entry{
				Row: row, Seed: seed, Hash: j.Config.Hash(), Threads: p.threads, Error: failure,
				MIoU: score.Score(miou), Seconds: seconds,
			})
		}
	}
}

// TestTableByHand: base has 30, 34 and 38 %, better 32 and 40 % with seeds 1 and
// 3, both 2 points above it; a third row failed with seed 1. A fourth seed is
// known of better only, and of something that is in the table no more.
func TestTableByHand(t *testing.T) {
	p := plan(t, load(t, byHand), Options{})
	s := &store{}
	for i, miou := range []float64{0.30, 0.34, 0.38} {
		p.put(t, s, "base", uint64(i+1), miou, 10, "")
	}
	p.put(t, s, "better", 1, 0.32, 20, "")
	p.put(t, s, "better", 3, 0.40, 40, "")
	p.put(t, s, "better", 8, 0.36, 30, "")
	p.put(t, s, "gone", 1, math.NaN(), 0, "no disk (train.log)")
	s.put(Entry{Seed: 9, Hash: "other", Threads: 1, MIoU: 0.99})
	const want = `**By hand**

configuration streets, 1600 iterations, threads per run: 1; target mIoU in %; differences are to base, paired by seed

| row | seed 1 | seed 2 | seed 3 | seed 8 | mean ± std | difference | s/run |
|---|---|---|---|---|---|---|---|
| better | 32.0 | – | 40.0 | 36.0 | 36.0 ± 4.0 | +2.0 ± 0.0 | 30 |
| base | 30.0 | 34.0 | 38.0 | – | 34.0 ± 4.0 | – | 10 |
| gone | – | – | – | – | – | – | – |

row gone seed 1 failed: no disk (train.log)
`
	table := p.tabulate(s)
	if have := table.Markdown(); have != want {
		t.Errorf("have\n%s\nwant\n%s", have, want)
	}
	if err := p.failed(s); err == nil || err.Error() != "row gone seed 1 failed: no disk (train.log)" {
		t.Errorf("have %v", err)
	}
	if img, err := p.picture(table); err != nil || img.Bounds().Empty() {
		t.Errorf("the picture: %v", err)
	}
	if len(table.Runs) != 8 {
		t.Errorf("%d runs are kept, want 8", len(table.Runs))
	}
}

// TestPairedDeviation: differences of 1 and 3 points have the mean 2 and the
// deviation √2; a row with one seed has none.
func TestPairedDeviation(t *testing.T) {
	table := &Table{Baseline: "b", Seeds: []uint64{1, 2}, Rows: []Row{
		{Name: "a", MIoU: []score.Score{0.31, 0.53}}, {Name: "b", MIoU: []score.Score{0.30, 0.50}}, {Name: "c", MIoU: []score.Score{missing, 0.48}},
	}}
	table.hold()
	a, c := table.Rows[0], table.Rows[2]
	if math.Abs(float64(a.Difference)-0.02) > 1e-12 || math.Abs(float64(a.DifferenceStd)-0.01*math.Sqrt2) > 1e-12 {
		t.Errorf("a: %v ± %v", float64(a.Difference), float64(a.DifferenceStd))
	}
	if have := table.cells(); have[1][4] != "+2.0 ± 1.4" || have[3][4] != "-2.0" || have[2][4] != "–" {
		t.Errorf("have %q", have)
	}
	if math.Abs(float64(c.Difference)+0.02) > 1e-12 || c.DifferenceStd != 0 {
		t.Errorf("c: %v ± %v", float64(c.Difference), float64(c.DifferenceStd))
	}
}

// TestGapRecovered: of the gap of 20 points over the seeds that all three rows
// have, the method recovers 5; seed 3 lacks the oracle and does not count.
func TestGapRecovered(t *testing.T) {
	table := &Table{Baseline: "below", Oracle: "above", Seeds: []uint64{1, 2, 3}, Rows: []Row{
		{Name: "below", MIoU: []score.Score{0.30, 0.34, 0.10}},
		{Name: "method", MIoU: []score.Score{0.36, 0.38, 0.90}},
		{Name: "above", MIoU: []score.Score{0.50, 0.54, missing}},
		{Name: "nothing", MIoU: []score.Score{missing, missing, 0.2}},
	}}
	table.hold()
	for i, want := range []string{"–", "25 %", "100 %", "–"} {
		if have := table.cells()[1+i]; have[6] != want {
			t.Errorf("%s recovers %s, want %s: %q", table.Rows[i].Name, have[6], want, have)
		}
	}
}

// TestThreadsTellRunsApart: what another number of threads reached is no result
// of this sweep, and lies elsewhere.
func TestThreadsTellRunsApart(t *testing.T) {
	one, two := plan(t, load(t, byHand), Options{}), plan(t, load(t, byHand), Options{Settings: []string{"runtime.threads=2"}})
	s := &store{}
	one.put(t, s, "base", 1, 0.3, 10, "")
	if a, b := one.tabulate(s), two.tabulate(s); math.IsNaN(float64(a.Rows[1].Mean)) || !math.IsNaN(float64(b.Rows[1].Mean)) {
		t.Errorf("have %+v and %+v", a.Rows[1], b.Rows[1])
	}
	if a, b := one.jobs[0].Dir(), two.jobs[0].Dir(); b != a+"-threads2" {
		t.Errorf("have %s and %s", a, b)
	}
}

// TestTablesBeside: what other sweeps' tables in the folder have of a sweep's runs is known to it, under its own
// row's name, unless it failed there or had another number of threads; what the sweep has
// itself counts first. Damaged tables and other files are passed over.
func TestTablesBeside(t *testing.T) {
	p := plan(t, load(t, byHand), Options{Out: t.TempDir()})
	other := plan(t, load(t, strings.NewReplacer("name: s", "name: other", "name: base", "name: elsewhere", "baseline: base", "baseline: better").Replace(byHand)), Options{Out: p.out})
	own, beside := &store{}, &store{}
	p.put(t, own, "base", 1, 0.30, 10, "")
	p.put(t, own, "better", 2, math.NaN(), 0, "no disk")
	other.put(t, beside, "elsewhere", 1, 0.99, 10, "")
	other.put(t, beside, "elsewhere", 2, 0.34, 10, "")
	other.put(t, beside, "better", 1, math.NaN(), 0, "no memory")
	other.put(t, beside, "better", 2, 0.36, 10, "")
	gone := p.job(p.variants[2], 1)
	beside.put(Entry{Seed: 1, Hash: gone.Config.Hash(), Threads: p.threads + 1, MIoU: 0.5})
	if err := errors.Join(p.write(atomicfile.Disk{}, p.tabulate(own)), other.write(atomicfile.Disk{}, other.tabulate(beside))); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"damaged.json": `{"runs":[{"miou":2}]}`, "list.json": `[1]`, "no.json": `{`} {
		if err := os.WriteFile(filepath.Join(p.out, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	known, err := p.read()
	if err != nil {
		t.Fatal(err)
	}
	table := p.tabulate(known)
	if have := fmt.Sprint(table.Rows[0].MIoU, table.Rows[1].MIoU, table.Rows[2].MIoU); have != "[– 36.00 –] [30.00 34.00 –] [– – –]" {
		t.Errorf("have %s", have)
	}
	if e := p.find(known, p.variants[1], 2); e.Row != "base" {
		t.Errorf("a run of another table stands under %q", e.Row)
	}
	var out bytes.Buffer
	if err := p.Print(&out); err != nil || !strings.Contains(out.String(), "34.0 % in "+other.path(".json")) || !strings.Contains(out.String(), "30.0 % in "+p.path(".json")) || !strings.Contains(out.String(), "9 runs, 6 to be trained") ||
		strings.Count(out.String(), "passed over, ") != 3 || !strings.Contains(out.String(), "trained again: "+filepath.Join(p.out, "no.json")) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestEstimate(t *testing.T) {
	known := map[string][]float64{"t2s": {10, 20}, "source-only": {6}}
	for _, c := range []struct {
		open []string
		want string
	}{
		{nil, "0s"},
		{[]string{"t2s", "t2s", "source-only"}, "18s"}, // (15 + 15 + 6) / 2
		{[]string{"other"}, "6s"},                      // 12 / 2
	} {
		if have := estimate(known, c.open, 2); have != c.want {
			t.Errorf("%v: %s, want %s", c.open, have, c.want)
		}
	}
	if have := estimate(nil, []string{"t2s"}, 2); have != "unknown until one is there" {
		t.Errorf("have %s", have)
	}
}

// TestCurvePicture: a grid with one numeric key is a curve per row.
func TestCurvePicture(t *testing.T) {
	p := plan(t, load(t, `
name: s
config: streets
seeds: [1, 2]
rows: [{name: a}, {name: b, set: {train.batch: 1}}]
grid: {loss.pull.tau: [0.1, 10]}
paper: {source: A, rows: {b tau=0.1: {miou: 50}}}
`), Options{})
	s := &store{}
	for i, row := range []string{"a tau=0.1", "a tau=10", "b tau=0.1"} {
		for seed := range uint64(2) {
			p.put(t, s, row, seed+1, 0.1*float64(i)+0.1*float64(seed), 1, "")
		}
	}
	table := p.tabulate(s)
	series := p.curves(table)
	if len(series) != 2 || series[0].Name != "a" || fmt.Sprint(series[0].X, series[1].X) != "[0.1 10] [0.1 10]" || !spansDecades(series) {
		t.Fatalf("have %+v", series)
	}
	if y, half := series[0].Y[1], series[0].Err[1]; math.Abs(y-15) > 1e-9 || math.Abs(half-10/math.Sqrt2) > 1e-9 || !math.IsNaN(series[1].Y[1]) {
		t.Errorf("have %+v", series)
	}
	if _, err := p.picture(table); err != nil {
		t.Error(err)
	}
	if have := fmt.Sprint(series[0].Others, series[1].Others); have != "[NaN NaN] [50 NaN]" {
		t.Errorf("published: %s", have)
	}
	table.Paper.On = "X → Y"
	if have := fmt.Sprint(p.curves(table)[1].Others); have != "[NaN NaN]" {
		t.Errorf("published of other data: %s", have)
	}
}

func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Rows: []string{"base", "bse"}}, `sweep s: there is no row "bse"; there are "better", "base", "gone"`},
		{Options{Jobs: -2}, "sweep s: want at least 1 job"},
		{Options{Seeds: []uint{1, 1}}, "sweep s: seed 1 is there twice"},
		{Options{Settings: []string{"train.lr=1"}}, "rows of the sweep set this key"},
		{Options{Settings: []string{"model.encoder=vgg"}}, `sweep s: row "better": model: `},
	} {
		if _, err := New(load(t, byHand), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("have %v, want %s", err, c.want)
		}
	}
}

// tiny makes runs of seconds.
const tiny = `
config: streets
settings:
  method: source-only
  data.streets.train: 6
  data.streets.val: 2
  data.streets.size.width: 128
  data.streets.size.height: 64
  data.crop.width: 64
  data.crop.height: 64
  model.head_width: 16
  train.warmup: 0
  train.eval_every: 0
  train.checkpoint_every: 0
  runtime.device: cpu
`

// TestSweep: equal rows are one run; one that diverges is a hole and an error;
// a table's JSON spares training, and a seed more is added to it.
func TestSweep(t *testing.T) {
	enginetest.Isolate(t)
	t.Setenv(childEnv, "1")
	t.Chdir(t.TempDir())
	s := load(t, "name: s\nseeds: [1]\nbaseline: a\n"+tiny+`
  train.iterations: 2
rows:
  - {name: a}
  - {name: as a, set: {loss.pull.tau: 0.7}} # which source-only does not read
  - {name: diverges, set: {train.lr: 1.0e+37}}
`)
	var out bytes.Buffer
	_, err := plan(t, s, Options{Jobs: 2}).Run(t.Context(), quiet(&out))
	if err == nil || !strings.Contains(err.Error(), "row diverges seed 1 failed: the loss diverged at iteration 1 ") {
		t.Fatalf("have %v\n%s", err, out.String())
	}
	dir := filepath.Join("runs", "sweeps")
	if runs, err := filepath.Glob(filepath.Join(dir, "runs", "*", "config.yaml")); err != nil || len(runs) != 2 {
		t.Errorf("run directories %v, %v", runs, err)
	}
	checkFiles(t, dir)
	kept := read(t, filepath.Join(dir, "s.json"))

	// Elsewhere, with the table's files only: nothing but seed 2 is trained.
	t.Chdir(t.TempDir())
	if err := os.WriteFile("before.json", []byte(kept), 0o644); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	o := Options{Rows: []string{"a", "as a"}, Seeds: []uint{1, 2}, Out: "."}
	if err := plan(t, s, o).Print(&out); err != nil || !strings.Contains(out.String(), "2 runs, 1 to be trained") || strings.Count(out.String(), "the same run") != 2 {
		t.Errorf("%v:\n%s", err, out.String())
	}
	out.Reset()
	table, err := plan(t, s, o).Run(t.Context(), quiet(&out))
	if err != nil {
		t.Fatal(err)
	}
	if runs, err := filepath.Glob(filepath.Join(dir, "runs", "*", "config.yaml")); err != nil || len(runs) != 1 || !strings.Contains(runs[0], "source-only-seed2-") {
		t.Errorf("run directories %v, %v", runs, err)
	}
	if !strings.Contains(out.String(), "1 of 2 runs are in before.json") || !strings.Contains(out.String(), "[1/1] a, seed 2: target mIoU") {
		t.Errorf("printed\n%s", out.String())
	}
	a, same := table.Rows[0], table.Rows[1]
	if fmt.Sprint(a.MIoU) != fmt.Sprint(same.MIoU) || math.IsNaN(float64(a.MIoU[0]+a.MIoU[1])) || same.Difference != 0 || len(table.Runs) != 2 {
		t.Errorf("have %+v", table)
	}
	out.Reset()
	if _, err := plan(t, s, o).Run(t.Context(), quiet(&out)); err != nil || !strings.Contains(out.String(), "2 of 2 runs are in s.json") {
		t.Errorf("once more: %v\n%s", err, out.String())
	}
	checkInterrupt(t)
}

// checkFiles looks at what the first call of TestSweep wrote.
func checkFiles(t *testing.T, dir string) {
	t.Helper()
	table := read(t, filepath.Join(dir, "s.md"))
	for _, want := range []string{"2 iterations, threads per run: 1", "| diverges | – | – | – | – |", "\nrow diverges seed 1 failed: the loss diverged at iteration 1 "} {
		if !strings.Contains(table, want) {
			t.Errorf("s.md lacks %q:\n%s", want, table)
		}
	}
	known, err := readStore(filepath.Join(dir, "s.json"))
	if err != nil || len(known.runs) != 2 || known.runs[0].IoU["road"] <= 0 || known.runs[0].Row != "a" || known.runs[1].Error == "" {
		t.Errorf("s.json holds %+v, %v", known, err)
	}
	file, err := os.Open(filepath.Join(dir, "s.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := png.Decode(file); err != nil {
		t.Error(err)
	}
}

// checkInterrupt stops a run and continues it by the same call. The run before it is in the
// table by then, and the one that was stopped is not called a failure.
func checkInterrupt(t *testing.T) {
	s := load(t, "name: long\nseeds: [1]\n"+tiny+"rows: [{name: short, set: {train.iterations: 2}}, {name: long, set: {train.iterations: 60}}]\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := plan(t, s, Options{Jobs: 1})
	events := filepath.Join(p.jobs[1].Dir(), "events.jsonl")
	meanwhile := make(chan *store, 1)
	go func() {
		for ctx.Err() == nil {
			if text, _ := os.ReadFile(events); bytes.Count(text, []byte("\n")) > 2 {
				known, _ := readStore(p.path(".json"))
				meanwhile <- known
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	var out bytes.Buffer
	table, err := p.Run(ctx, quiet(&out))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped with 1 of 2 runs complete; what was trained is saved, the same command continues") {
		t.Fatalf("have %v", err)
	}
	if known := <-meanwhile; known == nil || len(known.runs) != 1 || known.runs[0].Row != "short" {
		t.Errorf("beside the second run the table had %+v", known)
	}
	if table == nil || math.IsNaN(float64(table.Rows[0].Mean)) || !math.IsNaN(float64(table.Rows[1].Mean)) || len(table.Failures) > 0 {
		t.Errorf("after the interrupt: %+v", table)
	}
	if saved, err := filepath.Glob(filepath.Join(p.jobs[1].Dir(), "checkpoints", "iter_*")); err != nil || len(saved) != 1 {
		t.Errorf("the interrupt left %v, %v", saved, err)
	}
	out.Reset()
	table, err = p.Run(t.Context(), quiet(&out))
	if err != nil || math.IsNaN(float64(table.Rows[1].Mean)) || !strings.Contains(out.String(), "1 of 2 runs are in runs/sweeps/long.json") {
		t.Errorf("%+v, %v\n%s", table, err, out.String())
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRowsBetweenCommas: names that hold commas are named as they stand.
func TestRowsBetweenCommas(t *testing.T) {
	s := load(t, "name: s\nconfig: streets\nseeds: [1]\nrows: [{name: b}, {name: 'a, b', set: {train.lr: 1}}, {name: c, set: {train.lr: 2}}]\n")
	for _, c := range []struct {
		rows []string
		want string
	}{
		{nil, "b|a, b|c"},
		{[]string{"a, b"}, "a, b"},
		{[]string{"a,b"}, "a,b"},
		{[]string{"c,b"}, "b|c"},
		{[]string{"c, a, b"}, "a, b|c"},
		{[]string{"c", "b, c"}, "b|c"},
		{[]string{"b,"}, ""},
	} {
		p, err := New(s, Options{Rows: c.rows})
		var have []string
		for i := 0; err == nil && i < len(p.cells); i++ {
			have = append(have, p.cells[i].row)
		}
		if c.want == "a,b" || c.want == "" {
			if err == nil || !strings.Contains(err.Error(), "there is no row") {
				t.Errorf("%q: %q, %v", c.rows, have, err)
			}
		} else if err != nil || strings.Join(have, "|") != c.want {
			t.Errorf("%q: %q, %v; want %s", c.rows, have, err, c.want)
		}
	}
}
