package pace

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLines: 100 images at one a second have three lines; the last image
// says nothing of progress.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		tell := Lines("checking", "images", func(line string) { said = append(said, line) })
		for done := 1; done <= 100; done++ {
			time.Sleep(time.Second)
			tell(done, 100)
		}
		want := []string{
			"checking: 30/100 images, 1 a second, ETA 1m10s",
			"checking: 60/100 images, 1 a second, ETA 40s",
			"checking: 90/100 images, 1 a second, ETA 10s",
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Error(diff)
		}
	})
}

// TestLinesWithoutTotal: of work whose end is not known they say how far it is.
func TestLinesWithoutTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		tell := Lines("reading", "frames", func(line string) { said = append(said, line) })
		for done := 1; done <= 50; done++ {
			time.Sleep(time.Second)
			tell(done, 0)
		}
		if diff := cmp.Diff([]string{"reading: 30 frames, 1 a second"}, said); diff != "" {
			t.Error(diff)
		}
	})
}

// TestClock: other lines put the next one off.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Start()
		time.Sleep(Interval - 1)
		if c.Due() {
			t.Error("a line is due too early")
		}
		c.Said()
		time.Sleep(time.Nanosecond)
		if c.Due() {
			t.Error("a line is due just after another one")
		}
		time.Sleep(Interval - 1)
		if !c.Due() {
			t.Error("no line is due after the interval")
		}
	})
}
