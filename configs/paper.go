package configs

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

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
		"source": lineInto(&s.Paper.Source),
		"on":     lineInto(&s.Paper.On),
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
			return lineInto(&p.Source)(value)
		}
		figure, err := readNode(reflect.TypeFor[float64](), value)
		if err != nil {
			return fmt.Errorf("line %d: %w", value.Line, err)
		}
		percent := figure.(float64)
		switch {
		case !(percent >= 1 && percent <= 100):
			return fmt.Errorf("line %d: want per cent, from 1 to 100, have %g", value.Line, percent)
		case key == paperMIoU:
			p.MIoU = percent
		default:
			p.Subsets[key] = percent
		}
		return nil
	})
	if err == nil && p.MIoU == 0 {
		err = fmt.Errorf("line %d: has no %s", n.Line, paperMIoU)
	}
	return p, err
}

// lineInto reads a line of text for documents and terminals, without blanks around it.
func lineInto(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if err := textInto(to)(n); err != nil {
			return err
		}
		*to = strings.TrimSpace(*to)
		switch text := *to; {
		case text == "":
			return fmt.Errorf("line %d: is empty: write what it is, or leave it out", n.Line)
		case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
			return fmt.Errorf("line %d: want one line of plain text, without control characters, have %q", n.Line, text)
		}
		return nil
	}
}

// checkPaper wants a citation and figures, of rows and subsets that there are.
func (s *Sweep) checkPaper(rows []string) error {
	p := s.Paper
	if p == nil {
		return nil
	}
	if p.Source == "" {
		return errors.New("paper: source: is not there: cite where the figures stand")
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
