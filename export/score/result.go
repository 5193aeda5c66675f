package score

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"unicode/utf8"

	"t2sda/internal/atomicfile"
)

// Score is a share between 0 and 1, or NaN where there is nothing to score.
// NaN is null in JSON and "–" in print.
type Score float64

// MarshalJSON implements [json.Marshaler].
func (s Score) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Score) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*s = Score(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(s))
}

// String returns the score in per cent with two digits.
func (s Score) String() string {
	if math.IsNaN(float64(s)) {
		return "–"
	}
	return fmt.Sprintf("%.2f", 100*float64(s))
}

// Short returns the score in per cent with one digit, "–" for NaN.
func (s Score) Short() string {
	if math.IsNaN(float64(s)) {
		return "–"
	}
	return fmt.Sprintf("%.1f", 100*float64(s))
}

// ClassResult is one class's line of a [Result].
type ClassResult struct {
	Name      string `json:"name"`
	IoU       Score  `json:"iou"`
	Recall    Score  `json:"recall"`    // TP/(TP+FN), the class's accuracy
	Truth     int64  `json:"truth"`     // labelled pixels
	Predicted int64  `json:"predicted"` // predicted pixels, void truth not counted
}

// ImageScore is the score of a single image.
type ImageScore struct {
	ID            string `json:"id"`
	MIoU          Score  `json:"miou"` // over the classes that occur in this image's labels or prediction
	PixelAccuracy Score  `json:"pixel_accuracy"`
}

// Skipped is an image that [Options.KeepGoing] left out.
type Skipped struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// Result is what [Evaluate] measured.
type Result struct {
	Model      string `json:"model,omitempty"`       // file name or the session's name
	ConfigHash string `json:"config_hash,omitempty"` // of the model's training configuration
	Dataset    string `json:"dataset,omitempty"`     // free text: data set, root, split

	Images        int           `json:"images"`
	Width         int           `json:"width"`  // of the model's input, pixels
	Height        int           `json:"height"` // likewise
	MIoU          Score         `json:"miou"`
	PixelAccuracy Score         `json:"pixel_accuracy"`
	MeanAccuracy  Score         `json:"mean_accuracy"`
	Classes       []ClassResult `json:"classes"`
	Confusion     *Confusion    `json:"confusion"`

	Worst   []ImageScore `json:"worst,omitempty"`   // lowest pixel accuracy first
	Skipped []Skipped    `json:"skipped,omitempty"` // in the data set's order

	Seconds         float64 `json:"seconds"`
	ImagesPerSecond float64 `json:"images_per_second"`
}

// NewResult derives all scores from a matrix. It panics unless there is one
// name per class.
func NewResult(names []string, c *Confusion) *Result {
	if len(names) != c.Classes() {
		panic(fmt.Sprintf("export: %d names for %d classes", len(names), c.Classes()))
	}
	iou, recall := c.IoU(), c.Recall()
	r := &Result{
		MIoU:          Score(meanValid(iou)),
		PixelAccuracy: Score(c.PixelAccuracy()),
		MeanAccuracy:  Score(meanValid(recall)),
		Classes:       make([]ClassResult, len(names)),
		Confusion:     c,
	}
	for k, name := range names {
		r.Classes[k] = ClassResult{Name: name, IoU: Score(iou[k]), Recall: Score(recall[k]), Truth: c.Truth(k), Predicted: c.Predicted(k)}
	}
	return r
}

// Class returns the line of the class of that name.
func (r *Result) Class(name string) (ClassResult, bool) {
	for _, c := range r.Classes {
		if c.Name == name {
			return c, true
		}
	}
	return ClassResult{}, false
}

// WriteJSON replaces path by the result as indented JSON.
func (r *Result) WriteJSON(path string) error {
	return atomicfile.WriteJSON(path, r)
}

// LoadResult reads what [Result.WriteJSON] wrote.
func LoadResult(path string) (*Result, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	r := new(Result)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read result %s: %w", path, err)
	}
	if r.Confusion == nil || len(r.Classes) != r.Confusion.Classes() {
		return nil, fmt.Errorf("read result %s: not the result of an evaluation: no confusion matrix over its %d classes", path, len(r.Classes))
	}
	return r, nil
}

// Table prints the scores in per cent, one class a line, aligned for a
// terminal. With a baseline there are columns before, after and Δ (percentage
// points); classes are matched by name and "–" stands where one has no score.
func (r *Result) Table(w io.Writer, baseline *Result) error {
	rows := r.tableRows(baseline)
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	rule := strings.Repeat("─", sum(widths)+2*(len(widths)-1)) + "\n"
	var b strings.Builder
	for i, row := range rows {
		if i == 1 || i == len(rows)-3 { // below the head, above the means
			b.WriteString(rule)
		}
		var line strings.Builder
		for j, cell := range row {
			pad := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
			if j == 0 {
				line.WriteString(cell + pad)
				continue
			}
			line.WriteString("  " + pad + cell)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	fmt.Fprintf(&b, "%s\n", r.Summary())
	_, err := io.WriteString(w, b.String())
	return err
}

// tableRows returns head, a row per class and the three means.
func (r *Result) tableRows(baseline *Result) [][]string {
	if baseline == nil {
		rows := [][]string{{"class", "IoU %", "recall %", "pixels %"}}
		total := r.Confusion.Pixels()
		for _, c := range r.Classes {
			rows = append(rows, []string{c.Name, c.IoU.String(), c.Recall.String(), Score(Ratio(c.Truth, total)).String()})
		}
		return append(rows,
			[]string{"mean IoU", r.MIoU.String(), "", ""},
			[]string{"mean accuracy", "", r.MeanAccuracy.String(), ""},
			[]string{"pixel accuracy", "", r.PixelAccuracy.String(), ""})
	}
	rows := [][]string{{"IoU % of class", "before", "after", "Δ"}}
	add := func(name string, before, after Score) {
		rows = append(rows, []string{name, before.String(), after.String(), Delta(before, after)})
	}
	for _, c := range r.Classes {
		before := Score(math.NaN())
		if b, ok := baseline.Class(c.Name); ok {
			before = b.IoU
		}
		add(c.Name, before, c.IoU)
	}
	add("mean IoU", baseline.MIoU, r.MIoU)
	add("mean accuracy", baseline.MeanAccuracy, r.MeanAccuracy)
	add("pixel accuracy", baseline.PixelAccuracy, r.PixelAccuracy)
	return rows
}

// Summary is one sentence: images, speed, and what was left out.
func (r *Result) Summary() string {
	s := fmt.Sprintf("%d images in %.1f s (%.1f images/s)", r.Images, r.Seconds, r.ImagesPerSecond)
	if n := len(r.Skipped); n > 0 {
		s += fmt.Sprintf("; %d left out because of errors, the first: %s", n, r.Skipped[0].Error)
	}
	return s
}

// Delta returns the gain in percentage points with its sign, "–" where there is
// none.
func Delta(before, after Score) string {
	d := 100 * float64(after-before)
	if math.IsNaN(d) {
		return "–"
	}
	return fmt.Sprintf("%+.2f", d)
}

func sum(values []int) int {
	n := 0
	for _, v := range values {
		n += v
	}
	return n
}
