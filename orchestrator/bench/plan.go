package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"t2sda/orchestrator"
)

// Options say what is measured, and how long it may take.
type Options struct {
	Rows   []Row // in order of importance
	Budget time.Duration
	Doctor []string // arguments of the program that check the machine first; nil: no check
	// Program starts this program with arguments; a row is measured by RowArgs.
	Program func(ctx context.Context, args ...string) *exec.Cmd
	RowArgs func(r Row, most time.Duration) []string
	Out     io.Writer         // a JSON document a line, each as soon as there is one
	Say     func(line string) // for people; nil: nothing is said
}

// Line is what all lines of the output begin with: what kind they are.
type Line struct {
	Kind string `json:"kind"` // plan, doctor, iteration, row, peer, failed, left-out, end
}

// End is the last line.
type End struct {
	Line
	Seconds  float64 `json:"seconds"`
	Measured int     `json:"measured"`
	Failed   int     `json:"failed"`
	LeftOut  int     `json:"left_out"`
}

type planLine struct {
	Line
	Budget float64 `json:"budget_seconds"`
	Rows   []Row   `json:"rows"`
}

type rowLine struct {
	Line
	Row *Row   `json:"row,omitempty"` // none: the check of the machine
	Why string `json:"why"`
}

// grace is the part of the budget that is kept for a row to end after it was told to.
func grace(budget time.Duration) time.Duration { return min(10*time.Second, budget/10) }

// run is one measuring of all rows.
type run struct {
	Options
	end    End
	until  time.Time                // when rows are told to stop
	needed map[string]time.Duration // what one row of a network takes at least, where known
}

// Run checks the machine and measures the rows one after the other, each in a process of
// its own, so that one that fails takes nothing with it. Rows that no longer fit into the
// budget are left out. An error is that of writing, or ctx's, or says how many rows failed.
func Run(ctx context.Context, o Options) error {
	start := time.Now()
	r := &run{Options: o, until: start.Add(o.Budget - grace(o.Budget)), needed: map[string]time.Duration{}}
	err := r.print(planLine{Line{"plan"}, o.Budget.Seconds(), o.Rows})
	if err == nil && o.Doctor != nil {
		err = r.doctor(ctx)
	}
	for i, row := range o.Rows {
		if err != nil || ctx.Err() != nil {
			break
		}
		err = r.row(ctx, row, len(o.Rows)-i)
	}
	r.end.Kind, r.end.Seconds = "end", time.Since(start).Seconds()
	if err := errors.Join(err, r.print(r.end), ctx.Err()); err != nil {
		return err
	}
	if r.end.Failed > 0 {
		return fmt.Errorf("%d of %d rows failed, see their lines", r.end.Failed, len(o.Rows))
	}
	return nil
}

// WriteLine writes a JSON document as one line.
func WriteLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// print writes a line.
func (r *run) print(v any) error { return WriteLine(r.Out, v) }

// doctor checks the machine. Failures stop nothing: figures may tell more of them.
func (r *run) doctor(ctx context.Context) error {
	r.say("doctor")
	var report bytes.Buffer
	why := ""
	const share = 3 // a device that hangs must not take all of the budget
	err := r.child(ctx, time.Now().Add(time.Until(r.until)/share), r.Doctor, func(out io.Reader) error {
		_, err := report.ReadFrom(out)
		return err
	}, func(reason string) error { why = reason; return nil })
	if why != "" {
		r.say("  " + why)
	}
	var compact bytes.Buffer
	if err != nil || json.Compact(&compact, report.Bytes()) != nil {
		return errors.Join(err, r.print(rowLine{Line: Line{"failed"}, Why: "doctor: " + why}))
	}
	return r.print(struct {
		Line
		Report json.RawMessage `json:"report"`
	}{Line{"doctor"}, compact.Bytes()})
}

// row measures one row, of which left remain with it.
func (r *run) row(ctx context.Context, row Row, left int) error {
	remaining := time.Until(r.until)
	if need := r.needed[row.Network]; remaining < max(need, time.Second) {
		r.end.LeftOut++
		return r.print(rowLine{Line{"left-out"}, &row, fmt.Sprintf("%.0f s of the budget are left, it takes %.0f", remaining.Seconds(), need.Seconds())})
	}
	const share = 0.6 // the rest is for setting up
	most := time.Duration(share * float64(remaining) / float64(left))
	r.say(fmt.Sprintf("%s %v", row.Network, row.Settings))
	measured := false
	err := r.child(ctx, r.until, r.RowArgs(row, min(max(most, 2*time.Second), 2*time.Minute)), func(out io.Reader) error {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if !json.Valid(lines.Bytes()) {
				continue // what a library says
			}
			measured = r.note(lines.Bytes()) || measured
			if _, err := r.Out.Write(append(bytes.Clone(lines.Bytes()), '\n')); err != nil {
				return err
			}
		}
		return lines.Err()
	}, func(why string) error {
		r.say(row.Network + ": " + why)
		switch {
		case measured: // it was stopped after it had something to say
			return nil
		case why == tooLate:
			r.end.LeftOut++
			return r.print(rowLine{Line{"left-out"}, &row, why})
		}
		r.end.Failed++
		return r.print(rowLine{Line{"failed"}, &row, why})
	})
	if measured {
		r.end.Measured++
	}
	return err
}

// note learns from a row's line how long one takes, and reports whether it is a result.
func (r *run) note(text []byte) bool {
	var line Line
	if json.Unmarshal(text, &line) != nil {
		return false
	}
	var res Result
	if line.Kind != "row" || json.Unmarshal(text, &res) != nil {
		return line.Kind == "peer"
	}
	const more = 1.2
	r.needed[res.Network] = time.Duration(more * (res.SetUp + res.First + res.Seconds[whole]) * float64(time.Second))
	r.say(fmt.Sprintf("  %.4g s an iteration, first %.3g s, set up in %.3g s", res.Seconds[whole], res.First, res.SetUp))
	return true
}

// tooLate is why a row has no result that was stopped.
const tooLate = "its time ended before its first result"

// child runs the program until it ends, or is told to at a time, hands over its output
// while it runs, and tells why it failed if it did.
func (r *run) child(ctx context.Context, until time.Time, args []string, read func(out io.Reader) error, failed func(why string) error) error {
	limited, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	cmd := r.Program(limited, args...)
	cmd.SysProcAttr = orchestrator.ChildProcess()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = grace(r.Budget)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	reading := read(out)
	switch {
	case errors.Is(reading, os.ErrClosed): // after the deadline: what still holds it is not waited for
		reading = nil
	case reading != nil:
		cancel() // nobody reads on
	}
	ended := cmd.Wait()
	switch {
	case reading != nil || ended == nil:
		return reading
	case limited.Err() != nil && ctx.Err() == nil:
		return failed(tooLate)
	}
	return failed(lastLine(errs.Bytes(), ended.Error()))
}

func (r *run) say(line string) {
	if r.Say != nil {
		r.Say(line)
	}
}
