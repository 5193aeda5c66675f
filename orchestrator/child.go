package orchestrator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"t2sda/internal/mpi"
)

// logFile takes what a run in a process of its own prints.
const logFile = "train.log"

// trainChild trains the job in a process of its own, as `train --resume` of its
// config.yaml does, and reads the outcome back. When ctx ends it passes an
// interrupt on and waits until the run is saved.
func trainChild(ctx context.Context, j Job, o Options) JobResult {
	if err := runChild(ctx, j, o); err != nil {
		return JobResult{Err: err}
	}
	out, err := readOutcome(j.Dir(), j.Config)
	if err == nil && out == nil {
		err = fmt.Errorf("it left no %s", filepath.Join(j.Dir(), resultFile))
	}
	return JobResult{Outcome: out, Err: err}
}

func runChild(ctx context.Context, j Job, o Options) error {
	dir, program := j.Dir(), o.Executable
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return err
		}
	}
	if err := writeConfig(o.Disk, j.Config, dir); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(dir, logFile), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	defer log.Close() // the process has written; reading it is all that is left
	before, err := log.Stat()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program)
	// Called as people call the program: the run records it.
	cmd.Args = []string{cmp.Or(o.Program, "t2sda"), "train", "--resume", "-c", filepath.Join(dir, ConfigFile)}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = mpi.Without(os.Environ()) // it is alone, whoever started this process
	cmd.SysProcAttr = ChildProcess()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err = cmd.Run()
	if ended := new(exec.ExitError); errors.As(err, &ended) || errors.Is(err, context.Canceled) {
		return &childError{err, log.Name(), lastLines(log, before.Size())}
	}
	return err
}

// childError is a run's failure in a process of its own.
type childError struct {
	exit error
	log  string
	tail []string // of what it printed
}

// Error tells the last line that the run printed, which is the program's own
// message.
func (e *childError) Error() string {
	why := e.exit.Error()
	if n := len(e.tail); n > 0 {
		why = strings.TrimPrefix(e.tail[n-1], "t2sda: ")
	}
	return fmt.Sprintf("%s (%s)", why, e.log)
}

func (e *childError) Unwrap() error { return e.exit }

// tailLines is how much of a failed run's log is shown.
const tailLines = 8

// lastLines returns the last lines of a log from an offset on, and at most of its
// last 16 KiB. What cannot be read is not shown.
func lastLines(log *os.File, from int64) []string {
	if end, err := log.Seek(0, io.SeekEnd); err == nil {
		from = max(from, end-16<<10)
	}
	text, err := io.ReadAll(io.NewSectionReader(log, from, 1<<20))
	if err != nil {
		return nil
	}
	var lines []string
	for line := range bytes.Lines(text) {
		if s := strings.TrimRight(string(line), " \r\n"); s != "" {
			lines = append(lines, s)
		}
	}
	return lines[max(0, len(lines)-tailLines):]
}
