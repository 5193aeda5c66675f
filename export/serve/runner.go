package serve

import (
	"context"
	"sync"

	"t2sda/export/predict"
)

// runner runs a model's session, which has threads of its own, for one batch at a time.
type runner struct {
	p    *predict.Predictor
	most int // images of a run
	jobs chan job
	ran  func(images int)
	end  sync.WaitGroup
}

// job is a filled task that waits for its run.
type job struct {
	ctx  context.Context
	task *predict.Task
	done chan<- error
}

func newRunner(p *predict.Predictor, most int, ran func(images int)) *runner {
	if !p.SharesRuns() {
		most = 1
	}
	r := &runner{p: p, most: most, jobs: make(chan job, most), ran: ran}
	r.end.Go(r.loop)
	return r
}

// run runs the session on a filled task. Whatever becomes of ctx, the task is the
// caller's again when it returns.
func (r *runner) run(ctx context.Context, t *predict.Task) error {
	done := make(chan error, 1)
	r.jobs <- job{ctx, t, done}
	return <-done
}

// close ends the runner; nothing may run then.
func (r *runner) close() {
	close(r.jobs)
	r.end.Wait()
}

func (r *runner) loop() {
	for j := range r.jobs {
		r.serve(r.waiting(j))
	}
}

// waiting returns the job with those that wait as well, as many as share a run.
func (r *runner) waiting(first job) []job {
	batch := []job{first}
	for len(batch) < r.most {
		select {
		case j, ok := <-r.jobs:
			if !ok {
				return batch
			}
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// serve runs a batch. Jobs whose time is over are not run; the others end only when all
// of them are given up.
func (r *runner) serve(batch []job) {
	var tasks []*predict.Task
	var live []job
	for _, j := range batch {
		if err := j.ctx.Err(); err != nil {
			j.done <- err
			continue
		}
		tasks, live = append(tasks, j.task), append(live, j)
	}
	if len(live) == 0 {
		return
	}
	ctx, stop := whileAny(live)
	defer stop()
	r.ran(len(live))
	for i, err := range r.p.RunTogether(ctx, tasks) {
		if live[i].ctx.Err() != nil {
			err = live[i].ctx.Err()
		}
		live[i].done <- err
	}
}

// whileAny returns a context that ends when the last of the jobs' does.
func whileAny(jobs []job) (_ context.Context, stop func()) {
	if len(jobs) == 1 {
		return jobs[0].ctx, func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var left sync.WaitGroup
	stops := make([]func() bool, len(jobs))
	for i, j := range jobs {
		left.Add(1)
		stops[i] = context.AfterFunc(j.ctx, left.Done)
	}
	ended := make(chan struct{})
	go func() {
		left.Wait()
		cancel()
		close(ended)
	}()
	return ctx, func() {
		for _, stop := range stops {
			if stop() {
				left.Done()
			}
		}
		<-ended
	}
}
