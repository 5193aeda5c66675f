package score

import (
	"encoding/json"
	"fmt"
	"math"

	"t2sda/internal/raster"
)

// Confusion counts pixels by (true class, predicted class). Pixels whose truth
// is [raster.Void] are not counted at all, whatever is predicted there. A pixel
// with a true class and a void prediction is counted as missed: it enlarges the
// class's row, and no column.
//
// That and the scores below are the rules of the Cityscapes benchmark's
// evalPixelLevelSemanticLabeling (github.com/mcordts/cityscapesScripts).
//
// The zero value is not usable: see [NewConfusion].
type Confusion struct {
	classes int
	counts  []int64 // [C,C+1]: row truth, column prediction, last column void predictions
}

// NewConfusion returns an empty matrix over C classes. It panics unless
// 1 ≤ classes ≤ 255, so that train ids fit.
func NewConfusion(classes int) *Confusion {
	if classes <= 0 || classes > raster.Void {
		panic(fmt.Sprintf("export: confusion matrix over %d classes", classes))
	}
	return &Confusion{classes: classes, counts: make([]int64, classes*(classes+1))}
}

// Classes returns C.
func (c *Confusion) Classes() int { return c.classes }

// Add counts every pixel of one label map and its prediction. It returns an
// error, and counts nothing, when the sizes differ or when a map holds an id
// that is neither below C nor void.
func (c *Confusion) Add(truth, prediction *raster.Labels) error {
	if truth.W != prediction.W || truth.H != prediction.H {
		return fmt.Errorf("prediction of %d×%d pixels for labels of %d×%d", prediction.W, prediction.H, truth.W, truth.H)
	}
	if err := c.checkIDs("label", truth.Pix); err != nil {
		return err
	}
	if err := c.checkIDs("prediction", prediction.Pix); err != nil {
		return err
	}
	var column [256]int // void becomes the last column
	for id := range column {
		column[id] = min(id, c.classes)
	}
	row := c.classes + 1
	count := func(t, p uint8, n int64) {
		if t != raster.Void {
			c.counts[int(t)*row+column[p]] += n
		}
	}
	ids, predicted := truth.Pix, prediction.Pix
	for ; len(ids) >= raster.Octet; ids, predicted = ids[raster.Octet:], predicted[raster.Octet:] {
		if raster.Uniform(ids) && raster.Uniform(predicted) {
			count(ids[0], predicted[0], raster.Octet)
			continue
		}
		for i, t := range ids[:raster.Octet] {
			count(t, predicted[i], 1)
		}
	}
	for i, t := range ids {
		count(t, predicted[i], 1)
	}
	return nil
}

func (c *Confusion) checkIDs(what string, ids []uint8) error {
	var seen [256]bool
	for ; len(ids) >= raster.Octet; ids = ids[raster.Octet:] {
		if raster.Uniform(ids) {
			seen[ids[0]] = true
			continue
		}
		for _, id := range ids[:raster.Octet] {
			seen[id] = true
		}
	}
	for _, id := range ids {
		seen[id] = true
	}
	for id := c.classes; id < raster.Void; id++ {
		if seen[id] {
			return fmt.Errorf("%s holds class id %d, but there are %d classes (0–%d, void is %d)", what, id, c.classes, c.classes-1, raster.Void)
		}
	}
	return nil
}

// Merge adds the counts of another matrix over the same classes.
func (c *Confusion) Merge(other *Confusion) error {
	if other.classes != c.classes {
		return fmt.Errorf("merge a confusion matrix over %d classes into one over %d", other.classes, c.classes)
	}
	for i, n := range other.counts {
		c.counts[i] += n
	}
	return nil
}

// Group returns the matrix over groups of classes: group[k] is the new class of
// class k. It gives category scores (flat, nature, vehicle, …) as Cityscapes
// defines them. A negative group drops the class from truth and prediction
// alike: its predictions on other classes' pixels count as missed.
func (c *Confusion) Group(groups int, group []int) (*Confusion, error) {
	if len(group) != c.classes {
		return nil, fmt.Errorf("%d groups assigned to %d classes", len(group), c.classes)
	}
	out := NewConfusion(groups)
	column := func(k int) int {
		if k == c.classes || group[k] < 0 {
			return groups
		}
		return group[k]
	}
	for t, g := range group {
		if g >= groups {
			return nil, fmt.Errorf("class %d is assigned to group %d of %d", t, g, groups)
		}
	}
	for t, g := range group {
		if g < 0 {
			continue
		}
		for p := range c.classes + 1 {
			out.counts[g*(groups+1)+column(p)] += c.counts[t*(c.classes+1)+p]
		}
	}
	return out, nil
}

// At returns the number of pixels of class truth that were predicted as class
// prediction.
func (c *Confusion) At(truth, prediction int) int64 {
	if prediction < 0 || prediction >= c.classes {
		panic(fmt.Sprintf("export: prediction %d of %d classes", prediction, c.classes))
	}
	return c.counts[truth*(c.classes+1)+prediction]
}

// Missed returns the pixels of class truth that were predicted as void.
func (c *Confusion) Missed(truth int) int64 {
	return c.counts[truth*(c.classes+1)+c.classes]
}

// Truth returns the number of pixels labelled as class k.
func (c *Confusion) Truth(k int) int64 {
	var n int64
	for _, v := range c.counts[k*(c.classes+1) : (k+1)*(c.classes+1)] {
		n += v
	}
	return n
}

// Predicted returns the number of labelled pixels predicted as class k.
func (c *Confusion) Predicted(k int) int64 {
	var n int64
	for t := range c.classes {
		n += c.At(t, k)
	}
	return n
}

// Pixels returns the number of labelled pixels counted.
func (c *Confusion) Pixels() int64 {
	var n int64
	for _, v := range c.counts {
		n += v
	}
	return n
}

// IoU returns TP/(TP+FP+FN) per class. It is NaN where no labelled pixel is of
// that class nor predicted as it; a class that is predicted but never labelled
// has 0.
func (c *Confusion) IoU() []float64 {
	iou := make([]float64, c.classes)
	for k := range iou {
		tp := c.At(k, k)
		iou[k] = Ratio(tp, c.Truth(k)+c.Predicted(k)-tp)
	}
	return iou
}

// Recall returns TP/(TP+FN) per class, NaN where no pixel is labelled.
func (c *Confusion) Recall() []float64 {
	recall := make([]float64, c.classes)
	for k := range recall {
		recall[k] = Ratio(c.At(k, k), c.Truth(k))
	}
	return recall
}

// MeanIoU returns the mean of [Confusion.IoU] over its values that are not NaN;
// NaN if all are. With classes given, the mean is over those only (SYNTHIA's 16
// and 13 classes); the IoU of each still counts confusions with all classes.
func (c *Confusion) MeanIoU(classes ...int) float64 {
	iou := c.IoU()
	if len(classes) == 0 {
		return MeanValid(iou)
	}
	chosen := make([]float64, len(classes))
	for i, k := range classes {
		chosen[i] = iou[k]
	}
	return MeanValid(chosen)
}

// MeanAccuracy returns the mean of [Confusion.Recall] over the labelled classes.
func (c *Confusion) MeanAccuracy() float64 { return MeanValid(c.Recall()) }

// PixelAccuracy returns the share of labelled pixels that are predicted right;
// NaN without labelled pixels.
func (c *Confusion) PixelAccuracy() float64 {
	var right int64
	for k := range c.classes {
		right += c.At(k, k)
	}
	return Ratio(right, c.Pixels())
}

// Ratio returns n/of, NaN when of is 0.
func Ratio(n, of int64) float64 {
	if of == 0 {
		return math.NaN()
	}
	return float64(n) / float64(of)
}

// MeanValid is the mean of the values that are not NaN, NaN where there is none.
func MeanValid(values []float64) float64 {
	var sum float64
	n := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// confusionJSON is the form in files: the C×C matrix as rows, and the void
// predictions per class when there are any.
type confusionJSON struct {
	Rows   [][]int64 `json:"rows"`
	Missed []int64   `json:"missed,omitempty"`
}

// MarshalJSON writes {"rows": C×C counts, row = truth, "missed": void
// predictions per class if any}.
func (c *Confusion) MarshalJSON() ([]byte, error) {
	out := confusionJSON{Rows: make([][]int64, c.classes), Missed: make([]int64, c.classes)}
	anyMissed := false
	for t := range c.classes {
		out.Rows[t] = c.counts[t*(c.classes+1) : t*(c.classes+1)+c.classes]
		out.Missed[t] = c.Missed(t)
		anyMissed = anyMissed || out.Missed[t] != 0
	}
	if !anyMissed {
		out.Missed = nil
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what [Confusion.MarshalJSON] wrote.
func (c *Confusion) UnmarshalJSON(data []byte) error {
	var in confusionJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("confusion matrix: %w", err)
	}
	n := len(in.Rows)
	if n == 0 || n > raster.Void {
		return fmt.Errorf("confusion matrix: %d rows", n)
	}
	if in.Missed != nil && len(in.Missed) != n {
		return fmt.Errorf("confusion matrix: %d void counts for %d classes", len(in.Missed), n)
	}
	out := NewConfusion(n)
	total := int64(0)
	for t, row := range append(in.Rows, in.Missed) {
		for _, pixels := range row {
			if pixels < 0 || total > math.MaxInt64-pixels {
				return fmt.Errorf("confusion matrix: %d pixels in row %d", pixels, t)
			}
			total += pixels
		}
	}
	for t, row := range in.Rows {
		if len(row) != n {
			return fmt.Errorf("confusion matrix: row %d has %d columns, want %d", t, len(row), n)
		}
		copy(out.counts[t*(n+1):], row)
		if in.Missed != nil {
			out.counts[t*(n+1)+n] = in.Missed[t]
		}
	}
	*c = *out
	return nil
}
