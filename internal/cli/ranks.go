package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"

	"t2sda/internal/mpi"
	"t2sda/internal/ranks"
	"t2sda/orchestrator"
)

// patience is how long a rank that was told to stop waits for others, one of which may
// have ended.
const patience = time.Minute

// quietError is an error that another rank tells.
type quietError struct{ error }

func (e quietError) Unwrap() error { return e.error }

// amongRanks calls run, which trains, with the ranks that a launcher has started. All end
// together: with an error that they know of, or else at once.
func amongRanks(ctx context.Context, o orchestrator.Options, run func(o orchestrator.Options) error) error {
	world, err := mpi.Start(os.Getenv)
	if err != nil || world == nil {
		if err == nil {
			err = run(o)
		}
		return err
	}
	defer context.AfterFunc(ctx, func() { time.AfterFunc(patience, world.GiveUp) })()
	node, err := os.Hostname()
	if err != nil {
		node = "unknown node"
	}
	o.Ranks, err = ranks.New(world, node)
	if err == nil {
		o.Logger = func(w io.Writer) *zap.Logger { return newLogger(w) }
		o.Terminal = false // what launchers make of a rank's output looks like one
		if !o.Ranks.Leads() {
			o.Log, o.Out = zap.NewNop(), io.Discard
		}
		err = run(o)
	}
	if err != nil && !o.Ranks.Ended() {
		fmt.Fprintf(os.Stderr, "t2sda: rank %d (%s): %v\n", world.Rank(), node, err)
		world.Abort(exitFailure)
	}
	if closeErr := world.Close(); err == nil {
		err = closeErr
	}
	if err != nil && !o.Ranks.Leads() {
		return quietError{err}
	}
	return err
}

// isQuiet reports whether another rank tells an error.
func isQuiet(err error) bool { return errors.As(err, new(quietError)) }
