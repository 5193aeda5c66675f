package report

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// TestLooksText: what is said of each kind of change.
func TestLooksText(t *testing.T) {
	for _, c := range []struct {
		look Look
		want string
	}{
		{Look{Before: 20, After: 5}, "closes 75 % of the gap in tone (20.0 → 5.0 levels)"},
		{Look{Before: 20, After: 0}, "closes 100 % of the gap in tone (20.0 → 0.0 levels)"},
		{Look{Before: 20, After: 25}, "widens the gap in tone by 25 % (20.0 → 25.0 levels)"},
		{Look{Before: 20, After: 20.01}, "leaves the gap in tone as it is (20.0 → 20.0 levels)"},
		{Look{Before: 0.5, After: 0.2}, "finds hardly a gap in tone (0.5 → 0.2 levels)"},
		{Look{Before: 0.5, After: 3}, "opens a gap in tone (0.5 → 3.0 levels)"},
	} {
		c.look.Name, c.look.Unit, c.look.Least = "tone", "levels", 1
		if got := c.look.closed(); got != c.want {
			t.Errorf("have %q, want %q", got, c.want)
		}
	}
	l := Looks{Engine: "fda", Charts: []Look{
		{Name: "tone", Unit: "levels", Before: 20, After: 5},
		{Name: "detail", Unit: "dB", Before: 4, After: 6},
		{Name: "noise", Unit: "levels", Before: 2, After: 2},
	}}
	if got, want := l.text(), "The translation (fda) closes 75 % of the gap in tone (20.0 → 5.0 levels), widens the gap in detail by 50 % (4.0 → 6.0 dB) and leaves the gap in noise as it is (2.0 → 2.0 levels)."; got != want {
		t.Errorf("have %q, want %q", got, want)
	}
	l.Engine = ""
	if got, want := l.text(), "Source and target are 20.0 levels in tone, 4.0 dB in detail and 2.0 levels in noise apart; this method translates nothing."; got != want {
		t.Errorf("have %q, want %q", got, want)
	}
}

// TestLooksErrors: a chart without a single number, or with a line of another
// length, is refused.
func TestLooksErrors(t *testing.T) {
	for _, c := range []struct {
		look Look
		want string
	}{
		{Look{Title: "Tone", X: []float64{1}, Source: []float64{math.NaN()}, Target: []float64{math.NaN()}}, `plot "Tone": no finite points`},
		{Look{Title: "Tone", X: []float64{1}, Source: []float64{1, 2}}, `plot "Tone": series "source" has 1 x and 2 y`},
	} {
		d := fullReport(t)
		d.Why.Looks.Charts = []Look{c.look}
		if err := write(filepath.Join(t.TempDir(), "report.html"), d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("have %v, want %q", err, c.want)
		}
	}
}
