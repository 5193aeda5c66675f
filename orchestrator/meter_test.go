package orchestrator

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"t2sda/export/score"
	"t2sda/orchestrator/learner"
)

func event(iteration int) Event {
	return Event{Step: learner.Step{Iteration: iteration, Losses: map[string]float64{"source": 2.5, "mix": 1.25, "pull": 4}, Quality: []float64{0.25, 0.75}}}
}

// TestBar: no redraw is wider than the terminal, and what scrolls by is whole
// lines.
func TestBar(t *testing.T) {
	for _, columns := range []int{30, 80, 200} {
		var out bytes.Buffer
		m := &barMeter{w: &out, columns: func() int { return columns }}
		m.start("t2s", 10, 40)
		for i := 10; i < 40; i++ {
			m.drawn = time.Time{} // as if long ago
			m.tick(event(i), 4)
		}
		m.drawn = time.Time{}
		m.working("labelling the target set", 3, 7)
		m.evaluated(40, &score.Result{MIoU: 0.5, Images: 7})
		m.stop()
		for _, line := range strings.Split(out.String(), clearLine) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n >= columns && !strings.Contains(line, "target mIoU") {
				t.Errorf("%d columns: a line of %d: %q", columns, n, line)
			}
		}
		if !strings.Contains(out.String(), clearLine+"t2s: after 40 iterations target mIoU 50.0 % (7 images, 0.0 s)\n") {
			t.Errorf("the score is missing in %q", out.String())
		}
		if columns == 200 && !strings.Contains(out.String(), " 40/40 labelling the target set, 3/7 images") {
			t.Errorf("labelling is missing in %q", out.String())
		}
		if columns == 200 && !strings.Contains(out.String(), " 40/40 ETA 0s ") {
			t.Errorf("the last state is missing in %q", out.String())
		}
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	m := newMeter(&out, false, 10)
	m.start("t2s", 0, 25)
	for i := range 25 {
		m.tick(event(i), 4)
	}
	m.stop()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("have %d lines, want those of iterations 10, 20 and 25:\n%s", len(lines), out.String())
	}
	const want = "t2s 10/25 mix 1.250 pull 4.000 source 2.500 q 0.50  "
	if !strings.HasPrefix(lines[0], want) || !strings.Contains(lines[0], "images/s") || !strings.Contains(lines[0], "ETA") {
		t.Errorf("have %q, want %s…", lines[0], want)
	}
}

// TestRateAfterResume: what an earlier process did does not speed this one up.
func TestRateAfterResume(t *testing.T) {
	var r rate
	r.start(900, 1000)
	for i := range 10 {
		r.done(901+i, r.marks[0].Add(time.Duration(i+1)*time.Second))
	}
	if s := r.perSecond(); math.Abs(s-1) > 1e-9 {
		t.Errorf("%g iterations/s, want 1", s)
	}
	if eta := r.eta(); eta != 90*time.Second {
		t.Errorf("ETA %s, want 90s", eta)
	}
}

// TestRateOfTheLast: fast iterations long ago do not count.
func TestRateOfTheLast(t *testing.T) {
	var r rate
	r.start(0, 1000)
	now := r.marks[0]
	for i := range 500 {
		step := 100 * time.Millisecond
		if i >= 400 {
			step = 2 * time.Second
		}
		now = now.Add(step)
		r.done(i+1, now)
	}
	if eta := r.eta(); eta != 1000*time.Second {
		t.Errorf("ETA %s, want 1000s", eta)
	}
	if len(r.marks) != rateWindow+1 {
		t.Errorf("%d marks are kept", len(r.marks))
	}
}

// TestLabellingIsNoIteration: the time in which a round's labels are made is not in the rate.
func TestLabellingIsNoIteration(t *testing.T) {
	var r rate
	r.start(0, 10)
	began := r.marks[0]
	r.done(1, began.Add(time.Second))
	r.labelled(time.Hour)
	r.done(2, began.Add(time.Hour+2*time.Second))
	if eta := r.eta(); eta != 8*time.Second {
		t.Errorf("ETA %v of 8 iterations of a second", eta)
	}
}
