package configs

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Paper is what was published of a sweep's rows, to stand beside what they reach here.
type Paper struct {
	Source string // citation of the figures
	// On are the domains and the network that the figures are of, where the sweep trains
	// others: orders and differences can then be compared, values cannot. Empty: the sweep's.
	On   string
	Rows map[string]Published // by the row's name
}

// Published is what was published of one row.
type Published struct {
	MIoU    float64            // in per cent, over the classes that the table's means are over
	Subsets map[string]float64 // in per cent, by the name of one of the sweep's further subsets
	Source  string             // citation, where it is not the table's
}

// The keys of a row's published figures that name no subset.
const (
	paperMIoU   = "miou"
	paperSource = "source"
)

func (s *Sweep) parsePaper(n *yaml.Node) error {
	s.Paper = &Paper{Rows: map[string]Published{}}
	return members(resolved(n), "", map[string]func(*yaml.Node) error{
		"source": textInto(&s.Paper.Source),
		"on":     textInto(&s.Paper.On),
		"rows": func(n *yaml.Node) error {
			return pairs(resolved(n), func(row string, figures *yaml.Node) (err error) {
				s.Paper.Rows[row], err = publishedOf(figures)
				return err
			})
		},
	})
}

// publishedOf reads {miou: 68.3, source: …, SUBSET: 67.4}.
func publishedOf(n *yaml.Node) (Published, error) {
	p := Published{Subsets: map[string]float64{}}
	err := pairs(resolved(n), func(key string, value *yaml.Node) error {
		if key == paperSource {
			return textInto(&p.Source)(value)
		}
		figure, err := readNode(reflect.TypeFor[float64](), value)
		if err != nil {
			return fmt.Errorf("line %d: %w", value.Line, err)
		}
		if f := figure.(float64); !(f >= 1 && f <= 100) {
			return fmt.Errorf("line %d: want per cent, from 1 to 100, have %g", value.Line, f)
		}
		if key == paperMIoU {
			p.MIoU = figure.(float64)
		} else {
			p.Subsets[key] = figure.(float64)
		}
		return nil
	})
	if err == nil && p.MIoU == 0 {
		err = fmt.Errorf("line %d: has no %s", n.Line, paperMIoU)
	}
	return p, err
}

// checkPaper wants a citation and figures, of rows and subsets that there are.
func (s *Sweep) checkPaper(rows []string) error {
	p := s.Paper
	if p == nil {
		return nil
	}
	if p.Source == "" {
		return errors.New("paper: source: is empty: cite where the figures stand")
	}
	if len(p.Rows) == 0 {
		return errors.New("paper: rows: is empty: give the figures of at least one row, as NAME: {miou: 68.3}")
	}
	for _, row := range slices.Sorted(maps.Keys(p.Rows)) {
		if !slices.Contains(rows, row) {
			return fmt.Errorf("paper: there is no row %q%s", row, didYouMean(nearest(row, rows)))
		}
		for _, name := range slices.Sorted(maps.Keys(p.Rows[row].Subsets)) {
			if slices.Contains(s.Subsets[min(1, len(s.Subsets)):], name) {
				continue
			}
			known := append([]string{paperMIoU, paperSource}, s.Subsets...)
			return fmt.Errorf("paper: row %q: %q is neither %s, %s nor one of the further subsets of the sweep%s",
				row, name, paperMIoU, paperSource, didYouMean(nearest(name, known)))
		}
	}
	return nil
}
