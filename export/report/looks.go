package report

import (
	"fmt"
	"math"
	"strings"

	"t2sda/export/picture"
)

// Looks is how labelled images, their translations and the target's images look.
// Without charts the page has none.
type Looks struct {
	Engine  string // of the translation; empty: nothing was translated
	Caption string // what was measured, on which images
	Charts  []Look
}

// Look is one statistic of images: a line per domain over a common axis, and how
// far the domains are apart.
type Look struct {
	Name               string // in a sentence: a gap in …
	Title, XName, Unit string // Unit is also the gaps'; see YName
	YName              string // empty: the unit
	X                  []float64
	Source, Target     []float64 // NaN leaves a point out
	Translated         []float64 // nil: none
	Before, After      float64   // gaps of source and of translated images to the target
	Least              float64   // gaps below it are none
	FromZero           bool      // the axes begin at 0
}

type pageLooks struct {
	Text, Caption string
	Charts        []pageFigure
}

// page draws the charts; nil without any.
func (l Looks) page() (*pageLooks, error) {
	if len(l.Charts) == 0 {
		return nil, nil
	}
	out := &pageLooks{Text: l.text(), Caption: l.Caption}
	for _, c := range l.Charts {
		y := c.YName
		if y == "" {
			y = c.Name + ", " + c.Unit
		}
		series := []picture.Series{{Name: "source", X: c.X, Y: c.Source}, {Name: "translated"}, {Name: "target", X: c.X, Y: c.Target, Dashed: true}}
		if c.Translated != nil {
			series[1].X, series[1].Y = c.X, c.Translated
		}
		drawn, err := picture.Curves(picture.CurvesOptions{Title: c.Title, X: c.XName, Y: y, Small: true, FromZero: c.FromZero}, series...)
		if err != nil {
			return nil, err
		}
		f, err := figure(c.Title+" of source, translated and target images", drawn)
		if err != nil {
			return nil, err
		}
		out.Charts = append(out.Charts, f)
	}
	return out, nil
}

// text says how much of each gap the translation closes.
func (l Looks) text() string {
	var parts []string
	for _, c := range l.Charts {
		if l.Engine == "" {
			parts = append(parts, fmt.Sprintf("%.1f %s in %s", c.Before, c.Unit, c.Name))
		} else {
			parts = append(parts, c.closed())
		}
	}
	if l.Engine == "" {
		return "Source and target are " + listed(parts) + " apart; this method translates nothing."
	}
	return "The translation (" + l.Engine + ") " + listed(parts) + "."
}

// closed says what became of the gap.
func (c Look) closed() string {
	numbers := fmt.Sprintf("(%.1f → %.1f %s)", c.Before, c.After, c.Unit)
	if c.Before < c.Least {
		if c.After < c.Least {
			return fmt.Sprintf("finds hardly a gap in %s %s", c.Name, numbers)
		}
		return fmt.Sprintf("opens a gap in %s %s", c.Name, numbers)
	}
	switch share := math.Round(100 * (1 - c.After/c.Before)); {
	case share > 0:
		return fmt.Sprintf("closes %.0f %% of the gap in %s %s", share, c.Name, numbers)
	case share < 0:
		return fmt.Sprintf("widens the gap in %s by %.0f %% %s", c.Name, -share, numbers)
	}
	return fmt.Sprintf("leaves the gap in %s as it is %s", c.Name, numbers)
}

// listed joins parts of a sentence.
func listed(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}
