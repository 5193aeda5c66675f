package sweep

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/orchestrator"
)

// Options say what of a sweep is trained, and where its files go.
type Options struct {
	Settings []string // key=value, over those of the sweep for every row
	Seeds    []uint   // empty: the sweep's
	Rows     []string // names, each one or several between commas; empty: all
	Jobs     int      // runs at a time, see [orchestrator.Seats]
	Shard    Shard    // of the runs that are trained
	Out      string   // folder of NAME.json, NAME.md and NAME.png; empty: sweeps below the configuration's output
}

// Plan is a sweep that is ready to train: every configuration is made and valid.
type Plan struct {
	sweep    *configs.Sweep
	variants []configs.Variant // all rows of the table
	jobs     []orchestrator.Job
	cells    []cell                         // what was asked for, seed by seed
	subsets  map[string]map[string][]string // names of classes, by row and subset
	seeds    []uint64
	runs     string // folder of the run directories
	out      string
	atATime  int
	threads  int
	shard    Shard
}

// cell is a row and seed, and the job that it stands for: cells of equal
// configurations share one.
type cell struct {
	row  string
	seed uint64
	job  int
}

// New makes and checks the configuration of every run.
func New(s *configs.Sweep, o Options) (*Plan, error) {
	variants, err := s.Variants(o.Settings)
	if err != nil {
		return nil, err
	}
	first := variants[0].Config
	if o.Jobs < 0 {
		return nil, fmt.Errorf("sweep %s: want at least 1 job, or 0 for what the cores carry, have %d", s.Name, o.Jobs)
	}
	p := &Plan{sweep: s, variants: variants, seeds: s.Seeds, out: o.Out, shard: o.Shard, runs: filepath.Join(first.Output, "sweeps", "runs")}
	p.atATime, p.threads = orchestrator.Seats(o.Jobs, first.Runtime.Threads)
	for i := range variants {
		variants[i].Config.Runtime.Threads = p.threads
	}
	if p.out == "" {
		p.out = filepath.Join(first.Output, "sweeps")
	}
	for _, v := range variants {
		if err := orchestrator.Check(v.Config); err != nil {
			return nil, fmt.Errorf("sweep %s: row %q: %w", s.Name, v.Name, err)
		}
	}
	if err := p.findSubsets(); err != nil {
		return nil, err
	}
	if err := p.selectSeeds(o.Seeds); err != nil {
		return nil, err
	}
	chosen, err := p.selectRows(o.Rows)
	if err != nil {
		return nil, err
	}
	p.fill(chosen)
	return p, nil
}

func (p *Plan) selectSeeds(seeds []uint) error {
	if len(seeds) == 0 {
		return nil
	}
	p.seeds = nil
	for _, seed := range seeds {
		if slices.Contains(p.seeds, uint64(seed)) {
			return fmt.Errorf("sweep %s: seed %d is there twice", p.sweep.Name, seed)
		}
		p.seeds = append(p.seeds, uint64(seed))
	}
	return nil
}

// selectRows finds rows by texts that name one each, or several between commas.
func (p *Plan) selectRows(texts []string) ([]configs.Variant, error) {
	if len(texts) == 0 {
		return p.variants, nil
	}
	var names []string
	for _, text := range texts {
		found, err := p.rowsIn(text)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	return slices.DeleteFunc(slices.Clone(p.variants), func(v configs.Variant) bool { return !slices.Contains(names, v.Name) }), nil
}

// rowsIn returns the rows that a text names. Names may hold commas themselves: the
// longest one that begins at a place is meant.
func (p *Plan) rowsIn(text string) ([]string, error) {
	var names, all []string
	for _, v := range p.variants {
		all = append(all, fmt.Sprintf("%q", v.Name))
	}
	parts := strings.Split(text, ",")
	for len(parts) > 0 {
		n := len(parts)
		for ; n > 0; n-- {
			name := strings.TrimSpace(strings.Join(parts[:n], ","))
			if slices.ContainsFunc(p.variants, func(v configs.Variant) bool { return v.Name == name }) {
				names = append(names, name)
				break
			}
		}
		if n == 0 {
			return nil, fmt.Errorf("sweep %s: there is no row %q; there are %s", p.sweep.Name, strings.TrimSpace(parts[0]), strings.Join(all, ", "))
		}
		parts = parts[n:]
	}
	return names, nil
}

// fill lists the cells, seed by seed, and a job for every configuration among
// them.
func (p *Plan) fill(rows []configs.Variant) {
	at := map[string]int{}
	for _, seed := range p.seeds {
		for _, v := range rows {
			j := p.job(v, seed)
			i, known := at[j.Config.Name]
			if !known {
				i = len(p.jobs)
				at[j.Config.Name] = i
				p.jobs = append(p.jobs, j)
			}
			p.cells = append(p.cells, cell{v.Name, seed, i})
		}
	}
}

// job is the run of a row with a seed. Its directory's name begins with what
// people look for; hash and number of threads alone tell runs apart.
func (p *Plan) job(v configs.Variant, seed uint64) orchestrator.Job {
	c := v.Config
	c.Seed, c.Output = seed, p.runs
	c.Name = fmt.Sprintf("%s-seed%d-%s", c.Method, seed, c.Hash())
	if p.threads != 1 {
		c.Name += fmt.Sprintf("-threads%d", p.threads)
	}
	return orchestrator.Job{Row: v.Name, Config: c}
}

// path is that of one of the sweep's files.
func (p *Plan) path(extension string) string { return filepath.Join(p.out, p.sweep.Name+extension) }
