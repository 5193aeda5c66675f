package report

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"html"
	"image"
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
		Figures: []Figure{{Title: "Samples of both", Caption: "game and camera", Picture: image.NewGray(image.Rect(0, 0, 3, 2))}},
		Losses:  []picture.Series{{Name: "source", X: iterations, Y: []float64{3, 2, 1}}},
		Metric:  []picture.Series{{Name: "T2S", X: iterations, Y: []float64{10, 20, 30}}},
		Queries: picture.ClassHistory{Iterations: iterations, Values: values}, Weights: picture.ClassHistory{Iterations: iterations, Values: values},
		Stages: []StageTime{{"teacher", 25}, {"student", 75}}, Files: []Fact{{"model", "runs/a/model.onnx"}},
		Version: "1.2.3", Command: "t2sda train data.root='a b'", Config: "seed: 1\n", ConfigHash: "cafe", Created: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
	}
}

// readReport walks the page as a forgiving parser does and returns its text and
// the ids of its sections. It fails on anything that a browser would fetch.
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
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
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
					if !strings.HasPrefix(a.Value, "data:image/png;base64,iVBOR") {
						t.Errorf("src is %.40s…, want an embedded PNG", a.Value)
					}
				case "href":
					t.Errorf("link to %s", a.Value)
				case "id":
					sections = append(sections, a.Value)
				}
			}
		}
	}
}

func TestReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	if err := Write(path, fullReport(t)); err != nil {
		t.Fatal(err)
	}
	text, sections, images := readReport(t, path)
	if got, want := strings.Join(sections, " "), "facts samples scores pictures training time files again"; got != want {
		t.Errorf("sections are %s, want %s", got, want)
	}
	if images != 6 { // sample, confusion matrix, mIoU, losses, queries, weights
		t.Errorf("%d pictures, want 6", images)
	}
	for _, want := range []string{
		"T2S-DA <on> streets", "Two domains & one network.", "66.67", "-23.33", "source only", "frankfurt/worst", "image broken.png cannot be decoded", "1 left out",
		"75.0 %", "runs/a/model.onnx", "t2sda train data.root='a b'", "seed: 1", "t2sda 1.2.3 · configuration cafe · 2026-01-02 03:04 UTC",
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
	if err := Write(path, Data{Title: "least", Space: full.Space, Final: threeResult(t)}); err != nil {
		t.Fatal(err)
	}
	text, sections, images := readReport(t, path)
	if got := strings.Join(sections, " "); got != "scores pictures" || images != 1 {
		t.Errorf("sections are %s with %d pictures, want scores, pictures with 1", got, images)
	}
	if strings.Contains(text, "before") || strings.Contains(text, "Δ") {
		t.Error("a report without baseline compares")
	}
}

// TestReportTakesEncodedPictures: a picture that comes with its file's bytes is
// not encoded again.
func TestReportTakesEncodedPictures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	picture := image.NewGray(image.Rect(0, 0, 3, 2))
	data, err := raster.EncodePNG(picture)
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, "as given"...)
	full := fullReport(t)
	full.Figures = []Figure{{Picture: picture, PNG: data}}
	if err := Write(path, full); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil || !strings.Contains(html.UnescapeString(string(page)), base64.StdEncoding.EncodeToString(data)) {
		t.Errorf("the page holds other bytes (%v)", err)
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
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := fullReport(t)
			tt.change(&d)
			path := filepath.Join(t.TempDir(), "report.html")
			err := Write(path, d)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want %q and the file's name", err, tt.want)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("a page was written in spite of the error")
			}
		})
	}
}
