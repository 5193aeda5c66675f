package report

import (
	"cmp"
	"fmt"
	"html/template"
	"image"
	"math"
	"strings"

	"t2sda/datasets"
	"t2sda/export/picture"
	"t2sda/export/score"
	"t2sda/internal/raster"
)

// page is what the template sees.
type page struct {
	Data
	Trained  bool // a run's page, not an evaluation's
	Compare  bool // with a baseline
	Contents []Fact
	Headline []pageNumber
	Legend   []pageClass
	Rows     []pageRow
	Groups   []pageRow // of categories
	Strips   []pageStrip
	WorstOf  *pageStrip
	Matrix   pageFigure
	Training []pageFigure
	Timing   []pageStage
	Reasons  *pageWhy // nil: none
}

// pageNumber is one of the large numbers at the top.
type pageNumber struct{ Value, Unit, Name, Trend string }

type pageClass struct{ Name, Color string }

// pageRow is a line of the table of classes.
type pageRow struct {
	Name, Color                           string
	Before, After, Change, Recall, Pixels string
	Trend                                 string  // up, down or empty
	Compare, Mean                         bool    // with a baseline; the last line
	Width, WidthBefore                    float64 // of the bars, per cent
}

// pageFigure is a chart.
type pageFigure struct {
	Alt    string
	Source template.URL
	Width  int // CSS pixels
	Height int
}

// pageStage is a line of the table of times.
type pageStage struct {
	Stage
	Total, Each, Share string
	Width              float64
	Sum                bool // the last line
}

func newPage(d Data) (*page, error) {
	p := &page{Data: d, Compare: d.Baseline != nil, Trained: len(d.Losses) > 0}
	if p.Compare {
		p.FinalName, p.BaselineName = cmp.Or(d.FinalName, "after"), cmp.Or(d.BaselineName, "before")
	}
	p.headline()
	for _, k := range d.Space.Classes {
		p.Legend = append(p.Legend, pageClass{k.Name, hexColor(k)})
	}
	if err := p.rows(); err != nil {
		return nil, err
	}
	if err := p.why(); err != nil {
		return nil, err
	}
	p.timing()
	if err := p.strips(); err != nil {
		return nil, err
	}
	matrix, err := picture.Confusion(d.Space, d.Final.Confusion)
	if err != nil {
		return nil, err
	}
	if p.Matrix, err = figure("Confusion matrix: true classes in rows, predicted classes in columns", matrix); err != nil {
		return nil, err
	}
	if err := p.training(); err != nil {
		return nil, err
	}
	p.contents()
	return p, nil
}

// contents lists the sections that the page has, in its order, for the links at
// its top.
func (p *page) contents() {
	for _, s := range []struct {
		name, id string
		there    bool
	}{
		{"Facts", "facts", len(p.Facts) > 0},
		{"Samples", "samples", len(p.Strips) > 0},
		{"IoU per class", "scores", true},
		{"Why", "why", p.Reasons != nil},
		{"Worst images", "worst", p.WorstOf != nil || len(p.Final.Worst) > 0},
		{"Confusion", "confusion", true},
		{"Curves", "training", len(p.Training) > 0},
		{"Time", "time", len(p.Timing) > 0},
		{"Files", "files", len(p.Files) > 0},
		{"Again", "again", p.Command != "" || p.Again != "" || p.Config != ""},
	} {
		if s.there {
			p.Contents = append(p.Contents, Fact{s.name, s.id})
		}
	}
}

// strips encodes the pictures of samples and worst images.
func (p *page) strips() error {
	for _, s := range p.Samples {
		laid, err := s.lay(p.Space)
		if err != nil {
			return err
		}
		p.Strips = append(p.Strips, laid)
	}
	if len(p.Data.Worst.Rows) == 0 {
		return nil
	}
	laid, err := p.Data.Worst.lay(p.Space)
	p.WorstOf = &laid
	return err
}

// training draws how training went, as far as there is data.
func (p *page) training() error {
	type chart struct {
		alt  string
		on   bool
		draw func() (image.Image, error)
	}
	curves := func(title, y string, series []picture.Series) chart {
		return chart{title + " over iterations", len(series) > 0, func() (image.Image, error) {
			return picture.Curves(picture.CurvesOptions{Title: title, X: "iteration", Y: y, FromZero: true}, series...)
		}}
	}
	heat := func(title string, h picture.ClassHistory) chart {
		return chart{title + " over iterations", len(h.Values) > 0, func() (image.Image, error) { return picture.Heat(p.Space, title, h) }}
	}
	for _, c := range []chart{
		curves("mIoU on the evaluation images", "mIoU, %", p.Metric),
		curves("Losses", "loss", p.Losses),
		heat("Queries per class", p.Queries),
		heat("Weight per class", p.Weights),
	} {
		if !c.on {
			continue
		}
		drawn, err := c.draw()
		if err != nil {
			return err
		}
		f, err := figure(c.alt, drawn)
		if err != nil {
			return err
		}
		p.Training = append(p.Training, f)
	}
	return nil
}

// figure embeds a chart.
func figure(alt string, chart image.Image) (pageFigure, error) {
	source, err := pngURL(chart)
	size := chart.Bounds().Size().Div(picture.Density)
	return pageFigure{Alt: alt, Source: source, Width: size.X, Height: size.Y}, err
}

func pngURL(m image.Image) (template.URL, error) {
	data, err := raster.EncodePNG(m)
	return dataURL("image/png", data), err
}

func (p *page) headline() {
	add := func(value, unit, name, trend string) {
		p.Headline = append(p.Headline, pageNumber{value, unit, name, trend})
	}
	final := strings.TrimSpace("mIoU " + p.FinalName)
	if p.Compare {
		add(p.Baseline.MIoU.Short(), "%", "mIoU "+p.BaselineName, "")
		add(p.Final.MIoU.Short(), "%", final, "")
		if gain := 100 * float64(p.Final.MIoU-p.Baseline.MIoU); !math.IsNaN(gain) {
			add(fmt.Sprintf("%+.1f", gain), "", "points gained", trend(p.Baseline.MIoU, p.Final.MIoU))
		}
	} else {
		add(p.Final.MIoU.Short(), "%", final, "")
	}
	if p.Final.MeanCategory != nil && !p.Compare {
		add(p.Final.MeanCategory.Short(), "%", "mIoU of categories", "")
	}
	add(p.Final.PixelAccuracy.Short(), "%", "pixel accuracy", "")
	add(p.Final.MeanAccuracy.Short(), "%", "mean accuracy", "")
}

// trend names the colour of a change.
func trend(before, after score.Score) string {
	switch {
	case after > before:
		return "up"
	case after < before:
		return "down"
	}
	return ""
}

func (p *page) rows() error {
	none := score.Score(math.NaN())
	before := &score.Result{MIoU: none}
	if p.Compare {
		before = p.Baseline
	}
	for _, k := range p.Space.Classes {
		r, ok := p.Final.Class(k.Name)
		if !ok {
			return fmt.Errorf("the result has no class %q", k.Name)
		}
		row := p.classRow(r, before.Classes)
		row.Color = hexColor(k)
		p.Rows = append(p.Rows, row)
	}
	p.Rows = append(p.Rows, p.meanRow("mean", before.MIoU, p.Final.MIoU, p.Final.MeanAccuracy))
	for _, s := range p.Final.Subsets {
		was := none
		for _, b := range before.Subsets {
			if b.Name == s.Name {
				was = b.MIoU
			}
		}
		p.Rows = append(p.Rows, p.meanRow("mean, "+s.Name, was, s.MIoU, none))
	}
	if len(p.Final.Categories) == 0 {
		return nil
	}
	for _, c := range p.Final.Categories {
		p.Groups = append(p.Groups, p.classRow(c, before.Categories))
	}
	was := none
	if before.MeanCategory != nil {
		was = *before.MeanCategory
	}
	p.Groups = append(p.Groups, p.meanRow("mean", was, *p.Final.MeanCategory, none))
	return nil
}

// classRow is the line of a class or category, beside that of the same name
// before.
func (p *page) classRow(c score.ClassResult, before []score.ClassResult) pageRow {
	was := score.Score(math.NaN())
	for _, b := range before {
		if b.Name == c.Name {
			was = b.IoU
		}
	}
	row := newRow(c.Name, was, c.IoU, c.Recall)
	row.Pixels = score.Score(score.Ratio(c.Truth, p.Final.Confusion.Pixels())).String()
	row.Compare = p.Compare
	return row
}

// meanRow is a line of means.
func (p *page) meanRow(name string, before, iou, recall score.Score) pageRow {
	row := newRow(name, before, iou, recall)
	row.Mean, row.Compare = true, p.Compare
	return row
}

func newRow(name string, before, iou, recall score.Score) pageRow {
	return pageRow{
		Name: name, Before: before.String(), After: iou.String(), Change: score.Delta(before, iou), Recall: recall.String(),
		Trend: trend(before, iou), Width: barWidth(iou), WidthBefore: barWidth(before),
	}
}

func hexColor(k datasets.Class) string {
	return fmt.Sprintf("#%02x%02x%02x", k.Color[0], k.Color[1], k.Color[2])
}

// barWidth is the length of a bar in per cent; 0 for NaN.
func barWidth(s score.Score) float64 {
	if math.IsNaN(float64(s)) {
		return 0
	}
	return 100 * float64(s)
}

// timing adds a line per stage and their sum.
func (p *page) timing() {
	if len(p.Stages) == 0 {
		return
	}
	total := 0.0
	for _, s := range p.Stages {
		total += s.Seconds
	}
	line := func(s Stage) pageStage {
		share := 0.0
		if total > 0 {
			share = 100 * s.Seconds / total
		}
		out := pageStage{Stage: s, Total: fmt.Sprintf("%.1f", s.Seconds), Share: fmt.Sprintf("%.1f", share), Width: share}
		if s.Count > 0 {
			out.Each = fmt.Sprintf("%.1f", 1000*s.Seconds/float64(s.Count))
		}
		return out
	}
	for _, s := range p.Stages {
		p.Timing = append(p.Timing, line(s))
	}
	sum := line(Stage{Name: "all", Seconds: total})
	sum.Sum = true
	p.Timing = append(p.Timing, sum)
}

// Resumed reports whether there was more than one command.
func (p *page) Resumed() bool { return strings.Contains(p.Command, "\n") }

// Footer is the page's last line.
func (p *page) Footer() string {
	parts := []string{"t2sda"}
	if p.Version != "" {
		parts[0] += " " + p.Version
	}
	if p.ConfigHash != "" {
		parts = append(parts, "configuration "+p.ConfigHash)
	}
	if !p.Created.IsZero() {
		parts = append(parts, p.Created.Format("2006-01-02 15:04 MST"))
	}
	return strings.Join(parts, " · ")
}
