package predict

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/internal/limit"
	"t2sda/internal/plural"
	"t2sda/internal/raster"
)

// The layouts of a model's input.
const (
	NCHW = "nchw" // channels before rows
	NHWC = "nhwc" // channels after columns
)

// Form says how a model takes its image and what its output means, as far as
// the file does not say so itself. Models that t2sda exported do: for them a
// Form must be zero but for the names.
type Form struct {
	Input, Output string // names; empty: the only one there is

	Layout string  // [NCHW] or [NHWC]; empty: where the input's shape has 3 channels, NCHW where that is free
	BGR    bool    // blue comes first
	Scale  float64 // value of full brightness; 0: 255
	// Mean and Std normalise each channel, in the model's order of channels and on
	// its scale: (value − mean) / std. Nil: 0 and 1.
	Mean, Std []float64

	// Threshold, of an output of one channel: where it is above, that is the second of
	// two classes. 0.5 for probabilities, 0 for logits. Nil: there is no such output.
	Threshold *float64

	// Labels says what the channels of the logits, or the ids of a label map,
	// are. Ids that it ignores are predictions of void, ids that it lacks are
	// errors.
	Labels *datasets.LabelMap
	// Space lists the classes in the order of channels, or ids, where there is no
	// Labels.
	Space datasets.Space
}

// describes reports whether the form says anything of what metadata hold.
func (f Form) describes() bool {
	return f.Layout != "" || f.BGR || f.Scale != 0 || f.Mean != nil || f.Std != nil || f.Threshold != nil || f.Labels != nil
}

func (f Form) validate() error {
	switch {
	case f.Layout != "" && f.Layout != NCHW && f.Layout != NHWC:
		return fmt.Errorf("layout %q is neither %s nor %s", f.Layout, NCHW, NHWC)
	case !(f.Scale >= 0 && f.Scale < 1e6):
		return fmt.Errorf("scale %v: want the value of full brightness, 255 or 1, say", f.Scale)
	case f.Threshold != nil && (math.IsNaN(*f.Threshold) || math.IsInf(*f.Threshold, 0)):
		return fmt.Errorf("threshold %v: want a number", *f.Threshold)
	case f.Mean != nil && len(f.Mean) != 3:
		return fmt.Errorf("mean %v: want three numbers, one per channel", f.Mean)
	case f.Std != nil && len(f.Std) != 3:
		return fmt.Errorf("std %v: want three numbers, one per channel", f.Std)
	}
	for _, v := range f.Std {
		if !(v > 0) {
			return fmt.Errorf("std %v: want numbers above 0", f.Std)
		}
	}
	return nil
}

// Warnings points out what is valid and most likely a mistake: mean and std on
// another scale than the values that they normalise.
func (f Form) Warnings() []string {
	scale := f.Scale
	if scale == 0 {
		scale = 255
	}
	var all []string
	for _, v := range []struct {
		name   string
		values []float64
		plain  float64 // that does nothing
	}{{"mean", f.Mean, 0}, {"std", f.Std, 1}} {
		if len(v.values) == 0 || !slices.ContainsFunc(v.values, func(x float64) bool { return x != v.plain }) {
			continue
		}
		most := slices.Max(v.values)
		switch {
		case scale > 2 && most <= 1:
			all = append(all, fmt.Sprintf("%s %v is for values of 0–1, but they are 0–%v: scale 1?", v.name, v.values, scale))
		case scale <= 1 && most > 2:
			all = append(all, fmt.Sprintf("%s %v is for values of 0–255, but they are 0–%v: scale 255?", v.name, v.values, scale))
		}
	}
	return all
}

// input is how images are written into a model's input.
type input struct {
	name   string
	dtype  engine.DType
	dims   []int // of the tensor, with h and w in their places where they are free
	last   bool  // channels last
	w, h   int   // 0: free
	source [3]int
	lut    [3][256]float32 // per channel of the model: 8-bit value → what the model takes
}

// newInput reads a model's input by the form.
func newInput(info engine.IOInfo, f Form) (input, error) {
	in := input{name: info.Name, dtype: info.DType, dims: info.Dims, source: [3]int{0, 1, 2}}
	if f.BGR {
		in.source = [3]int{2, 1, 0}
	}
	if info.Unranked {
		in.dims = []int{-1, 3, -1, -1}
		if f.Layout == NHWC {
			in.dims = []int{-1, -1, -1, 3}
		}
	}
	if info.DType != engine.Float32 && info.DType != engine.Uint8 {
		return in, fmt.Errorf("input %q holds %v, want float32 or uint8", info.Name, info.DType)
	}
	if err := in.shape(f.Layout); err != nil {
		return in, err
	}
	if err := limit.Check(max(in.w, 1), max(in.h, 1)); err != nil { // of a free side, a pixel
		return in, fmt.Errorf("input %q: %w", info.Name, err)
	}
	return in, in.normalise(f)
}

// shape finds the image's axes: [1,3,H,W], [1,H,W,3] or the same without batch.
func (in *input) shape(layout string) error {
	wrong := func() error {
		return fmt.Errorf("input %q has shape %s, want [1,3,height,width] or [1,height,width,3], free dimensions allowed", in.name, engine.ShapeText(in.dims))
	}
	d := in.dims
	if len(d) == 4 {
		if d[0] != 1 && d[0] >= 0 {
			return fmt.Errorf("input %q takes %d images at once, want a batch of 1 or a free one", in.name, d[0])
		}
		d = d[1:]
	}
	if len(d) != 3 {
		return wrong()
	}
	three := func(n int) bool { return n == 3 || n < 0 }
	switch {
	case layout == NHWC, layout == "" && d[0] != 3 && d[2] == 3:
		in.last = true
		in.h, in.w = max(d[0], 0), max(d[1], 0)
		if !three(d[2]) || d[2] < 0 && d[0] == 3 { // else a height of three pixels
			return wrong()
		}
	case d[0] < 0 && d[2] == 3: // a width of three pixels
		return wrong()
	case three(d[0]):
		in.h, in.w = max(d[1], 0), max(d[2], 0)
	default:
		return wrong()
	}
	return nil
}

// normalise tabulates what becomes of an 8-bit value.
func (in *input) normalise(f Form) error {
	scale, mean, std := f.Scale, f.Mean, f.Std
	if scale == 0 {
		scale = 255
	}
	if mean == nil {
		mean = make([]float64, 3)
	}
	if std == nil {
		std = []float64{1, 1, 1}
	}
	for c := range 3 {
		for v := range 256 {
			in.lut[c][v] = float32((float64(v)/255*scale - mean[c]) / std[c])
			if in.dtype == engine.Uint8 && in.lut[c][v] != float32(v) {
				return fmt.Errorf("input %q holds uint8: mean, std and scale do not apply to it", in.name)
			}
		}
	}
	return nil
}

// sized returns the tensor's dimensions for an image of w × h pixels.
func (in *input) sized(w, h int) []int {
	d := []int{3, h, w}
	if in.last {
		d = []int{h, w, 3}
	}
	if len(in.dims) == 4 {
		d = append([]int{1}, d...)
	}
	return d
}

// classes says what a model's channels or ids are.
type classes struct {
	space datasets.Space
	table []int  // channel or id → train id or void; −1: not listed. Nil: they are the train ids
	name  string // of the label map
}

const notListed = -1

// ErrNoClasses is returned for models of other programs when the form says
// nothing of classes.
var ErrNoClasses = errors.New("it was not exported by t2sda (no metadata), so a label map must say what the classes of its output are")

func newClasses(f Form) (classes, error) {
	if f.Labels == nil {
		if len(f.Space.Classes) == 0 {
			return classes{}, ErrNoClasses
		}
		return classes{space: f.Space}, nil
	}
	c := classes{space: f.Labels.Space(), name: f.Labels.Name()}
	for id := range 256 {
		train, ok := f.Labels.TrainID(id)
		c.table = append(c.table, notListed)
		if ok {
			c.table[id] = int(train)
		}
	}
	return c, nil
}

// accepts returns an error unless n channels are what the classes stand for.
func (c classes) accepts(n int) error {
	if c.table == nil {
		if n != len(c.space.Classes) {
			return fmt.Errorf("%s, but %s has %d", plural.Of(n, "class", "classes"), c.space.Name, len(c.space.Classes))
		}
		return nil
	}
	for id, train := range c.table {
		switch {
		case id < n && train == notListed:
			return fmt.Errorf("%s, but label map %s does not list %d", plural.Of(n, "channel", "channels"), c.name, id)
		case id >= n && train >= 0 && train != raster.Void:
			return fmt.Errorf("%s, but label map %s gives %s the id %d", plural.Of(n, "channel", "channels"), c.name, c.space.Classes[train].Name, id)
		}
	}
	return nil
}

// translate turns channels' numbers into train ids in place.
func (c classes) translate(l *raster.Labels) {
	if c.table == nil {
		return
	}
	var to [256]uint8
	for id, train := range c.table {
		to[id] = uint8(train) // a channel that is not listed does not exist, see accepts
	}
	for i, id := range l.Pix {
		l.Pix[i] = to[id]
	}
}

// trainID is the train id of one id of a label map.
func (c classes) trainID(id int) (uint8, error) {
	switch {
	case c.table == nil && id >= 0 && id < len(c.space.Classes), c.table == nil && id == raster.Void:
		return uint8(id), nil
	case c.table == nil:
		return 0, fmt.Errorf("it predicts id %d, but %s has %s", id, c.space.Name, plural.Of(len(c.space.Classes), "class", "classes"))
	case id < 0 || id >= len(c.table) || c.table[id] == notListed:
		return 0, fmt.Errorf("it predicts id %d, which label map %s does not list", id, c.name)
	}
	return uint8(c.table[id]), nil
}
