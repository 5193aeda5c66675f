// Package pace says how far long work is where no terminal shows it: a line
// every half minute, none of work that is done before.
package pace

import (
	"fmt"
	"time"
)

// Interval is the longest time without a line.
const Interval = 30 * time.Second

// Clock tells when a line is due: [Interval] after the last one.
type Clock struct{ said time.Time }

// Start returns the clock of work that begins now.
func Start() *Clock { return &Clock{time.Now()} }

// Due reports whether a line is due.
func (c *Clock) Due() bool { return time.Since(c.said) >= Interval }

// Said notes that one was said.
func (c *Clock) Said() { c.said = time.Now() }

// Lines returns what passes a line on to say where one is due: how many of the
// units are done, at which rate, and when the rest will be. A total of 0 is not known.
func Lines(what, units string, say func(line string)) func(done, total int) {
	began, clock := time.Now(), Start()
	return func(done, total int) {
		if !clock.Due() || total > 0 && done >= total {
			return
		}
		clock.Said()
		spent := time.Since(began).Seconds()
		if total == 0 {
			say(fmt.Sprintf("%s: %d %s, %.3g a second", what, done, units, float64(done)/spent))
			return
		}
		left := time.Duration(spent * float64(total-done) / float64(max(done, 1)) * float64(time.Second)).Round(time.Second)
		say(fmt.Sprintf("%s: %d/%d %s, %.3g a second, ETA %s", what, done, total, units, float64(done)/spent, left))
	}
}
