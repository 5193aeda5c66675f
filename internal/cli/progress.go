package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

// progress is [progressOf] for images.
func progress(cmd *cobra.Command, what string) func(done, total int) {
	return progressOf(cmd, what, "images")
}

// progressOf returns what tells how far the command is: a bar on a terminal,
// which starts at the first call, and a line now and then where there is none.
func progressOf(cmd *cobra.Command, what, unit string) func(done, total int) {
	if !isTerminal(cmd.ErrOrStderr()) {
		return progressLines(cmd.ErrOrStderr(), what, unit, time.Now)
	}
	var bar *progressbar.ProgressBar
	return func(done, total int) {
		if bar == nil {
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(cmd.ErrOrStderr()),
				progressbar.OptionSetDescription(what), progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit),
				progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		_ = bar.Set(done) // a terminal that cannot be written to stops nothing
	}
}

// progressInterval is the time between lines of progress where there is no
// terminal.
const progressInterval = 30 * time.Second

// progressLines returns what prints a line each interval; work that is done
// before prints none.
func progressLines(w io.Writer, what, unit string, now func() time.Time) func(done, total int) {
	began := now()
	last := began
	return func(done, total int) {
		at := now()
		if at.Sub(last) < progressInterval || done >= total {
			return
		}
		last = at
		spent := at.Sub(began).Seconds()
		left := time.Duration(spent * float64(total-done) / float64(max(done, 1)) * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(w, "%s: %d/%d %s, %.3g a second, ETA %s\n", what, done, total, unit, float64(done)/spent, left)
	}
}
