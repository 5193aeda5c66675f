package report

import (
	_ "embed"
	"errors"
	"html/template"
	"io"
	"time"

	"t2sda/datasets"
	"t2sda/export/picture"
	"t2sda/export/score"
)

//go:embed report.html.tmpl
var reportText string

// Fact is a line of a two-column table.
type Fact struct{ Name, Value string }

// Stage is a part of a run and the time that it took in all.
type Stage struct {
	Name    string
	Note    string // what it does; may be empty
	Count   int    // how often it ran; 0: not worth telling
	Seconds float64
}

// Data is everything that the page shows. Space and Final are required; empty
// fields leave their section out. With Losses the page is a training run's,
// without them it is an evaluation's and says so in its headings.
type Data struct {
	Title   string // of the page: method and data
	Summary string // a sentence or two below it
	Facts   []Fact // what was trained on what, or what was evaluated on what and how

	Space        datasets.Space
	Final        *score.Result // its Worst are listed when Worst has no pictures of them
	FinalName    string        // of the method; empty: none, or after where there is a baseline
	Baseline     *score.Result // before; nil: none
	BaselineName string        // empty: before

	Samples []Strip // what went in and what came out
	Worst   Strip   // see [Worst]

	Losses  []picture.Series // over iterations
	Metric  []picture.Series // mIoU in per cent over iterations
	Queries picture.ClassHistory
	Weights picture.ClassHistory

	Why Why // why adaptation worked or not

	Stages []Stage
	Files  []Fact // where model, checkpoints and the rest lie

	Version    string
	Command    string // as typed; one a line where there were several
	Again      string // the command that does the same from the configuration
	Config     string // resolved, YAML
	ConfigHash string
	Created    time.Time
}

// Render writes one HTML page that holds its pictures and needs neither network
// nor scripts. Confusion matrix, curves and heat maps are drawn from the data.
func Render(w io.Writer, d Data) error {
	if d.Final == nil {
		return errors.New("the report has no result")
	}
	page, err := newPage(d)
	if err != nil {
		return err
	}
	t, err := template.New("report").Parse(reportText)
	if err != nil {
		return err
	}
	return t.Execute(w, page)
}
