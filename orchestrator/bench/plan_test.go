package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// shells measures rows with shell scripts, by network, and returns the lines.
func shells(t *testing.T, ctx context.Context, budget time.Duration, doctor string, scripts ...string) (lines []map[string]any, err error) {
	t.Helper()
	var out bytes.Buffer
	o := Options{
		Budget: budget, Out: &out,
		Program: func(ctx context.Context, args ...string) *exec.Cmd {
			return exec.CommandContext(ctx, "/bin/sh", "-c", args[0])
		},
		RowArgs: func(r Row, _ time.Duration) []string { return r.Settings },
	}
	if doctor != "" {
		o.Doctor = []string{doctor}
	}
	for i, s := range scripts {
		o.Rows = append(o.Rows, Row{Network: fmt.Sprint(i), Settings: []string{s}})
	}
	err = Run(ctx, o)
	for _, text := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines, err
}

// kinds lists the lines' kinds.
func kinds(lines []map[string]any) string {
	var all []string
	for _, l := range lines {
		all = append(all, fmt.Sprint(l["kind"]))
	}
	return strings.Join(all, " ")
}

const result = `echo '{"kind":"row","seconds":{"whole":1}}'`

// TestRun: lines come through, a row that fails takes no other with it, and one line says
// why.
func TestRun(t *testing.T) {
	lines, err := shells(t, t.Context(), time.Minute, "printf '{\n\"ok\": true}'",
		`echo chatter; echo '{"kind":"iteration"}'; `+result, "echo worse >&2; echo bad >&2; exit 1", result)
	if err == nil || err.Error() != "1 of 3 rows failed, see their lines" {
		t.Errorf("the error is %v", err)
	}
	if got := kinds(lines); got != "plan doctor iteration row failed row end" {
		t.Fatalf("lines of kinds %s", got)
	}
	if r, _ := lines[1]["report"].(map[string]any); r["ok"] != true {
		t.Errorf("the doctor's line is %v", lines[1])
	}
	if end := lines[6]; lines[4]["why"] != "bad" || end["measured"] != 2.0 || end["failed"] != 1.0 || end["left_out"] != 0.0 {
		t.Errorf("%v\n%v", lines[4], end)
	}
	if lines, err := shells(t, t.Context(), time.Minute, "echo no >&2; exit 1", result); err != nil || kinds(lines) != "plan failed row end" || lines[1]["why"] != "doctor: no" {
		t.Errorf("after a check that gave nothing: %v, %v", lines, err)
	}
}

// TestBudget: a row is told to stop when the budget ends, and what it says then counts;
// rows without time are left out.
func TestBudget(t *testing.T) {
	start := time.Now()
	stops := `trap '` + strings.ReplaceAll(result, "'", `'\''`) + `; exit 130' INT; sleep 30 & wait`
	lines, err := shells(t, t.Context(), 2*time.Second, "", stops, result)
	if took := time.Since(start); err != nil || took > 5*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	if got := kinds(lines); got != "plan row left-out end" {
		t.Fatalf("lines of kinds %s", got)
	}
	if end := lines[3]; end["measured"] != 1.0 || end["left_out"] != 1.0 {
		t.Errorf("the end is %v", end)
	}
	lines, err = shells(t, t.Context(), time.Second, "", "sleep 30")
	if err != nil || kinds(lines) != "plan left-out end" && kinds(lines) != "plan left-out left-out end" {
		t.Errorf("a row that never says anything: %v, %v", lines, err)
	}
}

// TestNeeded: a network's second row is not begun when its first one took longer than
// what is left.
func TestNeeded(t *testing.T) {
	r := run{Options: Options{Out: &bytes.Buffer{}}, until: time.Now().Add(20 * time.Second), needed: map[string]time.Duration{}}
	if !r.note([]byte(`{"kind":"row","network":"n","set_up_seconds":10,"first_seconds":8,"seconds":{"whole":2}}`)) {
		t.Error("a row is no result")
	}
	if want := 24 * time.Second; r.needed["n"] != want {
		t.Errorf("a row needs %v, not %v", r.needed["n"], want)
	}
	if err := r.row(t.Context(), Row{Network: "n"}, 1); err != nil || r.end.LeftOut != 1 {
		t.Errorf("%d rows are left out, %v", r.end.LeftOut, err)
	}
	if !r.note([]byte(`{"kind":"peer","seconds":1}`)) {
		t.Error("a comparison is no result")
	}
	if r.note([]byte(`{"kind":"iteration","seconds":1}`)) || r.note([]byte("no JSON")) {
		t.Error("other lines are results")
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lines, err := shells(t, ctx, time.Minute, "", result)
	if err == nil || kinds(lines) != "plan end" {
		t.Errorf("after an interrupt: %v, %v", lines, err)
	}
}
