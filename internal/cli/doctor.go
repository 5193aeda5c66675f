package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/internal/plural"
	"t2sda/orchestrator/doctor"
)

func doctorCommand() *cobra.Command {
	var device engineFlags
	var o doctor.Options
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine: library, device, every operator, training, speed",
		Long: `Check this machine: what to run first on a new one.

ONNX Runtime's library and the device are looked at; every operator and its gradient,
and some iterations of the embedded run's network, are computed on the device and on
the CPU and compared; copies, matrix products and the cache folder's disk are timed.
Each line says pass, fail or skipped, what was found, and what to do about a failure.
The exit code is 1 if a check fails.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Engine, o.Version = device.options, version()
			return examine(cmd, o)
		},
	}
	device.add(cmd)
	cmd.Flags().BoolVar(&o.Quick, "quick", false, "one case of each operator, four iterations, smaller blocks")
	addJSON(cmd)
	return cmd
}

// addJSON adds the flag of commands that write one JSON document, by itself to standard
// output.
func addJSON(cmd *cobra.Command) {
	cmd.Flags().String("json", "", "write a JSON document to standard output, or with --json=FILE to that file; lines for people then go to standard error")
	cmd.Flags().Lookup("json").NoOptDefVal = stdoutName
}

// examine makes the checks and tells of them.
func examine(cmd *cobra.Command, o doctor.Options) error {
	out, err := openOutputs(cmd, "json")
	if err != nil {
		return err
	}
	var printing error
	o.Told = func(c doctor.Check) { printing = errors.Join(printing, c.Print(out.people())) }
	report, err := doctor.Run(cmd.Context(), o)
	if err := errors.Join(err, printing, out.writeJSON("json", report)); err != nil {
		return err
	}
	return diagnose(out.people(), report)
}

// diagnose is an error where a check failed.
func diagnose(w io.Writer, r doctor.Report) error {
	if bad := r.Failed(); len(bad) > 0 {
		return fmt.Errorf("%s failed: %s", plural.Of(len(bad), "check", "checks"), strings.Join(bad, ", "))
	}
	_, err := fmt.Fprintf(w, "all is well (%.0f s)\n", r.Seconds)
	return err
}
