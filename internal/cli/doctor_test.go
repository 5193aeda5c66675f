package cli

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/orchestrator/doctor"
)

func TestDoctorCommand(t *testing.T) {
	enginetest.Isolate(t)
	code, out, errs := call(t, "doctor", "--quick", "--device", "cpu", "--threads", "1", "--json")
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v: %s\n%s", code, err, out, errs)
	}
	if !r.OK || len(r.Checks) != 9 || !strings.Contains(errs, "pass     operators") || !strings.Contains(errs, "all is well") {
		t.Errorf("the document is %s\nand people read\n%s", out, errs)
	}
	file := filepath.Join(t.TempDir(), "doctor.json")
	fail(t, exitFailure, "1 check failed: library", "doctor", "--library", "none.so", "--json="+file)
	r = doctor.Report{}
	readJSON(t, file, &r)
	if r.OK || r.Checks[1].Status != doctor.Fail {
		t.Errorf("the document of a failure is %+v", r)
	}
}

// TestDoctorFails: a device that computes something else has a line, and exit code 1.
func TestDoctorFails(t *testing.T) {
	enginetest.Isolate(t)
	cmd := &cobra.Command{Use: "doctor", SilenceUsage: true, SilenceErrors: true}
	addJSON(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return examine(cmd, doctor.Options{
			Engine: engine.Options{Device: "cpu", IntraOpThreads: 1}, Quick: true,
			Disturb: func(name string, values []float64) { values[0]++ },
		})
	}
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs(nil)
	err := cmd.ExecuteContext(t.Context())
	if err == nil || err.Error() != "1 check failed: operators" {
		t.Fatalf("the error is %v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "fail     operators") || !strings.Contains(out.String(), "cases on cpu differ from the CPU's") || !strings.Contains(out.String(), "→ this device's results are wrong") {
		t.Errorf("people read\n%s", out.String())
	}
}
