package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"t2sda/export/score"
	"t2sda/orchestrator"
)

// Entry is a run in NAME.json: what it reached, or why it failed.
type Entry struct {
	Row        string                 `json:"row"` // the first of those that share the run
	Method     string                 `json:"method"`
	Seed       uint64                 `json:"seed"`
	Hash       string                 `json:"config_hash"` // of its configuration, the seed included
	Threads    int                    `json:"threads"`
	Iterations int                    `json:"iterations"`
	MIoU       score.Score            `json:"miou"` // NaN for a run that failed
	IoU        map[string]score.Score `json:"iou,omitempty"`
	Subsets    map[string]score.Score `json:"subsets,omitempty"` // mIoU over those of the sweep, by name
	Seconds    float64                `json:"seconds"`
	Error      string                 `json:"error,omitempty"`

	from string // the other sweep's file that it was read from; empty for the sweep's own. It is not written
}

// store holds the outcomes of runs: of this sweep file's rows, from wherever they are known, and of
// what its table held before.
type store struct {
	runs   []Entry
	passed []error // about tables beside it that cannot be read, and are passed over
}

// readStore reads the runs of NAME.json; a file that is not there holds none.
func readStore(path string) (*store, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &store{}, nil
	}
	if err != nil {
		return nil, err
	}
	var file struct {
		Runs []Entry `json:"runs"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, e := range file.Runs {
		for _, s := range append(slices.AppendSeq(slices.Collect(maps.Values(e.IoU)), maps.Values(e.Subsets)), e.MIoU) {
			if err := s.Validate(); err != nil {
				return nil, fmt.Errorf("%s: row %s, seed %d: %w", path, e.Row, e.Seed, err)
			}
		}
	}
	return &store{runs: file.Runs}, nil
}

// read reads the runs of NAME.json, and from the tables beside it those of the sweep's jobs that it
// lacks: equal configurations are trained once for all of them. Means over the sweep's subsets are
// worked out anew: a file may get subsets after its runs were trained.
func (p *Plan) read() (*store, error) {
	s, err := readStore(p.path(".json"))
	if err != nil {
		return nil, err
	}
	if len(p.sweep.Subsets) > 0 {
		for _, seed := range s.seeds() {
			for _, v := range p.variants {
				if e := p.find(s, v, seed); e != nil {
					p.addSubsets(e, v.Name)
				}
			}
		}
	}
	return s, p.readBeside(s)
}

// readBeside takes what is still missing from other sweeps' tables in the folder. What is no table,
// or a damaged one, has nothing to give: its runs are trained.
func (p *Plan) readBeside(s *store) error {
	missing := map[string]string{} // rows, by the hash of their job
	for _, j := range p.jobs {
		if hash := j.Config.Hash(); !s.find(hash, p.threads).settled(p.sweep.Subsets) {
			missing[hash] = j.Row
		}
	}
	if len(missing) == 0 {
		return nil
	}
	files, err := os.ReadDir(p.out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, file := range files {
		path := filepath.Join(p.out, file.Name())
		if filepath.Ext(path) != ".json" || path == p.path(".json") {
			continue
		}
		other, err := readStore(path)
		if err != nil {
			s.passed = append(s.passed, err)
			continue
		}
		for _, e := range other.runs {
			row, ok := missing[e.Hash]
			if !ok || e.Threads != p.threads {
				continue
			}
			e.Row, e.Subsets, e.from = row, nil, path
			if p.addSubsets(&e, row); e.settled(p.sweep.Subsets) {
				s.put(e)
				delete(missing, e.Hash)
			}
		}
	}
	return nil
}

// find returns the run of a configuration, nil if there is none.
func (s *store) find(hash string, threads int) *Entry {
	i := slices.IndexFunc(s.runs, func(e Entry) bool { return e.Hash == hash && e.Threads == threads })
	if i < 0 {
		return nil
	}
	return &s.runs[i]
}

// put adds a run or replaces what is known of its configuration. What a run has reached is
// not lost by one that failed.
func (s *store) put(e Entry) {
	switch old := s.find(e.Hash, e.Threads); {
	case old == nil:
		s.runs = append(s.runs, e)
	case old.Error != "" || e.Error == "":
		*old = e
	}
}

// seeds lists those of all runs, sorted.
func (s *store) seeds() []uint64 {
	var out []uint64
	for _, e := range s.runs {
		out = append(out, e.Seed)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// over is the mIoU over a subset of the classes.
func (e *Entry) over(subset string) score.Score {
	if s, ok := e.Subsets[subset]; ok {
		return s
	}
	return missing
}

// score is what the table's means are of.
func (e *Entry) score(subsets []string) score.Score {
	if len(subsets) > 0 {
		return e.over(subsets[0])
	}
	return e.MIoU
}

// failure says what a run lacks, empty if there is nothing more to learn of it.
func (e *Entry) failure(subsets []string) string {
	if e.Error != "" {
		return e.Error
	}
	for _, name := range subsets {
		if _, ok := e.Subsets[name]; !ok {
			return fmt.Sprintf("it was scored, but not over all classes that subset %q has now", name)
		}
	}
	return ""
}

// settled reports whether there is nothing more to learn of a run.
func (e *Entry) settled(subsets []string) bool { return e != nil && e.failure(subsets) == "" }

// scoredEntry is what a job's result says by itself.
func scoredEntry(j orchestrator.Job, r orchestrator.JobResult) Entry {
	c := j.Config
	e := Entry{
		Row: j.Row, Method: string(c.Method), Seed: c.Seed, Hash: c.Hash(), Threads: c.Runtime.Threads, Iterations: c.Train.Iterations,
		MIoU: missing,
	}
	if r.Err != nil {
		e.Error = r.Err.Error()
		return e
	}
	result := r.Outcome.Result
	e.MIoU, e.Seconds, e.IoU = result.MIoU, r.Outcome.Seconds, map[string]score.Score{}
	for _, class := range result.Classes {
		e.IoU[class.Name] = class.IoU
	}
	return e
}
