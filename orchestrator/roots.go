package orchestrator

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"t2sda/configs"
)

// checkRoots refuses runs some of whose data is not there, before any of them is trained:
// one line for each place that is missing, with the fields that name it.
func checkRoots(cfgs []configs.Config) error {
	var places []string
	fields, faults := map[string][]string{}, map[string]error{}
	for _, cfg := range cfgs {
		for _, d := range []struct{ field, root string }{
			{"data.source.root", cfg.Data.Source.Root},
			{"data.target.root", cfg.Data.Target.Root},
			{"data.eval.root", cfg.Data.Eval.Root},
		} {
			if !readsRoot(cfg, d.root) || !isPlainPath(d.root) {
				continue
			}
			_, err := os.Stat(d.root)
			if err == nil {
				continue
			}
			if faults[d.root] == nil {
				places, faults[d.root] = append(places, d.root), err
			}
			if !slices.Contains(fields[d.root], d.field) {
				fields[d.root] = append(fields[d.root], d.field)
			}
		}
	}
	var missing []error
	for _, place := range places {
		missing = append(missing, fmt.Errorf("%s: %w", strings.Join(fields[place], ", "), faults[place]))
	}
	if len(missing) > 0 {
		return fmt.Errorf("nothing is trained: %w", errors.Join(missing...))
	}
	return nil
}

// isPlainPath reports whether a root is a folder's or a file's name, and neither an address
// nor a pattern of names.
func isPlainPath(root string) bool {
	return root != "" && !strings.Contains(root, "://") && !strings.ContainsAny(root, "*?[{")
}
