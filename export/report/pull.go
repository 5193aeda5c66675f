package report

import (
	"fmt"
	"math"
	"strings"

	"t2sda/datasets"
)

// Pulled is what the pull did with one class, means over the iterations that
// pulled.
type Pulled struct {
	Queries    float64 // drawn
	Weight     float64 // of all of them in the pull's loss; the classes' sum to 1
	Iterations float64 // share in which the class had queries
}

type pagePull struct {
	Text string
	Rows []pagePulled
}

// pagePulled is a line of the table of queries and weights.
type pagePulled struct {
	Name, Color                              string
	Iterations, Queries, Weight, Each, Times string
	Width                                    float64 // of the bar, per cent
	Mean                                     bool    // the last line
}

// pullTable lists queries and weights per class; nil where nothing was pulled.
func pullTable(space datasets.Space, pulled []Pulled) (*pagePull, error) {
	if pulled == nil {
		return nil, nil
	}
	if len(pulled) != len(space.Classes) {
		return nil, fmt.Errorf("queries and weights of %d classes, there are %d", len(pulled), len(space.Classes))
	}
	var sum Pulled
	for _, c := range pulled {
		sum.Queries += c.Queries
		sum.Weight += c.Weight
	}
	if sum.Queries == 0 {
		return nil, nil
	}
	average := sum.Weight / sum.Queries // weight of one query
	times := make([]float64, len(pulled))
	for i, c := range pulled {
		times[i] = c.Weight / c.Queries / average // NaN without queries
	}
	largest := 0.0
	for _, v := range times {
		if finite(v) {
			largest = max(largest, v)
		}
	}
	out := &pagePull{Text: pullText(space.Names(), pulled, times)}
	for i, k := range space.Classes {
		row := pulledRow(pulled[i], times[i])
		row.Name, row.Color = k.Name, hexColor(k)
		if finite(times[i]) && largest > 0 {
			row.Width = 100 * times[i] / largest
		}
		out.Rows = append(out.Rows, row)
	}
	row := pulledRow(sum, 1)
	row.Name, row.Iterations, row.Mean = "all", "", true
	out.Rows = append(out.Rows, row)
	return out, nil
}

// pulledRow prints a class's means; without queries it has no weights.
func pulledRow(c Pulled, times float64) pagePulled {
	row := pagePulled{Iterations: fmt.Sprintf("%.0f", 100*c.Iterations), Queries: fmt.Sprintf("%.1f", c.Queries), Weight: "–", Each: "–", Times: "–"}
	if c.Queries > 0 {
		row.Weight, row.Each, row.Times = fmt.Sprintf("%.1f", 100*c.Weight), fmt.Sprintf("%.2f", 1000*c.Weight/c.Queries), twoDigits(times)
	}
	return row
}

// twoDigits prints a factor to two significant digits, without an exponent.
func twoDigits(v float64) string {
	digits := 0
	if v > 0 {
		digits = max(0, 1-int(math.Floor(math.Log10(v))))
	}
	return fmt.Sprintf("%.*f", digits, v)
}

// pullText says which classes' queries pull hardest and least, and which classes
// were never pulled.
func pullText(names []string, pulled []Pulled, times []float64) string {
	most, fewest := -1, -1
	var never []string
	for i, v := range times {
		if pulled[i].Queries == 0 {
			never = append(never, names[i])
			continue
		}
		if most < 0 || v > times[most] {
			most = i
		}
		if fewest < 0 || v < times[fewest] {
			fewest = i
		}
	}
	s := fmt.Sprintf("One query of %s pulls %s times as hard as the average query, one of %s %s times as hard.", names[most], twoDigits(times[most]), names[fewest], twoDigits(times[fewest]))
	switch {
	case len(never) == len(names)-1:
		return fmt.Sprintf("Only %s was ever pulled.", names[most])
	case twoDigits(times[most]) == twoDigits(times[fewest]):
		s = "Queries of all classes pull alike."
	}
	if len(never) > 0 {
		s += " Never pulled: " + strings.Join(never, ", ") + "."
	}
	return s
}
