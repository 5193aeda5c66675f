package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"t2sda/internal/nvidia"
	"t2sda/orchestrator/bench"
)

// benchFlags say what is measured.
type benchFlags struct {
	device   engineFlags
	budget   time.Duration
	networks []string
	with     []string
	states   []string
	doctor   bool
	peerOnly bool
}

func benchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench [key=value …]",
		Short: "Measure the paper's networks at full size on a device, as JSON",
		Long: `Measure the paper's networks at full size on a device, as JSON.

First the machine is checked (t2sda doctor). Then iterations of method t2s on 2 + 2
crops of 512×512 are timed: MiT-B0 with the SegFormer head, MiT-B5 with DAFormer's,
ResNet-101 with DeepLabV2's, with the state on the device, the same with its networks
captured (runtime.cuda.graph, on GPUs), and with the state on the host. --networks
hrda,mic are MiT-B5 with two resolutions on crops of 1024×1024, the second with masked
images: minutes an iteration on a CPU. Every --with
"key=value …" is measured in addition to them; settings given as arguments hold for
all. Pictures are rendered, weights random: no data set is needed.

Each row is a process of its own. A line of standard output is a JSON document, written
as soon as it is known: plan, doctor, iteration (each one), row (medians by stage,
memory, bytes moved, where nodes run), failed, left-out (what the budget had no time
for), end. With ` + bench.PeerEnv + ` naming a Python with torch, and transformers, lines
of kind peer compare the student's supervised term with PyTorch's.`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.device.add(cmd)
	cmd.Flags().DurationVar(&f.budget, "budget", 9*time.Minute, "time for everything; what does not fit is left out")
	cmd.Flags().StringSliceVar(&f.networks, "networks", bench.Networks(), "networks to measure")
	cmd.Flags().StringArrayVar(&f.with, "with", nil, "measure these settings too, key=value separated by spaces; may be given several times")
	cmd.Flags().StringSliceVar(&f.states, "states", []string{"device", captured, "host"}, "where the state lies (runtime.state), and captured: on the device, with runtime.cuda.graph; without a GPU device and host unless said otherwise")
	cmd.Flags().BoolVar(&f.doctor, "doctor", true, "check the machine first")
	cmd.Flags().BoolVar(&f.peerOnly, "peer-only", false, "only compare with PyTorch, see "+bench.PeerEnv)
	cmd.AddCommand(benchRowCommand(), benchScaleCommand(), benchCostCommand())
	return cmd
}

// run plans the rows and measures them.
func (f *benchFlags) run(cmd *cobra.Command, settings []string) error {
	if !cmd.Flags().Changed("states") && !f.mayCapture() {
		f.states = []string{"device", "host"}
	}
	rows, err := f.rows(settings)
	if err != nil {
		return usageError{err}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := bench.Options{
		Rows: rows, Budget: f.budget, Out: cmd.OutOrStdout(),
		Say:     func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) },
		Program: func(ctx context.Context, args ...string) *exec.Cmd { return exec.CommandContext(ctx, self, args...) },
		RowArgs: rowArgs,
	}
	if f.doctor && !f.peerOnly {
		d := f.device.options
		o.Doctor = []string{"doctor", "--json", "--device=" + d.Device, "--library=" + d.Library, fmt.Sprintf("--threads=%d", d.IntraOpThreads)}
		if f.budget < 2*time.Minute {
			o.Doctor = append(o.Doctor, "--quick")
		}
	}
	return bench.Run(cmd.Context(), o)
}

// mayCapture reports whether networks may be captured on the device.
func (f *benchFlags) mayCapture() bool {
	driver, err := nvidia.Look()
	return f.device.options.Device != "cpu" && err == nil && len(driver.GPUs) > 0
}

// stateKey begins the setting that every row has.
const stateKey = "runtime.state="

// captured stands among the places of the state for the device, with networks captured.
const captured = "captured"

// stateSettings are those of a place of the state.
func stateSettings(state string) []string {
	if state == captured {
		return []string{stateKey + "device", "runtime.cuda.graph=true"}
	}
	return []string{stateKey + state}
}

// rows lists what is measured: the plain rows of all networks, with the state in the first
// of its places before the next, then each --with, and last the comparisons with PyTorch.
// Every configuration is read here, so that a mistake is told before the work.
func (f *benchFlags) rows(settings []string) (rows []bench.Row, err error) {
	switch {
	case f.budget <= 0:
		return nil, errors.New("--budget: want a time, such as 9m")
	case len(f.states) == 0:
		return nil, errors.New("--states: want some of device, captured, host")
	}
	variants := [][]string{nil}
	for _, w := range f.with {
		variants = append(variants, strings.Fields(w))
	}
	var peers []bench.Row
	for _, variant := range variants {
		all, states := f.split(slices.Concat(f.common(), settings, variant))
		for k, state := range states {
			for _, n := range f.networks {
				r := bench.Row{Network: n, Settings: append(slices.Clone(all), stateSettings(state)...)}
				rows = append(rows, r)
				if r.Peer = true; k == 0 && bench.PeerPython() != "" {
					peers = append(peers, r)
				}
			}
		}
	}
	if f.peerOnly {
		if rows = nil; bench.PeerPython() == "" {
			return nil, fmt.Errorf("--peer-only: %s names no Python", bench.PeerEnv)
		}
	}
	for _, r := range rows {
		if _, err := r.Config(); err != nil {
			return nil, err
		}
	}
	for _, r := range peers {
		cfg, err := r.Config()
		switch {
		case err != nil:
			return nil, err
		case !cfg.UsesHRDA():
			rows = append(rows, r)
		case f.peerOnly:
			return nil, fmt.Errorf("--peer-only: %s has two resolutions, PyTorch's network beside it one: name others", r.Network)
		}
	}
	return rows, nil
}

// common are the settings that the flags stand for.
func (f *benchFlags) common() []string {
	d := f.device.options
	all := []string{"runtime.device=" + d.Device}
	if d.Library != "" {
		all = append(all, "runtime.library="+d.Library)
	}
	if d.IntraOpThreads != 0 {
		all = append(all, fmt.Sprintf("runtime.threads=%d", d.IntraOpThreads))
	}
	return all
}

// split takes the places of the state out of the settings: one that is said by hand, or
// else those of --states.
func (f *benchFlags) split(settings []string) (others, states []string) {
	for _, s := range settings {
		if state, ok := strings.CutPrefix(s, stateKey); ok {
			states = []string{state}
		} else {
			others = append(others, s)
		}
	}
	if states == nil {
		states = f.states
	}
	return others, states
}

// rowArgs are the arguments of the process that measures a row.
func rowArgs(r bench.Row, most time.Duration) []string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings
	}
	return []string{"bench", "row", string(text), most.String()}
}

// benchRowCommand is the process that measures a row.
func benchRowCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "row ROW TIME",
		Short:  "Measure one row, given as JSON",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r bench.Row
			if err := json.Unmarshal([]byte(args[0]), &r); err != nil {
				return usageError{err}
			}
			most, err := time.ParseDuration(args[1])
			if err != nil {
				return usageError{err}
			}
			if r.Peer {
				return comparePeer(cmd, r, most)
			}
			return measureRow(cmd, r, most)
		},
	}
}

func measureRow(cmd *cobra.Command, r bench.Row, most time.Duration) error {
	var printing error
	res, err := bench.Measure(cmd.Context(), r, most, func(seconds float64) {
		printing = errors.Join(printing, bench.WriteLine(cmd.OutOrStdout(), struct {
			bench.Line
			Network string  `json:"network"`
			Seconds float64 `json:"seconds"`
		}{bench.Line{Kind: "iteration"}, r.Network, seconds}))
	})
	if res.Iterations > 0 {
		printing = errors.Join(printing, bench.WriteLine(cmd.OutOrStdout(), struct {
			bench.Line
			bench.Result
		}{bench.Line{Kind: "row"}, res}))
	}
	return errors.Join(err, printing)
}

func comparePeer(cmd *cobra.Command, r bench.Row, most time.Duration) error {
	res, err := bench.Compare(cmd.Context(), r, bench.PeerPython(), most)
	if res.Rounds > 0 {
		err = errors.Join(err, bench.WriteLine(cmd.OutOrStdout(), struct {
			bench.Line
			bench.PeerResult
		}{bench.Line{Kind: "peer"}, res}))
	}
	return err
}
