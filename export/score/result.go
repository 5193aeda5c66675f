package score

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"t2sda/datasets"
	"t2sda/internal/plural"
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

// SubsetResult is a mean over some of the classes; confusions with the others
// count all the same.
type SubsetResult struct {
	Name    string `json:"name"`
	Classes int    `json:"classes"`
	MIoU    Score  `json:"miou"`
}

// Inference is how images went through the model.
type Inference struct {
	Width   int       `json:"width,omitempty"`  // that images are resized to, pixels; 0: their own
	Height  int       `json:"height,omitempty"` // likewise
	Window  [2]int    `json:"window,omitzero"`  // width and height of sliding windows
	Overlap float64   `json:"overlap,omitempty"`
	Scales  []float64 `json:"scales,omitempty"` // of test-time augmentation
	Flip    bool      `json:"flip,omitempty"`
	Divisor int       `json:"divisor,omitempty"` // that width and height were continued to multiples of, where it was given
}

// String says it in a few words.
func (i Inference) String() string {
	parts := []string{"images at their own size"}
	if i.Width > 0 {
		parts[0] = fmt.Sprintf("images at %d×%d", i.Width, i.Height)
	}
	if i.Window != [2]int{} {
		parts = append(parts, fmt.Sprintf("windows of %d×%d that overlap by %.0f %%", i.Window[0], i.Window[1], 100*i.Overlap))
	}
	if len(i.Scales) > 1 || len(i.Scales) == 1 && i.Scales[0] != 1 {
		parts = append(parts, fmt.Sprintf("scales %v", i.Scales))
	}
	if i.Flip {
		parts = append(parts, "mirrored, too")
	}
	if i.Divisor > 1 {
		parts = append(parts, fmt.Sprintf("continued to multiples of %d", i.Divisor))
	}
	return strings.Join(parts, ", ")
}

// Skipped is an image or another file that [Options.KeepGoing], or that of the
// data set, left out.
type Skipped struct {
	ID    string `json:"id,omitempty"` // of the image, if it is one
	Error string `json:"error"`
}

// Result is what [Evaluate] measured.
type Result struct {
	Model      string `json:"model,omitempty"`       // file name or the session's name
	ConfigHash string `json:"config_hash,omitempty"` // of the model's training configuration
	Dataset    string `json:"dataset,omitempty"`     // free text: data set, root, split

	Images        int           `json:"images"`
	Inference     Inference     `json:"inference"`
	MIoU          Score         `json:"miou"`
	PixelAccuracy Score         `json:"pixel_accuracy"`
	MeanAccuracy  Score         `json:"mean_accuracy"`
	Classes       []ClassResult `json:"classes"`
	Confusion     *Confusion    `json:"confusion"`

	// Categories are the classes' categories, each scored as one class, and
	// MeanCategory is their mean; none where the classes have no categories.
	Categories   []ClassResult  `json:"categories,omitempty"`
	MeanCategory *Score         `json:"mean_category_iou,omitempty"`
	Subsets      []SubsetResult `json:"subsets,omitempty"`

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
	return &Result{
		MIoU:          Score(c.MeanIoU()),
		PixelAccuracy: Score(c.PixelAccuracy()),
		MeanAccuracy:  Score(c.MeanAccuracy()),
		Classes:       classResults(names, c),
		Confusion:     c,
	}
}

func classResults(names []string, c *Confusion) []ClassResult {
	iou, recall := c.IoU(), c.Recall()
	results := make([]ClassResult, len(names))
	for k, name := range names {
		results[k] = ClassResult{Name: name, IoU: Score(iou[k]), Recall: Score(recall[k]), Truth: c.Truth(k), Predicted: c.Predicted(k)}
	}
	return results
}

// group adds the scores of categories and the means of subsets.
func (r *Result) group(g datasets.Grouping) error {
	of, names := make([]int, r.Confusion.Classes()), make([]string, len(g.Categories))
	for k, c := range g.Categories {
		names[k] = c.Name
		for _, id := range c.Classes {
			of[id] = k
		}
	}
	if len(g.Categories) > 0 {
		c, err := r.Confusion.Group(len(g.Categories), of)
		if err != nil {
			return err
		}
		mean := Score(c.MeanIoU())
		r.Categories, r.MeanCategory = classResults(names, c), &mean
	}
	for _, s := range g.Subsets {
		r.Subsets = append(r.Subsets, SubsetResult{Name: s.Name, Classes: len(s.Classes), MIoU: Score(r.Confusion.MeanIoU(s.Classes...))})
	}
	return nil
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

// LoadResult reads a result from its JSON file.
func LoadResult(path string) (*Result, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	r := new(Result)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read result %s: %w", path, err)
	}
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("read result %s: %w", path, err)
	}
	return r, nil
}

// Validate returns an error unless the result holds what [Evaluate]'s hold, as one that
// was read from a file may not.
func (r *Result) Validate() error {
	switch {
	case r.Confusion == nil || len(r.Classes) != r.Confusion.Classes():
		return fmt.Errorf("not the result of an evaluation: no confusion matrix over its %d classes", len(r.Classes))
	case len(r.Categories) > 0 && r.MeanCategory == nil:
		return errors.New("not the result of an evaluation: it has categories without their mean")
	}
	scores := []Score{r.MIoU, r.PixelAccuracy, r.MeanAccuracy}
	if r.MeanCategory != nil {
		scores = append(scores, *r.MeanCategory)
	}
	for _, c := range slices.Concat(r.Classes, r.Categories) {
		scores = append(scores, c.IoU, c.Recall)
	}
	for _, s := range r.Subsets {
		scores = append(scores, s.MIoU)
	}
	for _, s := range scores {
		if err := s.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Validate returns an error unless the score is a share or NaN.
func (s Score) Validate() error {
	if s < 0 || s > 1 {
		return fmt.Errorf("a score of %v, which is not between 0 and 1", float64(s))
	}
	return nil
}

// Summary is one sentence: images, speed, and what was left out.
func (r *Result) Summary() string {
	digits := 1
	if r.ImagesPerSecond < 1 {
		digits = 3
	}
	s := fmt.Sprintf("%s in %.1f s (%.*f images/s)", plural.Of(r.Images, "image", "images"), r.Seconds, digits, r.ImagesPerSecond)
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
