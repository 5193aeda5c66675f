package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/configs"
	"t2sda/orchestrator"
)

// newest stands for the configuration's newest run.
const newest = "newest"

// resumption says which run is continued: --resume, --resume=RUN, or RUN as an
// argument behind the flag.
type resumption struct {
	run    string // as given; newest without a value, empty without the flag
	strict bool
	extend int
}

func (r *resumption) add(cmd *cobra.Command) {
	cmd.Flags().Var((*runValue)(&r.run), "resume", "continue `RUN`, a run's folder, or without one the configuration's newest run, from its last checkpoint")
	cmd.Flags().Lookup("resume").NoOptDefVal = newest
	cmd.Flags().BoolVar(&r.strict, "strict", false, "with --resume: stop where the newest checkpoint is damaged, instead of going on from the last one that is whole")
	cmd.Flags().IntVar(&r.extend, "extend", 0, "train the finished RUN so many `iterations` more; the learning rate, which is at its end, starts again as in the rest of a run of that length")
}

// runValue is a text that help calls RUN.
type runValue string

func (v *runValue) String() string     { return string(*v) }
func (v *runValue) Set(s string) error { *v = runValue(s); return nil }
func (v *runValue) Type() string       { return "RUN" }

// choose finds the run to continue, takes it out of the arguments and makes its
// configuration the one that is read. dir is empty for the configuration's
// newest.
func (r *resumption) choose(cmd *cobra.Command, flags *configFlags, args []string) (dir string, settings []string, err error) {
	switch changed := cmd.Flags().Changed("extend"); {
	case changed && r.extend < 1:
		return "", nil, usageError{fmt.Errorf("--extend %d: want at least 1 iteration", r.extend)}
	case changed && r.run == "":
		r.run = newest
	case r.run == "" && r.strict:
		return "", nil, usageError{errors.New("--strict says how --resume reads checkpoints: give both")}
	case r.run == "":
		return "", args, nil
	}
	settings = args
	if r.run == newest {
		i := slices.IndexFunc(args, func(a string) bool { return orchestrator.IsRun(a) || !strings.Contains(a, "=") })
		if i >= 0 {
			r.run, settings = args[i], slices.Delete(slices.Clone(args), i, i+1)
		}
	}
	if r.run == newest {
		if dir := filepath.Dir(flags.name); filepath.Base(flags.name) == orchestrator.ConfigFile && orchestrator.IsRun(dir) {
			return dir, settings, nil
		}
		return "", settings, nil
	}
	if cmd.Flags().Changed("config") {
		return "", nil, usageError{errors.New("--config and --resume RUN: a run has its own configuration, give one of them")}
	}
	dir, err = findRun(r.run)
	if err != nil {
		return "", nil, usageError{fmt.Errorf("--resume %s: %w", r.run, err)}
	}
	flags.name = filepath.Join(dir, orchestrator.ConfigFile)
	return dir, settings, nil
}

// findRun returns the folder of a run that is named by it, by its configuration
// file, or by its name in the default output.
func findRun(name string) (string, error) {
	if filepath.Base(name) == orchestrator.ConfigFile {
		name = filepath.Dir(name)
	}
	for _, dir := range []string{name, filepath.Join(configs.Default().Output, name)} {
		if orchestrator.IsRun(dir) {
			return dir, nil
		}
	}
	if dir, _, ok := strings.Cut(filepath.ToSlash(name), "/checkpoints"); ok && orchestrator.IsRun(dir) {
		return "", fmt.Errorf("a run continues from its last checkpoint: name the run, %s", dir)
	}
	var there []string
	for _, dir := range []string{name, configs.Default().Output} {
		found, _ := filepath.Glob(filepath.Join(dir, "*")) // fails for no folder that holds any
		there = append(there, slices.DeleteFunc(found, func(dir string) bool { return !orchestrator.IsRun(dir) })...)
	}
	if len(there) == 0 {
		return "", fmt.Errorf("there is no run, a folder with %s", orchestrator.ConfigFile)
	}
	const most = 10
	more := ""
	if len(there) > most {
		there, more = there[:most], ", …"
	}
	return "", fmt.Errorf("there is no such run; there are %s%s", strings.Join(there, ", "), more)
}

// keepsConfiguration refuses settings that would change what the run that is
// continued learns by, or where it lies: it goes on as it began.
func (f *configFlags) keepsConfiguration(cfg configs.Config, settings []string) error {
	settings, err := f.words.settings(settings)
	if err != nil {
		return err
	}
	own, err := configs.Load(f.name, nil)
	if err != nil || own.Hash() == cfg.Hash() && own.Name == cfg.Name && own.Output == cfg.Output {
		return err
	}
	text := fmt.Sprintf("%s: a run that is continued keeps its place and what it learns by; begin a new one without --resume", strings.Join(settings, " "))
	if more := cfg.Train.Iterations - own.Train.Iterations; more > 0 {
		text += fmt.Sprintf(", or train a finished one longer: --extend %d", more)
	}
	return usageError{errors.New(text)}
}
