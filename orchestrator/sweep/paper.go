package sweep

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/export/score"
)

// Paper is what was published of a table; see [configs.Paper].
type Paper struct {
	Source string `json:"source"`
	On     string `json:"on,omitempty"`
}

// Published is what was published of a row. NaN stands for what was not.
type Published struct {
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
	t.Paper = &Paper{Source: p.Source, On: p.On}
	below, above := miouOf(p, t.Baseline), miouOf(p, t.Oracle)
	for i := range t.Rows {
		figures, ok := p.Rows[t.Rows[i].Name]
		if !ok {
			continue
		}
		row := &Published{MIoU: share(figures.MIoU), Difference: missing, Gap: missing, Source: figures.Source}
		for name, f := range figures.Subsets {
			if row.Subsets == nil {
				row.Subsets = map[string]score.Score{}
			}
			row.Subsets[name] = share(f)
		}
		if t.Rows[i].Name != t.Baseline {
			row.Difference = row.MIoU - below // NaN where it has none
			row.Gap = recovered([]score.Score{row.MIoU}, []score.Score{below}, []score.Score{above})
		}
		t.Rows[i].Paper = row
	}
}

// miouOf is the published mIoU of a row.
func miouOf(p *configs.Paper, row string) score.Score {
	if figures, ok := p.Rows[row]; ok {
		return share(figures.MIoU)
	}
	return missing
}

// share is a figure in per cent as a share, to the digits that it is written with.
func share(percent float64) score.Score { return score.Score(math.Round(1e4*percent) / 1e6) }

// heading is that of the column of published figures.
func (p *Paper) heading() string {
	if p != nil && p.On != "" {
		return "paper, " + p.On
	}
	return "paper"
}

func (p *Published) miou() score.Score { return p.MIoU }

// published is a cell of the row's published figures.
func (r Row) published(format string, figure func(*Published) score.Score) string {
	if r.Paper == nil {
		return "–"
	}
	return spread(format, figure(r.Paper), 0, 1)
}

// publishes reports whether a row has the published figure.
func (t *Table) publishes(figure func(*Published) score.Score) bool {
	return slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Paper != nil && !math.IsNaN(float64(figure(r.Paper))) })
}

// sources cites what the published figures come from, a line each.
func (t *Table) sources() []string {
	if t.Paper == nil {
		return nil
	}
	first := "paper: " + t.Paper.Source
	if t.Paper.On != "" {
		first += fmt.Sprintf(". Its figures are of %s: orders and differences can be held against this table's, values cannot.", t.Paper.On)
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
