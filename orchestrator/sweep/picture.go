package sweep

import (
	"cmp"
	"image"
	"math"
	"slices"

	"t2sda/export/picture"
	"t2sda/export/score"
)

// picture draws the table: a curve over the value of the grid's only key where it
// is a number, otherwise a line per row; each with what was published on the same data.
func (p *Plan) picture(t *Table) (image.Image, error) {
	title := cmp.Or(t.Title, t.Name)
	if key := p.sweep.Curve(); key != "" {
		series := p.curves(t)
		o := picture.CurvesOptions{Title: title, X: key, Y: p.scoreName() + ", %", LogX: spansDecades(series)}
		return picture.Curves(o, series...)
	}
	rows := make([]picture.Mean, len(t.Rows))
	for i, r := range t.Rows {
		rows[i] = picture.Mean{Name: r.Name, Mean: 100 * float64(r.Mean), Std: 100 * float64(r.Std)}
		for _, m := range r.MIoU {
			rows[i].Values = append(rows[i].Values, 100*float64(m))
		}
		if figure := float64(t.comparable(r)); !math.IsNaN(figure) {
			rows[i].Others = []float64{100 * figure}
		}
	}
	base := t.row(t.Baseline)
	return picture.Means(title, p.scoreName()+", %", rows, base)
}

// comparable is what was published of a row, if its value can be held against this table's:
// figures of other data lie far from these.
func (t *Table) comparable(r Row) score.Score {
	if r.Paper == nil || t.Paper.On != "" {
		return missing
	}
	return r.Paper.MIoU
}

// curves makes a series for each of the sweep's rows, or a single one.
func (p *Plan) curves(t *Table) []picture.Series {
	var out []picture.Series
	for i, v := range p.variants {
		name := cmp.Or(v.Of, "mean ± deviation over seeds")
		k := slices.IndexFunc(out, func(s picture.Series) bool { return s.Name == name })
		if k < 0 {
			k = len(out)
			out = append(out, picture.Series{Name: name, Dots: true})
		}
		s, r := &out[k], t.Rows[i]
		s.X, s.Y, s.Err = append(s.X, v.X), append(s.Y, 100*float64(r.Mean)), append(s.Err, 100*float64(r.Std))
		s.Others = append(s.Others, 100*float64(t.comparable(r)))
	}
	return out
}

// spansDecades reports whether the values are better told apart on a logarithmic
// axis: all above 0, the largest at least 16 times the smallest.
func spansDecades(series []picture.Series) bool {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, s := range series {
		lo, hi = min(lo, slices.Min(s.X)), max(hi, slices.Max(s.X))
	}
	return lo > 0 && hi/lo >= 16
}
