package sweep

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"t2sda/internal/plural"
	"t2sda/orchestrator"
)

// Shard is a part of a sweep's runs, that of one of several machines: the runs whose
// number, from 1, is Number modulo Of. The zero value is all of them.
type Shard struct{ Number, Of int }

// ParseShard reads i/n; empty text is the zero value.
func ParseShard(text string) (s Shard, err error) {
	if text == "" {
		return s, nil
	}
	number, of, ok := strings.Cut(text, "/")
	var errs [2]error
	s.Number, errs[0] = strconv.Atoi(number)
	s.Of, errs[1] = strconv.Atoi(of)
	if err := errors.Join(errs[:]...); !ok || err != nil || s.Number < 1 || s.Number > s.Of {
		return s, fmt.Errorf("shard %q: want i/n with i from 1 to n, as in 2/8", text)
	}
	return s, nil
}

// of returns the shard's jobs.
func (s Shard) of(jobs []orchestrator.Job) []orchestrator.Job {
	var out []orchestrator.Job
	for i := s.Number - 1; i < len(jobs); i += s.Of {
		out = append(out, jobs[i])
	}
	return out
}

// trainShard trains the shard's runs, and writes no table: the sweep without a shard
// reads all runs back, once they are there.
func (p *Plan) trainShard(ctx context.Context, o orchestrator.Options) error {
	lock, err := orchestrator.Lock(filepath.Join(p.runs, fmt.Sprintf(".shard-%d-of-%d", p.shard.Number, p.shard.Of)))
	if err != nil {
		return err
	}
	defer lock.Close() // the lock goes with it
	known, err := p.read()
	if err != nil {
		return err
	}
	jobs := p.shard.of(p.jobs)
	fmt.Fprintf(o.Out, "shard %d of %d: %d of %s\n", p.shard.Number, p.shard.Of, len(jobs), plural.Of(len(p.jobs), "run", "runs"))
	if err := p.train(ctx, jobs, known, nil, o); err != nil {
		return err
	}
	var failed []error
	for _, j := range jobs {
		if e := known.find(j.Config.Hash(), p.threads); e != nil && !e.settled(p.sweep.Subsets) {
			failed = append(failed, fmt.Errorf("%s failed: %s", j, e.failure(p.sweep.Subsets)))
		}
	}
	return errors.Join(failed...)
}
