package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// words are the flags that stand for settings: what people of other programs
// type. --help shows each with its setting.
var words = []struct{ flag, key, usage string }{
	{"device", "runtime.device", "cpu, cuda, cuda:N or auto"},
	{"seed", "seed", "of everything that is drawn"},
	{"iterations", "train.iterations", "to train"},
	{"out", "output", "folder that the run's own, of its name, is made in"},
	{"cache", "data.stats_cache", "folder in which the counts of classes and the target's looks are kept between runs"},
	{"init", "model.init", "weights to start from: a file of safetensors, PyTorch or ONNX, or a name of those in the program"},
}

// wordFlags are the words of a command.
type wordFlags struct {
	cmd *cobra.Command
	but []string // words that are none there
}

// add adds the words but those that mean something else to the command.
func (f *wordFlags) add(cmd *cobra.Command, but ...string) {
	f.cmd, f.but = cmd, but
	for _, w := range words {
		if !slices.Contains(but, w.flag) {
			cmd.Flags().String(w.flag, "", fmt.Sprintf("the setting %s: %s", w.key, w.usage))
		}
	}
}

// settings returns the settings with those that the words stand for. Saying one
// in both ways is an error.
func (f *wordFlags) settings(settings []string) ([]string, error) {
	all := slices.Clone(settings)
	for _, w := range words {
		if slices.Contains(f.but, w.flag) || !f.cmd.Flags().Changed(w.flag) {
			continue
		}
		for _, s := range settings {
			if key, _, _ := strings.Cut(s, "="); strings.EqualFold(key, w.key) {
				return nil, usageError{fmt.Errorf("--%s and %s are the same setting: give one", w.flag, s)}
			}
		}
		all = append(all, w.key+"="+f.cmd.Flags().Lookup(w.flag).Value.String())
	}
	return all, nil
}
