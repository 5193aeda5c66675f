// Package doctor checks a machine: whether the runtime's library and the device are there,
// compute what the CPU computes, and how fast they are.
package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"t2sda/internal/finite"
)

// Status is how a check ended.
type Status string

// The ends of a check.
const (
	Pass    Status = "pass"
	Fail    Status = "fail"
	Skipped Status = "skipped"
)

// Check is one line of the report.
type Check struct {
	Name    string         `json:"name"`
	Status  Status         `json:"status"`
	Detail  string         `json:"detail"`        // what was found, or why there is nothing
	Fix     string         `json:"fix,omitempty"` // what to do about a failure
	Seconds float64        `json:"seconds"`
	Values  map[string]any `json:"values,omitempty"` // the figures of the detail, and more
}

// Report is everything that was checked.
type Report struct {
	OK      bool      `json:"ok"`
	Time    time.Time `json:"time"`
	Seconds float64   `json:"seconds"`
	Checks  []Check   `json:"checks"`
}

// Failed lists the names of the checks that failed.
func (r Report) Failed() []string {
	var names []string
	for _, c := range r.Checks {
		if c.Status == Fail {
			names = append(names, c.Name)
		}
	}
	return names
}

// Print writes the check as a line, and as another one what to do.
func (c Check) Print(w io.Writer) error {
	text := fmt.Sprintf("%-8s %-10s %s\n", c.Status, c.Name, c.Detail)
	if c.Fix != "" {
		text += strings.Repeat(" ", 20) + "→ " + c.Fix + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// pass, fail and skip make the end of a check.

func pass(format string, args ...any) Check {
	return Check{Status: Pass, Detail: fmt.Sprintf(format, args...)}
}

func fail(fix, format string, args ...any) Check {
	return Check{Status: Fail, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

func skip(format string, args ...any) Check {
	return Check{Status: Skipped, Detail: fmt.Sprintf(format, args...)}
}

// with adds figures.
func (c Check) with(values map[string]any) Check {
	c.Values = values
	return c
}

// number is x as JSON has it, which knows no infinity.
func number(x float64) any {
	if !finite.Is(x) {
		return fmt.Sprint(x)
	}
	return x
}

// some joins names, the first few of many.
func some(names []string) string {
	const most = 5
	if n := len(names); n > most {
		names = append(slices.Clone(names[:most]), fmt.Sprintf("%d more", n-most))
	}
	return strings.Join(names, ", ")
}
