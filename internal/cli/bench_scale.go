package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/ranks"
	"t2sda/internal/shell"
	"t2sda/orchestrator/bench"
	"t2sda/orchestrator/learner"
	"t2sda/orchestrator/trial"
)

// scaleFlags say what ranks measure together.
type scaleFlags struct {
	preset string
	rounds int
	sums   bool
}

func benchScaleCommand() *cobra.Command {
	var f scaleFlags
	cmd := &cobra.Command{
		Use:   "scale [key=value …]",
		Short: "Measure under mpirun what several ranks gain, as JSON",
		Long: `Measure under mpirun what several ranks gain, as JSON:

  mpirun -np 2 --bind-to none t2sda bench scale runtime.device=cpu runtime.threads=1

times, one after the other, an iteration of one rank alone, of all ranks with a batch each, and of
one rank with the batches of all (train.accumulate); and a sum of as many values as the
network has gradients; gradients travel by MPI, through the memory of the host. Each is
the median over --rounds. Pictures are rendered, weights random: no data set is needed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return amongRanks(cmd, func(g *ranks.Group) error { return f.run(cmd, g, args) })
		},
	}
	addPreset(cmd, &f.preset, "streets")
	cmd.Flags().IntVar(&f.rounds, "rounds", 15, "rounds to measure, after one that warms up")
	cmd.Flags().BoolVar(&f.sums, "sums", false, "measure sums of gradients only")
	return cmd
}

// addPreset adds the flag of commands that measure a preset's network without its data.
func addPreset(cmd *cobra.Command, preset *string, standard string) {
	cmd.Flags().StringVarP(preset, "config", "c", standard, "preset or YAML file; its data are not read")
}

// loadTrial reads a configuration for measuring.
func loadTrial(preset string, settings []string) (configs.Config, error) {
	cfg, err := trial.Load(preset, append([]string{"train.adapt_after=0"}, settings...)...)
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

func (f *scaleFlags) run(cmd *cobra.Command, g *ranks.Group, settings []string) error {
	cfg, err := loadTrial(f.preset, settings)
	switch {
	case err != nil:
	case cfg.Train.Accumulate != 0:
		err = usageError{fmt.Errorf("train.accumulate is %d, which this sets itself, to 1 and to the number of ranks: leave it out, or give train.accumulate=0", cfg.Train.Accumulate)}
	case g.Size() == 1:
		err = usageError{fmt.Errorf("it compares one rank with several: start it as mpirun -np 2 %s", shell.Quote(os.Args...))}
	case f.rounds < 1:
		err = usageError{fmt.Errorf("--rounds: want at least 1, have %d", f.rounds)}
	}
	if err := g.Agree(err); err != nil {
		return err
	}
	if err := sameForAll(g, [][2]string{{"version", version()}, {"command line", shell.Quote(os.Args[1:]...)}}); err != nil {
		return err
	}
	s, err := bench.Scale(cmd.Context(), g, cfg, f.rounds, !f.sums)
	if err != nil || !g.Leads() {
		return err
	}
	fmt.Fprintln(cmd.ErrOrStderr(), s.Line())
	return bench.WriteLine(cmd.OutOrStdout(), struct {
		bench.Line
		bench.Scaling
	}{bench.Line{Kind: "scale"}, s})
}

// costFlags are what a cluster's cost is worked out of.
type costFlags struct {
	preset   string
	compute  float64
	ranks    []int
	perNode  int
	inside   float64
	networks []float64
	latency  float64
}

func benchCostCommand() *cobra.Command {
	var f costFlags
	cmd := &cobra.Command{
		Use:   "cost --compute SECONDS [key=value …]",
		Short: "Work out what an iteration takes on a cluster",
		Long: `Work out what an iteration takes on a cluster, as a table in Markdown: seconds of
computing, which you have measured, and of exchange, by what the configuration's ranks
tell each other and what the links carry. Nothing is taken to overlap. Gradients are summed up
in three ways: by a ring, as ranks do who are placed node by node, and as others do, at once.`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	addPreset(cmd, &f.preset, "gta5-cityscapes")
	cmd.Flags().Float64Var(&f.compute, "compute", 0, "seconds of an iteration of one rank")
	cmd.Flags().IntSliceVar(&f.ranks, "ranks", []int{8, 64, 512}, "numbers of ranks")
	cmd.Flags().IntVar(&f.perNode, "per-node", 8, "ranks of a node")
	cmd.Flags().Float64Var(&f.inside, "inside", 450, "GB/s of a rank's link inside of a node, in each direction")
	cmd.Flags().Float64SliceVar(&f.networks, "between", []float64{100, 25}, "Gb/s of a node's link to the others")
	cmd.Flags().Float64Var(&f.latency, "latency", 5, "µs of a message")
	_ = cmd.MarkFlagRequired("compute") // fails only for flags that do not exist
	return cmd
}

func (f *costFlags) run(cmd *cobra.Command, settings []string) error {
	if err := f.check(); err != nil {
		return usageError{err}
	}
	cfg, err := loadTrial(f.preset, settings)
	if err != nil {
		return err
	}
	t, err := learner.TrafficOf(cfg, len(datasets.Cityscapes19().Classes))
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s + %s: %.1f MB of gradients; each rank tells the others %.2f MB and %.2f MB of batch statistics, and all of them %.1f MB of negatives\n\n",
		cfg.Model.Encoder, cfg.Model.Head, float64(t.Gradients)/1e6, float64(t.Told)/1e6, float64(t.Statistics)/1e6, float64(t.Drawn)/1e6)
	var networks []bench.Network
	for _, n := range f.networks {
		networks = append(networks, bench.Network{Name: fmt.Sprintf("%g Gb/s", n), Between: n * 1e9 / 8})
	}
	links := bench.Links{PerNode: f.perNode, Inside: f.inside * 1e9, Latency: f.latency * 1e-6}
	return bench.Cost(cmd.OutOrStdout(), t, f.compute, links, f.ranks, networks)
}

func (f *costFlags) check() error {
	switch {
	case f.compute <= 0:
		return fmt.Errorf("--compute: want seconds above 0, have %g", f.compute)
	case len(f.ranks) == 0 || slices.Min(f.ranks) < 1:
		return errors.New("--ranks: want numbers of at least 1")
	case f.perNode < 1:
		return fmt.Errorf("--per-node: want at least 1, have %d", f.perNode)
	case f.inside <= 0:
		return fmt.Errorf("--inside: want GB/s above 0, have %g", f.inside)
	case len(f.networks) == 0 || slices.Min(f.networks) <= 0:
		return errors.New("--between: want Gb/s above 0")
	case f.latency < 0:
		return fmt.Errorf("--latency: want µs of at least 0, have %g", f.latency)
	}
	return nil
}
