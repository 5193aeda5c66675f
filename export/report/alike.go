package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"t2sda/export/picture"
	"t2sda/export/score"
)

// Alike is how alike each class's features are in both domains. The page shows
// it beside the IoU.
type Alike struct {
	Caption string    // what was measured, on which images
	After   []float64 // [C] of the network that is reported, 1 for features of one direction; NaN for none
	Before  []float64 // [C] of the baseline's; nil: none
}

type pageAlike struct {
	Text, Caption string
	Figures       []pageFigure
}

// alike draws similarity beside IoU.
func (p *page) alike() (*pageAlike, error) {
	a, names, before := p.Data.Why.Alike, p.Space.Names(), p.Baseline
	if !slices.ContainsFunc(a.After, finite) {
		return nil, nil
	}
	if len(a.After) != len(names) || a.Before != nil && len(a.Before) != len(names) {
		return nil, fmt.Errorf("similarities of %d and %d classes, there are %d", len(a.After), len(a.Before), len(names))
	}
	similarity := picture.Measure{Title: "cosine of the class means, 1: alike", Digits: 3}
	iou := picture.Measure{Title: "per cent", Digits: 1, Hi: 100}
	series := []string{cmp.Or(p.FinalName, "after")}
	add := func(values []float64, r *score.Result) {
		similarity.Values = append(similarity.Values, append([]float64{meanOf(values)}, values...))
		iou.Values = append(iou.Values, append([]float64{100 * float64(r.MIoU)}, ious(r, names)...))
	}
	add(a.After, p.Final)
	if a.Before == nil {
		before = nil
	}
	if before != nil {
		series = append(series, cmp.Or(p.BaselineName, "before"))
		add(a.Before, before)
	}
	out := &pageAlike{Text: a.text(p.Final, before, names), Caption: a.Caption}
	for _, m := range []struct {
		title   string
		measure picture.Measure
	}{{"Similarity of the domains", similarity}, {"IoU on target images", iou}} {
		drawn, err := picture.Measures(m.title, append([]string{"mean"}, names...), series, m.measure)
		if err != nil {
			return nil, err
		}
		f, err := figure(m.title+" per class", drawn)
		if err != nil {
			return nil, err
		}
		out.Figures = append(out.Figures, f)
	}
	return out, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// meanOf is over the values that there are; NaN for none.
func meanOf(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if finite(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(n)
}

// ious lists a result's classes in per cent, NaN for those that it lacks.
func ious(r *score.Result, names []string) []float64 {
	out := make([]float64, len(names))
	for i, name := range names {
		if out[i] = math.NaN(); r != nil {
			if c, ok := r.Class(name); ok {
				out[i] = 100 * float64(c.IoU)
			}
		}
	}
	return out
}

// text says what the similarities show, as they are printed: to three digits.
func (a Alike) text(final, baseline *score.Result, names []string) string {
	if baseline == nil {
		return fmt.Sprintf("To the trained network the domains are %.3f alike on average; least alike are %s.", meanOf(a.After), least(a.After, names))
	}
	up, down, both, gained := 0, 0, 0, 0
	before, after := ious(baseline, names), ious(final, names)
	for c, v := range a.After {
		change := math.Round(1000*v) - math.Round(1000*a.Before[c])
		if !finite(change) {
			continue
		}
		switch both++; {
		case change < 0:
			down++
		case change > 0:
			up++
			if after[c] > before[c] {
				gained++
			}
		}
	}
	s := fmt.Sprintf("Similarity rises in %d of %d classes and falls in %d; on average it goes from %.3f to %.3f.", up, both, down, meanOf(a.Before), meanOf(a.After))
	if up > 0 {
		s += fmt.Sprintf(" Of the classes in which it rises, %d of %d gain IoU on target images.", gained, up)
	}
	return s
}

// least names the three classes of the smallest values.
func least(values []float64, names []string) string {
	var order []int
	for i, v := range values {
		if finite(v) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	var parts []string
	for _, i := range order[:min(3, len(order))] {
		parts = append(parts, fmt.Sprintf("%s (%.2f)", names[i], values[i]))
	}
	return strings.Join(parts, ", ")
}
