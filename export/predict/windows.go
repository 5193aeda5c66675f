package predict

import (
	"fmt"

	"t2sda/internal/limit"
)

// Windows say how images go through a model that was trained on parts of them, of its
// input's size: brought to Width×Height, in windows of that size. The zero value: whole.
type Windows struct {
	Width   int     `json:"width"`   // px
	Height  int     `json:"height"`  // px
	Overlap float64 `json:"overlap"` // least share of a window that the next one covers again
}

// mostOverlap bounds how many windows a file can ask for.
const mostOverlap = 0.9

// validate returns an error that names the metadata's key.
func (w Windows) validate() error {
	if w == (Windows{}) {
		return nil
	}
	if w.Width < 1 || w.Height < 1 || !(w.Overlap >= 0 && w.Overlap <= mostOverlap) {
		return fmt.Errorf("model metadata: windows of an image of %d×%d pixels with an overlap of %g: want positive sizes, and a share from 0 to %g", w.Width, w.Height, w.Overlap, mostOverlap)
	}
	if err := limit.Check(w.Width, w.Height); err != nil {
		return fmt.Errorf("model metadata: windows: %w", err)
	}
	return nil
}

// apply fills in what the caller has not said of how images go through the model, whose
// input has that size.
func (w Windows) apply(o *Inference, in InputInfo) {
	if w == (Windows{}) || o.WindowWidth != 0 || o.WindowHeight != 0 {
		return
	}
	o.WindowWidth, o.WindowHeight = in.Width, in.Height
	if o.Overlap == 0 && !o.Apart {
		o.Overlap = w.Overlap
	}
	if o.Width == 0 && o.Height == 0 {
		o.Width, o.Height = w.Width, w.Height
	}
}
