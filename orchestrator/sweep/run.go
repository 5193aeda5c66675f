package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"t2sda/internal/atomicfile"
	"t2sda/internal/plural"
	"t2sda/internal/raster"
	"t2sda/internal/texttable"
	"t2sda/orchestrator"
)

// Run trains what was asked for and is not known yet, prints the table and
// writes NAME.json, NAME.md and NAME.png, after every run and at the end. Runs that fail are
// holes in the table, and an error at the end. Where data is missing, nothing is trained and
// what is known is tabulated, as it is after an interrupt. Of a shard, no table is made.
func (p *Plan) Run(ctx context.Context, o orchestrator.Options) (*Table, error) {
	if p.shard.Of > 0 {
		return nil, p.trainShard(ctx, o)
	}
	lock, err := orchestrator.Lock(p.runs)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the lock goes with it
	known, err := p.read()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.out, 0o755); err != nil { // before the work, not after it
		return nil, err
	}
	_ = atomicfile.RemoveLeftovers(p.out) // what stays costs space only
	for _, ext := range []string{".json", ".md", ".png"} {
		if err := atomicfile.Try(p.path(ext)); err != nil {
			return nil, err
		}
	}
	err = p.train(ctx, p.jobs, known, func() error { return p.write(o.Disk, p.tabulate(known)) }, o)
	if missing := new(orchestrator.MissingError); err != nil && (ctx.Err() == nil && !errors.As(err, &missing) || len(known.runs) == 0) {
		return nil, err
	}
	t := p.tabulate(known)
	return t, errors.Join(err, p.write(o.Disk, t), t.print(o.Out), p.failed(known))
}

// train trains those of the jobs that the store has no outcome of and puts theirs there. While
// runs are still to come, write is called, if not nil, whenever there is one more.
func (p *Plan) train(ctx context.Context, jobs []orchestrator.Job, known *store, write func() error, o orchestrator.Options) error {
	var open []orchestrator.Job
	perFile := map[string]int{}
	for _, j := range jobs {
		e := known.find(j.Config.Hash(), p.threads)
		if !e.settled(p.sweep.Subsets) {
			open = append(open, j)
			continue
		}
		perFile[p.source(e)]++
	}
	known.tellPassed(o.Out)
	for _, path := range slices.Sorted(maps.Keys(perFile)) {
		fmt.Fprintf(o.Out, "%d of %d runs are in %s\n", perFile[path], len(jobs), path)
	}
	before := slices.Clone(known.runs)
	put := func(results []orchestrator.JobResult) {
		known.runs = slices.Clone(before) // the file's order is the jobs', not that of their ends
		for i, r := range results {
			if r.Outcome != nil || r.Err != nil {
				known.put(p.entryOf(open[i], r))
			}
		}
	}
	results, err := orchestrator.TrainAll(ctx, open, p.atATime, func(results []orchestrator.JobResult) error {
		if put(results); write != nil {
			return write()
		}
		return nil
	}, o)
	put(results)
	return err
}

// failed joins the errors of what was asked for.
func (p *Plan) failed(known *store) error {
	var errs []error
	for _, c := range p.cells {
		if e := known.find(p.jobs[c.job].Config.Hash(), p.threads); e != nil && !e.settled(p.sweep.Subsets) {
			errs = append(errs, fmt.Errorf("row %s seed %d failed: %s", c.row, c.seed, e.failure(p.sweep.Subsets)))
		}
	}
	return errors.Join(errs...)
}

// write writes the table's files. A picture from before goes where there is nothing to draw
// any more.
func (p *Plan) write(disk atomicfile.Disk, t *Table) error {
	err := errors.Join(disk.WriteJSON(p.path(".json"), t), disk.Write(p.path(".md"), []byte(t.Markdown())))
	if !slices.ContainsFunc(t.Rows, func(r Row) bool { return !math.IsNaN(float64(r.Mean)) }) {
		return errors.Join(err, disk.RemoveAll(p.path(".png")))
	}
	img, drawn := p.picture(t)
	if drawn != nil {
		return errors.Join(err, drawn)
	}
	text, encoded := raster.EncodePNG(img)
	if encoded != nil {
		return errors.Join(err, encoded)
	}
	return errors.Join(err, disk.Write(p.path(".png"), text))
}

func (t *Table) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s: %s\n", t.Name, t.Caption)
	cells := t.cells()
	err := texttable.Write(w, cells[:1], cells[1:])
	for _, line := range slices.Concat(t.sources(), t.Failures) {
		fmt.Fprintln(w, line)
	}
	return err
}

// Print lists the runs that were asked for, where each is known from and how long
// the others will take, judging by those.
func (p *Plan) Print(w io.Writer) error {
	known, err := p.read()
	if err != nil {
		return err
	}
	lines, open, seconds, err := p.list(known)
	if err != nil {
		return err
	}
	known.tellPassed(w)
	if err := texttable.Write(w, lines[:1], lines[1:]); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s, %d to be trained, up to %d at a time, threads per run: %d; estimated time: %s\n",
		plural.Of(len(p.jobs), "run", "runs"), len(open), p.atATime, p.threads, estimate(seconds, open, p.atATime))
	return err
}

// list makes a line of every cell, the heads first, and lists the methods of what has to be
// trained, and by method the seconds that the other runs took.
func (p *Plan) list(s *store) (lines [][]string, open []string, seconds map[string][]float64, err error) {
	table := p.tabulate(s) // for what was published
	lines, seconds = [][]string{{"row", "seed", "configuration", "run"}}, map[string][]float64{}
	if table.Paper != nil {
		lines[0] = append(lines[0], table.Paper.heading())
	}
	for i, j := range p.jobs {
		e, where, err := p.known(s, j)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", j, err)
		}
		said := "to be trained"
		if method := string(j.Config.Method); e.settled(p.sweep.Subsets) {
			seconds[method] = append(seconds[method], e.Seconds)
			said = fmt.Sprintf("%s %% in %s", e.score(p.sweep.Subsets).Short(), where)
		} else {
			open = append(open, method)
			if e != nil {
				said += "; the last time: " + strings.Join(strings.Fields(e.failure(p.sweep.Subsets)), " ")
			}
		}
		for _, c := range p.cells {
			if c.job == i {
				line := []string{c.row, fmt.Sprint(c.seed), j.Config.Hash(), said}
				if table.Paper != nil {
					line = append(line, table.Rows[table.row(c.row)].published("%.1f", (*Figures).miou))
				}
				lines = append(lines, line)
				said = "the same run"
			}
		}
	}
	return lines, open, seconds, nil
}

// known returns what is known of a job and where that stands, nil if it was never trained.
func (p *Plan) known(s *store, j orchestrator.Job) (e *Entry, where string, err error) {
	stored := s.find(j.Config.Hash(), p.threads)
	if stored.settled(p.sweep.Subsets) {
		return stored, p.source(stored), nil
	}
	out, err := orchestrator.Finished(j)
	if err != nil || out == nil {
		return stored, p.path(".json"), err
	}
	made := p.entryOf(j, orchestrator.JobResult{Outcome: out})
	return &made, j.Dir(), nil
}

// tellPassed names the tables that were passed over.
func (s *store) tellPassed(w io.Writer) {
	for _, err := range s.passed {
		fmt.Fprintf(w, "passed over, what it knows is trained again: %v\n", err)
	}
}

// source is the file that a known run was read from.
func (p *Plan) source(e *Entry) string { return cmp.Or(e.from, p.path(".json")) }

// estimate is how long the open runs take by the mean of the known ones of their
// methods, or of all where there is none of a method.
func estimate(seconds map[string][]float64, open []string, atATime int) string {
	var all []float64
	for _, s := range seconds {
		all = append(all, s...)
	}
	if len(all) == 0 && len(open) > 0 {
		return "unknown until one is there"
	}
	total := 0.0
	for _, method := range open {
		of := seconds[method]
		if len(of) == 0 {
			of = all
		}
		for _, s := range of {
			total += s / float64(len(of))
		}
	}
	return time.Duration(total / float64(atATime) * float64(time.Second)).Round(time.Second).String()
}
