package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"t2sda/internal/mpi"
	"t2sda/internal/ranks"
)

// patience is how long a rank that was told to stop waits for others at a time, one of which may
// have ended. They may as well be in a slow iteration still, or save a checkpoint, for which all wait.
const patience = 10 * time.Minute

// quietError is an error that is told already, by this rank or another.
type quietError struct{ error }

func (e quietError) Unwrap() error { return e.error }

// amongRanks calls run with the ranks that a launcher has started, nil for none. All end
// together: with an error that they know of, or else at once. The rank that leads speaks
// for all.
func amongRanks(cmd *cobra.Command, run func(g *ranks.Group) error) error {
	world, err := mpi.Start(os.Getenv)
	if err != nil || world == nil {
		if err == nil {
			err = run(nil)
		}
		return err
	}
	defer context.AfterFunc(cmd.Context(), func() { world.SetPatience(patience) })()
	node, err := os.Hostname()
	if err != nil {
		node = "unknown node"
	}
	end := func(err error) {
		fmt.Fprintf(os.Stderr, "t2sda: rank %d (%s): %v\n", world.Rank(), node, err)
		world.Abort(exitFailure)
	}
	g, err := ranks.New(world, node)
	if err == nil {
		g.EndBy(end)
		speakFor(cmd, g)
		err = run(g)
	}
	if err != nil && (g == nil || !g.Ended()) {
		end(err)
	}
	if err != nil && g.Leads() {
		say(cmd.ErrOrStderr(), err) // before the others may end, upon which launchers end this one
	}
	if closeErr := world.Close(); err == nil {
		return closeErr
	}
	return quietError{err}
}

// speakFor lets the rank that leads print what the command says, and no other.
func speakFor(cmd *cobra.Command, g *ranks.Group) {
	if !g.Leads() {
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		return
	}
	// What launchers make of a rank's output looks like a terminal.
	cmd.SetOut(struct{ io.Writer }{cmd.OutOrStdout()})
	cmd.SetErr(struct{ io.Writer }{cmd.ErrOrStderr()})
}

// sameForAll makes sure that all ranks say the same of what they are about to do: names
// and values, in one order.
func sameForAll(g *ranks.Group, facts [][2]string) error {
	if g.Size() == 1 {
		return nil
	}
	all, err := ranks.Tell(g, facts)
	if err != nil {
		return err
	}
	first := all[0]
	for rank, have := range all {
		for i, f := range have {
			if f != first[i] {
				return g.Agree(fmt.Errorf("the %s of %s is not that of rank 0 (%s and %s): start all ranks by one command line, with the same files", f[0], g.Name(rank), f[1], first[i][1]))
			}
		}
	}
	return nil
}

// isQuiet reports whether an error is told already.
func isQuiet(err error) bool { return errors.As(err, new(quietError)) }
