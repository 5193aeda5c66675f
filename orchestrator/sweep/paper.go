package sweep

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/export/score"
)

// Citation says what the published figures of a table are; see [configs.Paper].
type Citation struct {
	Source string `json:"source"`
	On     string `json:"on,omitempty"`
}

// Figures are what was published of a row; see [configs.Published]. NaN stands for what was
// not, and for what could only be told from two sources.
type Figures struct {
	MIoU       score.Score            `json:"miou"`
	Subsets    map[string]score.Score `json:"subsets,omitempty"`
	Difference score.Score            `json:"difference"` // to the baseline's published figure
	Gap        score.Score            `json:"gap_recovered"`
	Source     string                 `json:"source,omitempty"` // where it is not the table's
}

// addPaper puts the published figures beside the rows.
func (t *Table) addPaper(p *configs.Paper) {
	if p == nil {
		return
	}
	t.Paper = &Citation{Source: p.Source, On: p.On}
	for i := range t.Rows {
		figures, ok := p.Rows[t.Rows[i].Name]
		if !ok {
			continue
		}
		row := &Figures{MIoU: share(figures.MIoU), Difference: missing, Gap: missing, Source: figures.Source}
		for name, f := range figures.Subsets {
			if row.Subsets == nil {
				row.Subsets = map[string]score.Score{}
			}
			row.Subsets[name] = share(f)
		}
		if t.Rows[i].Name != t.Baseline {
			below, above := beside(p, t.Baseline, figures), beside(p, t.Oracle, figures)
			row.Difference = row.MIoU - below // NaN where it has none
			row.Gap = recovered([]score.Score{row.MIoU}, []score.Score{below}, []score.Score{above})
		}
		t.Rows[i].Paper = row
	}
}

// beside is the published mIoU of a row that others' figures are held against: those of
// the same source only, as papers train their baselines in ways of their own.
func beside(p *configs.Paper, row string, others configs.Published) score.Score {
	if figures, ok := p.Rows[row]; ok && figures.Source == others.Source {
		return share(figures.MIoU)
	}
	return missing
}

// share is a figure in per cent as a share, to the digits that it is written with.
func share(percent float64) score.Score { return score.Score(math.Round(1e4*percent) / 1e6) }

// heading is that of the column of published figures.
func (c *Citation) heading() string {
	if c != nil && c.On != "" {
		return "published, " + c.On
	}
	return "published"
}

func (f *Figures) miou() score.Score { return f.MIoU }

// published is a cell of the row's published figures.
func (r Row) published(format string, figure func(*Figures) score.Score) string {
	if r.Paper == nil {
		return "–"
	}
	return spread(format, figure(r.Paper), 0, 1)
}

// publishes reports whether a row has the published figure.
func (t *Table) publishes(figure func(*Figures) score.Score) bool {
	return slices.ContainsFunc(t.Rows, func(r Row) bool {
		return r.Paper != nil && !math.IsNaN(float64(figure(r.Paper)))
	})
}

// sources cites what the published figures come from, a line each.
func (t *Table) sources() []string {
	if t.Paper == nil {
		return nil
	}
	first := "published: " + t.Paper.Source
	if t.Paper.On != "" {
		first += fmt.Sprintf(". Its figures are of %s: orders and differences can be held against this table's, "+
			"values cannot.", t.Paper.On)
	}
	lines := []string{first}
	var cited []string
	rows := map[string][]string{}
	for _, r := range t.Rows {
		if r.Paper == nil || r.Paper.Source == "" {
			continue
		}
		if rows[r.Paper.Source] == nil {
			cited = append(cited, r.Paper.Source)
		}
		rows[r.Paper.Source] = append(rows[r.Paper.Source], r.Name)
	}
	for _, source := range cited {
		lines = append(lines, strings.Join(rows[source], ", ")+": "+source)
	}
	return lines
}
