package orchestrator

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"t2sda/export"
)

// meter tells a person how training goes: a bar on a terminal, plain lines
// otherwise.
type meter interface {
	start(method string, done, total int)
	tick(e Event, images int)
	evaluated(iteration int, r *export.Result)
	stop()
}

// newMeter returns the meter for w. A line is printed every `every` iterations
// where no bar is drawn.
func newMeter(w io.Writer, terminal bool, every int) meter {
	if terminal {
		return &barMeter{w: w}
	}
	return &lineMeter{w: w, every: every}
}

// rate measures iterations per second over what this process did.
type rate struct {
	began    time.Time
	from, to int
	last     int // total
}

func (r *rate) start(done, total int) { *r = rate{time.Now(), done, done, total} }

func (r *rate) perSecond() float64 {
	return float64(r.to-r.from) / max(time.Since(r.began).Seconds(), 1e-9)
}

func (r *rate) eta() time.Duration {
	return time.Duration(float64(r.last-r.to) / max(r.perSecond(), 1e-9) * float64(time.Second)).Round(time.Second)
}

// describe is the part of a line that both meters share.
func describe(e Event) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(e.Losses)) {
		fmt.Fprintf(&b, " %s %.3f", k, e.Losses[k])
	}
	if len(e.Quality) > 0 {
		fmt.Fprintf(&b, " q %.2f", mean(e.Quality))
	}
	return b.String()
}

func describeScore(method string, iteration int, r *export.Result) string {
	return fmt.Sprintf("%s: after %d iterations target mIoU %.1f %% (%d images, %.1f s)", method, iteration, 100*float64(r.MIoU), r.Images, r.Seconds)
}

type lineMeter struct {
	w      io.Writer
	every  int
	method string
	rate
}

func (m *lineMeter) start(method string, done, total int) {
	m.method = method
	m.rate.start(done, total)
}

func (m *lineMeter) tick(e Event, images int) {
	m.to = e.Iteration + 1
	if m.to%m.every == 0 || m.to == m.last {
		fmt.Fprintf(m.w, "%s %d/%d%s  %.1f images/s  ETA %s\n",
			m.method, m.to, m.last, describe(e), m.perSecond()*float64(images), m.eta())
	}
}

func (m *lineMeter) evaluated(iteration int, r *export.Result) {
	fmt.Fprintln(m.w, describeScore(m.method, iteration, r))
}

func (m *lineMeter) stop() {}

type barMeter struct {
	w      io.Writer
	bar    *progressbar.ProgressBar
	method string
	rate
}

func (m *barMeter) start(method string, done, total int) {
	m.method = method
	m.rate.start(done, total)
	m.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(m.w), progressbar.OptionSetWidth(24), progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(200*time.Millisecond),
		progressbar.OptionSetDescription(method))
	_ = m.bar.Set(done) // a terminal that cannot be written to stops no training
}

func (m *barMeter) tick(e Event, images int) {
	m.to = e.Iteration + 1
	m.bar.Describe(fmt.Sprintf("%s%s %.1f images/s", m.method, describe(e), m.perSecond()*float64(images)))
	_ = m.bar.Set(m.to)
}

func (m *barMeter) evaluated(iteration int, r *export.Result) {
	_ = m.bar.Clear()
	fmt.Fprintln(m.w, describeScore(m.method, iteration, r))
}

func (m *barMeter) stop() {
	_ = m.bar.Exit()
	fmt.Fprintln(m.w)
}
