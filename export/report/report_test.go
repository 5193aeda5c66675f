package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"t2sda/datasets"
	"t2sda/export/exporttest"
	"t2sda/export/picture"
	"t2sda/export/score"
	"t2sda/internal/atomicfile"
	"t2sda/internal/raster"
)

// row returns a map of one row.
func row(ids ...uint8) *raster.Labels {
	return &raster.Labels{W: len(ids), H: 1, Pix: ids}
}

// threeResult has classes road 2/3, car 0.5 and an absent train.
func threeResult(t *testing.T) *score.Result {
	t.Helper()
	c := score.NewConfusion(3)
	if err := c.Add(row(0, 0, 0, 1), row(0, 0, 1, 1)); err != nil {
		t.Fatal(err)
	}
	return score.NewResult([]string{"road", "car", "train"}, c)
}

func fullReport(t *testing.T) Data {
	iterations := []float64{0, 10, 20}
	values := [][]float64{{1, 2, 3}, {1, 2, 3}, {2, 2, 2}}
	final := threeResult(t)
	final.Worst = []score.ImageScore{{ID: "frankfurt/worst", MIoU: 0.1, PixelAccuracy: 0.2}}
	final.Skipped = []score.Skipped{{ID: "broken", Error: "image broken.png cannot be decoded"}}
	baseline := threeResult(t)
	baseline.Classes[0].IoU = 0.9
	return Data{
		Title: "T2S-DA <on> streets", Summary: "Two domains & one network.", Facts: []Fact{{"source", "game"}},
		Space: datasets.Space{Classes: []datasets.Class{{Name: "road", Color: [3]uint8{128, 64, 128}}, {Name: "car"}, {Name: "train"}}},
		Final: final, FinalName: "T2S", Baseline: baseline, BaselineName: "source only",
		Samples: []Strip{{Title: "Samples of both", Caption: "game and camera", Columns: []string{"image", "labels", "none"}, Rows: []picture.StripRow{
			{Title: "first", Cells: []picture.Cell{{Image: raster.NewImage(4, 2)}, {Labels: row(0, 1, 2, 255)}, {}}},
			{Title: "second", Cells: []picture.Cell{{}, {Image: raster.NewImage(4, 2), Labels: raster.NewLabels(4, 2)}, {}}},
		}}},
		Losses:  []picture.Series{{Name: "source", X: iterations, Y: []float64{3, 2, 1}}},
		Metric:  []picture.Series{{Name: "T2S", X: iterations, Y: []float64{10, 20, 30}}},
		Queries: picture.ClassHistory{Iterations: iterations, Values: values}, Weights: picture.ClassHistory{Iterations: iterations, Values: values},
		Stages: []Stage{{Name: "teacher", Note: "labels", Count: 20, Seconds: 25}, {Name: "student", Seconds: 75}}, Files: []Fact{{"model", "runs/a/model.onnx"}},
		Version: "1.2.3", Command: "t2sda train data.root='a b'", Again: "t2sda train -c runs/a/config.yaml", Config: "seed: 1\n", ConfigHash: "cafe", Created: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
	}
}

// readReport walks the page as a forgiving parser does and returns its text and
// the ids of its sections. It fails on anything that a browser would fetch, and
// unless the links at the top lead to the sections in their order.
func readReport(t *testing.T, path string) (text string, sections []string, images int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := xml.NewDecoder(f)
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var b strings.Builder
	var links []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if got, want := strings.Join(links, " "), "#"+strings.Join(sections, " #"); got != want {
				t.Errorf("links are %s, want %s", got, want)
			}
			return b.String(), sections, images
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.CharData:
			b.Write(token)
		case xml.StartElement:
			if name := token.Name.Local; name == "script" || name == "link" || name == "iframe" {
				t.Errorf("the page has an element %s", name)
			}
			for _, a := range token.Attr {
				switch a.Name.Local {
				case "src":
					images++
					if !strings.HasPrefix(a.Value, "data:image/png;base64,iVBOR") && !strings.HasPrefix(a.Value, "data:image/jpeg;base64,/9j/") {
						t.Errorf("src is %.40s…, want an embedded picture", a.Value)
					}
				case "href":
					links = append(links, a.Value)
				case "id":
					sections = append(sections, a.Value)
				}
			}
		}
	}
}

// write makes the page a file.
func write(path string, d Data) error {
	return atomicfile.WriteFunc(path, func(w io.Writer) error { return Render(w, d) })
}

func TestReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	if err := write(path, fullReport(t)); err != nil {
		t.Fatal(err)
	}
	text, sections, images := readReport(t, path)
	if got, want := strings.Join(sections, " "), "facts samples scores worst confusion training time files again"; got != want {
		t.Errorf("sections are %s, want %s", got, want)
	}
	if images != 8 { // three cells, confusion matrix, mIoU, losses, queries, weights
		t.Errorf("%d pictures, want 8", images)
	}
	for _, want := range []string{
		"T2S-DA <on> streets", "Two domains & one network.", "66.67", "-23.33", "source only", "frankfurt/worst", "image broken.png cannot be decoded", "1 left out",
		"What was trained on what", "75.0", "1250.0", "100.0", "runs/a/model.onnx", "t2sda train -c runs/a/config.yaml", "The command, as typed", "t2sda train data.root='a b'", "seed: 1", "t2sda 1.2.3 · configuration cafe · 2026-01-02 03:04 UTC",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "url(") || strings.Contains(text, "@import") {
		t.Error("the style sheet fetches something")
	}
}

func TestReportOfTheLeast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	full := fullReport(t)
	if err := write(path, Data{Title: "least", Space: full.Space, Final: threeResult(t)}); err != nil {
		t.Fatal(err)
	}
	text, sections, images := readReport(t, path)
	if got := strings.Join(sections, " "); got != "scores confusion" || images != 1 {
		t.Errorf("sections are %s with %d pictures, want scores, confusion with 1", got, images)
	}
	if strings.Contains(text, "before") || strings.Contains(text, "gain") || !strings.Contains(text, "recall") {
		t.Error("a report without baseline compares, or lacks the recall")
	}
}

func TestReportErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(d *Data)
		want   string
	}{
		{"no result", func(d *Data) { d.Final = nil }, "the report has no result"},
		{"classes", func(d *Data) { d.Space = exporttest.FiveClasses() }, `the result has no class "sidewalk"`},
		{"queries", func(d *Data) { d.Queries.Values = [][]float64{{1}} }, `"Queries per class"`},
		{"losses", func(d *Data) { d.Losses[0].X = nil }, `series "source"`},
		{"samples", func(d *Data) { d.Samples[0].Columns = nil }, `row "first" has 3 cells for 0 columns`},
		{"worst", func(d *Data) { d.Worst = Strip{Columns: []string{"a"}, Rows: make([]picture.StripRow, 1)} }, "has 0 cells for 1 columns"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := fullReport(t)
			tt.change(&d)
			path := filepath.Join(t.TempDir(), "report.html")
			err := write(path, d)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want %q and the file's name", err, tt.want)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("a page was written in spite of the error")
			}
		})
	}
}
