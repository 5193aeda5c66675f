package orchestrator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"t2sda/internal/pace"
	"t2sda/internal/plural"
)

// jobMeter tells a person how several runs get on: a line for each that ends,
// and on a terminal a bar below; a line now and then where there is none.
type jobMeter struct {
	mu      sync.Mutex
	w       io.Writer
	columns func() int // of the terminal; nil: no bar
	total   int        // jobs, those included that were complete before
	loads   map[string]*jobLoad
	began   time.Time
	quit    chan struct{}
	drawing sync.WaitGroup
}

// jobLoad is how far a run of this process is, as shares of its iterations.
type jobLoad struct {
	job      Job
	from, at float64
	running  bool
	ended    bool
}

// newJobMeter returns the meter of the open jobs among all of them.
func newJobMeter(o Options, jobs []Job, open []int, atATime int) *jobMeter {
	m := &jobMeter{w: o.Out, total: len(jobs), loads: map[string]*jobLoad{}, began: time.Now(), quit: make(chan struct{})}
	for _, i := range open {
		at := jobs[i].share()
		m.loads[jobs[i].Dir()] = &jobLoad{job: jobs[i], from: at, at: at}
	}
	fmt.Fprintf(m.w, "%s, %d complete; up to %d at a time, threads per run: %d; what each prints: %s\n",
		plural.Of(len(jobs), "run", "runs"), len(jobs)-len(open), atATime, jobs[open[0]].Config.Runtime.Threads, filepath.Join(filepath.Dir(jobs[open[0]].Dir()), "*", logFile))
	interval := pace.Interval
	if o.Terminal {
		m.columns, interval = func() int { return columns(o.Out) }, time.Second
	}
	m.drawing.Go(func() { m.keepTelling(interval) })
	return m
}

// keepTelling keeps the bar fresh, or prints lines in its place.
func (m *jobMeter) keepTelling(interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-tick.C:
			m.mu.Lock()
			if m.columns == nil {
				fmt.Fprintln(m.w, m.status())
			}
			m.draw()
			m.mu.Unlock()
		}
	}
}

func (m *jobMeter) stop() {
	close(m.quit)
	m.drawing.Wait()
	if m.columns != nil {
		fmt.Fprint(m.w, clearLine)
	}
}

func (m *jobMeter) started(j Job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads[j.Dir()].running = true
}

// ended tells how a job ended; one that was interrupted has nothing to tell.
func (m *jobMeter) ended(j Job, r JobResult, interrupted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if interrupted && r.Err != nil {
		return
	}
	l := m.loads[j.Dir()]
	l.running, l.ended, l.at = false, true, 1
	said := ""
	if r.Err != nil {
		said = fmt.Sprintf("failed: %v", r.Err)
	} else {
		said = fmt.Sprintf("target mIoU %.1f %%, %.0f s", 100*float64(r.Outcome.Result.MIoU), r.Outcome.Seconds)
	}
	left := m.left()
	line := fmt.Sprintf("[%d/%d] %s: %s", m.total-left, m.total, j, said)
	if left > 0 {
		line += fmt.Sprintf("; %d to go, ETA %s", left, m.eta(time.Now()))
	}
	if m.columns != nil {
		line = clearLine + line
	}
	fmt.Fprintln(m.w, line)
	if failed := new(childError); errors.As(r.Err, &failed) {
		for _, s := range failed.tail {
			fmt.Fprintln(m.w, "    |", s)
		}
	}
	m.draw()
}

// left counts the jobs that have not ended.
func (m *jobMeter) left() int {
	n := 0
	for _, l := range m.loads {
		if !l.ended {
			n++
		}
	}
	return n
}

// eta estimates the rest from the iterations that this process's runs have done.
func (m *jobMeter) eta(now time.Time) string {
	gained, open := 0.0, 0.0
	for _, l := range m.loads {
		if l.running {
			l.at = max(l.from, l.job.share())
		}
		gained += l.at - l.from
		open += 1 - l.at
	}
	if gained <= 0 {
		return "unknown"
	}
	return time.Duration(float64(now.Sub(m.began)) * open / gained).Round(time.Second).String()
}

// draw draws the bar on a terminal.
func (m *jobMeter) draw() {
	if m.columns == nil {
		return
	}
	status, done := m.status(), float64(m.total-len(m.loads))
	for _, l := range m.loads {
		done += l.at
	}
	full := int(barWidth * done / float64(m.total))
	runes := []rune(fmt.Sprintf("[%s%s] %s", strings.Repeat("█", full), strings.Repeat("·", barWidth-full), status))
	fmt.Fprint(m.w, clearLine, string(runes[:min(len(runes), max(m.columns()-1, 0))]))
}

// status says how many runs have ended and are under way.
func (m *jobMeter) status() string {
	eta, running := m.eta(time.Now()), 0
	for _, l := range m.loads {
		if l.running {
			running++
		}
	}
	return fmt.Sprintf("%d/%d runs, %d training, ETA %s", m.total-m.left(), m.total, running, eta)
}

// share is how much of the job's iterations its directory records, 0 to 1.
func (j Job) share() float64 {
	f, err := os.Open(filepath.Join(j.Dir(), eventsFile))
	if err != nil {
		return 0 // nothing is recorded yet
	}
	defer f.Close() // read only
	const block = 16 << 10
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(0, end-block), block))
	if err != nil {
		return 0
	}
	// The last line may be torn; the one before it is whole.
	lines := bytes.Split(text, []byte("\n"))
	for i := len(lines) - 1; i >= 0; i-- {
		var e Event
		if json.Unmarshal(lines[i], &e) == nil {
			return min(max(float64(e.Iteration+1)/float64(j.Config.Train.Iterations), 0), 1)
		}
	}
	return 0
}
