package report

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"io"
	"math"
	"strings"
	"time"

	"t2sda/datasets"
	"t2sda/export/picture"
	"t2sda/export/score"
	"t2sda/internal/atomicfile"
	"t2sda/internal/raster"
)

//go:embed report.html.tmpl
var reportText string

// Fact is a line of a two-column table.
type Fact struct{ Name, Value string }

// Figure is a picture of the report.
type Figure struct {
	Title, Caption string // either may be empty
	Picture        image.Image
	PNG            []byte // Picture as [EncodePNG] returns it; empty: encoded when the page is written
}

// StageTime is the time that one stage of a run took in all.
type StageTime struct {
	Name    string
	Seconds float64
}

// ReportData is everything that the page shows. Empty fields leave their section
// out; Space and Final are required.
type Data struct {
	Title   string // of the page: method and data
	Summary string // a sentence or two below it
	Facts   []Fact // what was trained on what: source, target, network, iterations …

	Space        datasets.Space
	Final        *score.Result // after
	FinalName    string        // of the method; empty: after
	Baseline     *score.Result // before; nil: none
	BaselineName string        // empty: before

	Figures []Figure         // strips of samples and whatever else is worth seeing
	Losses  []picture.Series // over iterations
	Metric  []picture.Series // mIoU in per cent over iterations
	Queries picture.ClassHistory
	Weights picture.ClassHistory

	Stages []StageTime
	Files  []Fact // where model, checkpoints and the rest lie

	Version    string
	Command    string // as typed
	Config     string // resolved, YAML
	ConfigHash string
	Created    time.Time
}

// WriteReport replaces path by one HTML page that holds its pictures and needs
// no network. Confusion matrix, curves and heat maps are drawn from the data.
func Write(path string, d Data) error {
	if d.Final == nil {
		return fmt.Errorf("write %s: the report has no result", path)
	}
	page, err := newPage(d)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	t, err := template.New("report").Parse(reportText)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteFunc(path, func(w io.Writer) error { return t.Execute(w, page) })
}

// page is what the template sees.
type page struct {
	Data
	Headline []Fact // the large numbers
	Rows     []pageRow
	Scores   []pageFigure // of the final result
	Samples  []pageFigure
	Training []pageFigure
	Timing   []pageStage
	Compare  bool
}

// pageRow is a line of the table of classes.
type pageRow struct {
	Name, Color                   string
	Before, After, Change, Pixels string
	Trend                         string // up, down or empty
	Width, WidthBefore            float64
	Mean                          bool
}

type pageFigure struct {
	Title, Caption string
	Source         template.URL
	Width          int
}

type pageStage struct {
	Name, Seconds, Share string
	Width                float64
}

func newPage(d Data) (*page, error) {
	if d.FinalName == "" {
		d.FinalName = "after"
	}
	if d.BaselineName == "" {
		d.BaselineName = "before"
	}
	p := &page{Data: d, Compare: d.Baseline != nil}
	p.headline()
	if err := p.rows(); err != nil {
		return nil, err
	}
	p.timing()
	for _, f := range d.Figures {
		if err := p.embed(&p.Samples, f, nil); err != nil {
			return nil, err
		}
	}
	matrix, err := picture.Confusion(d.Space, d.Final.Confusion)
	if err := p.embed(&p.Scores, Figure{Picture: matrix}, err); err != nil {
		return nil, err
	}
	return p, p.training()
}

// training adds the pictures of how training went, as far as there is data.
func (p *page) training() error {
	if len(p.Metric) > 0 {
		c, err := picture.Curves(picture.CurvesOptions{Title: "Validation mIoU", X: "iteration", Y: "mIoU, %", FromZero: true}, p.Metric...)
		if err := p.embed(&p.Training, Figure{Picture: c}, err); err != nil {
			return err
		}
	}
	if len(p.Losses) > 0 {
		c, err := picture.Curves(picture.CurvesOptions{Title: "Losses", X: "iteration", Y: "loss", FromZero: true}, p.Losses...)
		if err := p.embed(&p.Training, Figure{Picture: c}, err); err != nil {
			return err
		}
	}
	if len(p.Queries.Values) > 0 {
		h, err := picture.Heat(p.Space, "Queries per class", p.Queries)
		if err := p.embed(&p.Training, Figure{Picture: h}, err); err != nil {
			return err
		}
	}
	if len(p.Weights.Values) > 0 {
		h, err := picture.Heat(p.Space, "Weight per class", p.Weights)
		if err := p.embed(&p.Training, Figure{Picture: h}, err); err != nil {
			return err
		}
	}
	return nil
}

// embed appends a picture as a data URI; drawing is the error of having made it.
func (p *page) embed(to *[]pageFigure, f Figure, drawing error) error {
	if drawing != nil {
		return drawing
	}
	data := f.PNG
	if len(data) == 0 {
		var err error
		if data, err = raster.EncodePNG(f.Picture); err != nil {
			return err
		}
	}
	*to = append(*to, pageFigure{
		Title: f.Title, Caption: f.Caption, Width: f.Picture.Bounds().Dx(),
		Source: template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(data)), // our own PNG
	})
	return nil
}

func (p *page) headline() {
	after := p.Final
	if p.Baseline != nil {
		p.Headline = append(p.Headline, Fact{"mIoU " + p.BaselineName, p.Baseline.MIoU.Short()})
	}
	p.Headline = append(p.Headline, Fact{"mIoU " + p.FinalName, after.MIoU.Short()})
	if p.Baseline != nil {
		if gain := 100 * float64(after.MIoU-p.Baseline.MIoU); !math.IsNaN(gain) {
			p.Headline = append(p.Headline, Fact{"gain, points", fmt.Sprintf("%+.1f", gain)})
		}
	}
	p.Headline = append(p.Headline, Fact{"pixel accuracy", after.PixelAccuracy.Short()})
}

func (p *page) rows() error {
	total := p.Final.Confusion.Pixels()
	add := func(row pageRow, before, after score.Score) {
		row.Before, row.After, row.Change = before.String(), after.String(), score.Delta(before, after)
		switch {
		case after > before:
			row.Trend = "up"
		case after < before:
			row.Trend = "down"
		}
		row.Width, row.WidthBefore = barWidth(after), barWidth(before)
		p.Rows = append(p.Rows, row)
	}
	none := score.Score(math.NaN())
	for _, k := range p.Space.Classes {
		r, ok := p.Final.Class(k.Name)
		if !ok {
			return fmt.Errorf("the result has no class %q", k.Name)
		}
		before := none
		if p.Baseline != nil {
			if b, ok := p.Baseline.Class(k.Name); ok {
				before = b.IoU
			}
		}
		row := pageRow{Name: k.Name, Color: fmt.Sprintf("#%02x%02x%02x", k.Color[0], k.Color[1], k.Color[2])}
		row.Pixels = score.Score(score.Ratio(r.Truth, total)).String()
		add(row, before, r.IoU)
	}
	before := none
	if p.Baseline != nil {
		before = p.Baseline.MIoU
	}
	add(pageRow{Name: "mean", Mean: true}, before, p.Final.MIoU)
	return nil
}

// barWidth is the length of a bar in per cent; 0 for NaN.
func barWidth(s score.Score) float64 {
	if math.IsNaN(float64(s)) {
		return 0
	}
	return 100 * float64(s)
}

func (p *page) timing() {
	total := 0.0
	for _, s := range p.Stages {
		total += s.Seconds
	}
	for _, s := range p.Stages {
		share := 0.0
		if total > 0 {
			share = 100 * s.Seconds / total
		}
		p.Timing = append(p.Timing, pageStage{s.Name, fmt.Sprintf("%.1f", s.Seconds), fmt.Sprintf("%.1f %%", share), share})
	}
}

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
