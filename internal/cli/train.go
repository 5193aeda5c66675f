package cli

import (
	"github.com/spf13/cobra"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/internal/ranks"
	"t2sda/internal/terminal"
	"t2sda/orchestrator"
)

func trainCommand() *cobra.Command {
	var flags configFlags
	var again resumption
	cmd := &cobra.Command{
		Use:   "train [key=value …]",
		Short: "Train, evaluate and export one network",
		Long: `Train, evaluate and export one network.

The configuration is a preset or a YAML file; key=value arguments override it,
for example: t2sda train method=self-training train.iterations=2000 seed=7

Values are read by their setting's type. Text is taken as it stands (key= empties
it), lists are a,b or [a, b]. Paths are relative to the working directory here,
and in a YAML file to that file.

t2sda train --resume RUN continues a run that was interrupted as if it had not
been; --extend N RUN goes on with one that is finished.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return amongRanks(cmd, func(g *ranks.Group) error {
				o := options(cmd)
				o.Ranks, o.Logger = g, newLogger
				cfg, err := chosen(cmd, &flags, &again, args, &o)
				if err := o.Ranks.Agree(err); err != nil {
					return err
				}
				_, err = orchestrator.Run(cmd.Context(), cfg, o)
				return err
			})
		},
	}
	flags.add(cmd)
	again.add(cmd)
	return cmd
}

// chosen returns the configuration to train by, and says in o which run is continued.
func chosen(cmd *cobra.Command, flags *configFlags, again *resumption, args []string, o *orchestrator.Options) (configs.Config, error) {
	run, settings, err := again.choose(cmd, flags, args)
	if err != nil {
		return configs.Config{}, err
	}
	cfg, err := flags.load(settings)
	if err != nil {
		return cfg, err
	}
	if run != "" {
		if err := flags.keepsConfiguration(cfg, settings); err != nil {
			return cfg, err
		}
	}
	o.Resume, o.Run, o.Strict, o.Extend = again.run != "", run, again.strict, again.extend
	o.Vet = vet(cmd, engine.Options{Library: cfg.Runtime.Library, IntraOpThreads: cfg.Runtime.Threads})
	return cfg, nil
}

// options are the orchestrator's options for a command.
func options(cmd *cobra.Command) orchestrator.Options {
	return orchestrator.Options{
		Log: newLogger(cmd.ErrOrStderr()), Out: cmd.OutOrStdout(),
		Terminal: terminal.Is(cmd.OutOrStdout()), Version: version(),
		Program: program(), Command: commandLine(),
	}
}

func compareCommand() *cobra.Command {
	var flags configFlags
	var o orchestrator.CompareOptions
	cmd := &cobra.Command{
		Use:   "compare [key=value …]",
		Short: "Train methods × seeds on one configuration and tabulate them",
		Long: `Train methods × seeds on one configuration and tabulate target mIoU as
mean ± standard deviation, and the share of the gap between source-only and
target-only that each method recovers. Every run has the same iterations, and a
process of its own, one after the other on all cores; --jobs sets how many train
side by side, one thread each. runtime.threads sets another number of threads, and
then as many train side by side as the cores carry. Runs that are complete are not
repeated; an interrupted comparison continues when it is called again. A run that
fails is a hole in the table.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := flags.load(args)
			if err != nil {
				return err
			}
			_, err = orchestrator.Compare(cmd.Context(), cfg, o, options(cmd))
			return err
		},
	}
	flags.add(cmd, "seed") // see --seeds
	cmd.Flags().StringSliceVar(&o.Methods, "methods", orchestrator.DefaultCompareMethods(), "methods to train")
	cmd.Flags().UintSliceVar(&o.Seeds, "seeds", []uint{1, 2, 3}, "seeds of each method")
	addJobs(cmd, &o.Jobs)
	return cmd
}

// addJobs adds the flag of commands that train runs side by side.
func addJobs(cmd *cobra.Command, jobs *int) {
	cmd.Flags().IntVar(jobs, "jobs", 0, "runs that train side by side (0: cores / runtime.threads)")
}
