package cli

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"t2sda/internal/pace"
	"t2sda/internal/terminal"
)

// progressOf returns what tells how far the command is with units: a bar on a
// terminal, which starts at the first call, and a line now and then where there is
// none. A total of 0 is not known; it may grow.
func progressOf(cmd *cobra.Command, what, units string) func(done, total int) {
	w := cmd.ErrOrStderr()
	if !terminal.Is(w) {
		return pace.Lines(what, units, func(line string) { fmt.Fprintln(w, line) })
	}
	var bar *progressbar.ProgressBar
	return func(done, total int) {
		if total == 0 {
			total = -1 // as the bar has it
		}
		if bar == nil {
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(terminal.Raw(w)),
				progressbar.OptionSetDescription(what), progressbar.OptionShowIts(), progressbar.OptionSetItsString(units),
				progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		if total > bar.GetMax() {
			bar.ChangeMax(total)
		}
		_ = bar.Set(done) // a terminal that cannot be written to stops nothing
	}
}
