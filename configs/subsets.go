package configs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseSubsets reads names of classes' subsets. Those that mean something else among
// published figures cannot be told from it.
func (s *Sweep) parseSubsets(n *yaml.Node) error {
	names, err := readNode(reflect.TypeFor[[]string](), n)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	s.Subsets = names.([]string)
	for i, name := range s.Subsets {
		switch {
		case name == "" || slices.Contains(s.Subsets[:i], name):
			return fmt.Errorf("line %d: %q: want names that differ", n.Line, name)
		case name == paperMIoU || name == paperSource:
			return fmt.Errorf("line %d: %q is a key of published figures: a subset of this name needs another in the list of classes, and here", n.Line, name)
		}
	}
	return nil
}

// CheckSubsets wants the sweep's subsets to be among those that a list of classes has.
func (s *Sweep) CheckSubsets(known []string) error {
	for _, name := range s.Subsets {
		switch {
		case slices.Contains(known, name):
		case len(known) == 0:
			return fmt.Errorf("subsets: %q: the row's list of classes has no subsets: name them there (subsets:), or leave them out here", name)
		default:
			return fmt.Errorf("subsets: the row's list of classes has no subset %q%s: it has %s",
				name, didYouMean(nearest(name, known)), strings.Join(known, ", "))
		}
	}
	return nil
}
