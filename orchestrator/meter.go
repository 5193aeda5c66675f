package orchestrator

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	tty "golang.org/x/term"

	"t2sda/export/score"
	"t2sda/internal/pace"
	"t2sda/internal/plural"
	"t2sda/internal/terminal"
)

// meter tells a person how training goes: a bar on a terminal, plain lines
// otherwise.
type meter interface {
	start(method string, done, total int)
	tick(e Event, images int)
	working(what string, done, total int) // on images, while nothing is trained
	evaluated(iteration int, r *score.Result)
	labelled(took time.Duration)
	stop()
}

// newMeter returns the meter for w. A line is printed every `every` iterations
// where no bar is drawn.
func newMeter(w io.Writer, drawn bool, every int) meter {
	if drawn {
		w = terminal.Raw(w) // a bar needs control characters
		return &barMeter{w: w, columns: func() int { return columns(w) }}
	}
	return &lineMeter{w: w, every: every}
}

// rateWindow is the number of iterations that the rate is measured over: those
// before train.adapt_after, say, are faster than those after it.
const rateWindow = 30

// rate measures iterations per second over the last few that this process did.
type rate struct {
	marks    []time.Time // when training began or an iteration ended, at most rateWindow + 1
	to, last int         // iterations done, total
}

func (r *rate) start(done, total int) { *r = rate{[]time.Time{time.Now()}, done, total} }

// done notes that so many iterations are done at that time.
func (r *rate) done(iterations int, at time.Time) {
	r.to = iterations
	if len(r.marks) > rateWindow {
		r.marks = slices.Delete(r.marks, 0, 1)
	}
	r.marks = append(r.marks, at)
}

// labelled leaves out the time of a round's labelling, which iterations do not take.
func (r *rate) labelled(took time.Duration) {
	for i := range r.marks {
		r.marks[i] = r.marks[i].Add(took)
	}
}

func (r *rate) perSecond() float64 {
	n := len(r.marks) - 1
	return float64(n) / max(r.marks[n].Sub(r.marks[0]).Seconds(), 1e-9)
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

func describeScore(method string, iteration int, r *score.Result) string {
	return fmt.Sprintf("%s: after %s target mIoU %.1f %% (%s, %.1f s)",
		method, plural.Of(iteration, "iteration", "iterations"), 100*float64(r.MIoU), plural.Of(r.Images, "image", "images"), r.Seconds)
}

// logged returns what logs how far work on images is before training begins, a
// line now and then.
func logged(log *zap.Logger, what string) func(done, total int) {
	return pace.Lines(what, "images", func(line string) { log.Info(line) })
}

type lineMeter struct {
	w      io.Writer
	every  int
	method string
	clock  *pace.Clock
	rate
}

func (m *lineMeter) start(method string, done, total int) {
	m.method, m.clock = method, pace.Start()
	m.rate.start(done, total)
}

func (m *lineMeter) tick(e Event, images int) {
	m.done(e.Iteration+1, time.Now())
	if m.to%m.every == 0 || m.to == m.last || m.clock.Due() {
		m.say("%s %d/%d%s  %.1f images/s  ETA %s",
			m.method, m.to, m.last, describe(e), m.perSecond()*float64(images), m.eta())
	}
}

func (m *lineMeter) say(format string, args ...any) {
	fmt.Fprintf(m.w, format+"\n", args...)
	m.clock.Said()
}

func (m *lineMeter) working(what string, done, total int) {
	if m.clock.Due() {
		m.say("%s: %s, %d/%d images", m.method, what, done, total)
	}
}

func (m *lineMeter) evaluated(iteration int, r *score.Result) {
	m.say("%s", describeScore(m.method, iteration, r))
}

func (m *lineMeter) stop() {}

// barMeter draws one line in place. It is cut to the terminal's width: of a line
// that wraps, every redraw would leave the first part behind.
type barMeter struct {
	w       io.Writer
	columns func() int
	drawn   time.Time
	method  string
	rate
}

const (
	barWidth  = 20
	redraw    = 200 * time.Millisecond
	clearLine = "\r\x1b[K" // ECMA-48: erase to the end of the line
)

func (m *barMeter) start(method string, done, total int) {
	m.method = method
	m.rate.start(done, total)
	m.draw(m.progress())
}

func (m *barMeter) tick(e Event, images int) {
	m.done(e.Iteration+1, time.Now())
	if m.to == m.last || time.Since(m.drawn) >= redraw {
		m.draw(fmt.Sprintf("%s ETA %s %.1f images/s%s", m.progress(), m.eta(), m.perSecond()*float64(images), describe(e)))
	}
}

func (m *barMeter) progress() string {
	full := barWidth * min(m.to, m.last) / m.last // a checkpoint may be of a longer run
	return fmt.Sprintf("%s [%s%s] %d/%d", m.method, strings.Repeat("█", full), strings.Repeat("·", barWidth-full), m.to, m.last)
}

func (m *barMeter) draw(line string) {
	runes := []rune(line)
	fmt.Fprint(m.w, clearLine, string(runes[:min(len(runes), max(m.columns()-1, 0))]))
	m.drawn = time.Now()
}

func (m *barMeter) working(what string, done, total int) {
	if time.Since(m.drawn) >= redraw {
		m.draw(fmt.Sprintf("%s %s, %d/%d images", m.progress(), what, done, total))
	}
}

func (m *barMeter) evaluated(iteration int, r *score.Result) {
	fmt.Fprintln(m.w, clearLine+describeScore(m.method, iteration, r))
}

func (m *barMeter) stop() { fmt.Fprintln(m.w) }

// columns returns the width of the terminal that w is, 80 if it is none.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := tty.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}
