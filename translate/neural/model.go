package neural

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"t2sda/graphs/engine"
	"t2sda/internal/pad"
)

// The ranges of float images: the values of black and of full brightness.
const (
	RangeUnit   = "0..1"
	RangeSigned = "-1..1"
	RangeBytes  = "0..255"
)

// Ranges lists the ranges that float images may have.
func Ranges() []string { return []string{RangeUnit, RangeSigned, RangeBytes} }

// Options say which model translates.
type Options struct {
	Model string // ONNX file
	// Range of float images in and out, one of [Ranges]; empty: 0..1. Images of
	// uint8 are 0–255.
	Range string
}

// Translator is a model made ready to translate. It implements
// [translator.Translator] and [translator.Batcher] and is safe for concurrent
// use; one run goes on at a time, since a session has threads of its own.
type Translator struct {
	session   *engine.Session
	path      string
	image     input
	reference *input // nil: the model takes none
	output    engine.IOInfo
	low, high float32
	batches   bool // takes any number of images at once

	mu     sync.Mutex            // held during runs
	padded map[pad.Size]pad.Size // by an image's size: the one that it is continued to
}

// input is one of the model's images.
type input struct {
	name  string
	dtype engine.DType
	batch int      // −1: free
	fixed pad.Size // 0: free
}

// Open opens the model that o names on the engine's device. Close frees it.
// Errors name the file and what is wrong with it.
func Open(e *engine.Engine, o Options) (*Translator, error) {
	if o.Model == "" {
		return nil, errors.New("translate: model: engine onnx needs a model file")
	}
	s, err := e.OpenModel(o.Model)
	if err != nil {
		return nil, fmt.Errorf("translate: model: %w", err)
	}
	t := &Translator{session: s, path: o.Model, padded: map[pad.Size]pad.Size{}}
	if err := t.read(o); err != nil {
		return nil, errors.Join(t.wrap(err), s.Close())
	}
	return t, nil
}

// OpenAdaIN opens a model as engine [AdaIN], which must take a reference image.
func OpenAdaIN(e *engine.Engine, o Options) (*Translator, error) {
	if o.Model == "" {
		return nil, errors.New("translate: adain: engine adain needs a model file")
	}
	t, err := Open(e, o)
	if err == nil && t.reference == nil {
		err = errors.Join(t.wrap(errors.New("it takes no reference image, which engine adain is about: give it to engine onnx")), t.Close())
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// NeedsTarget reports whether the model takes a reference image.
func (t *Translator) NeedsTarget() bool { return t.reference != nil }

// Close frees the model.
func (t *Translator) Close() error { return t.session.Close() }

func (t *Translator) wrap(err error) error { return fmt.Errorf("translate: model %s: %w", t.path, err) }

// read finds out what the model takes and gives.
func (t *Translator) read(o Options) error {
	if err := t.readInputs(t.session.Inputs()); err != nil {
		return err
	}
	if err := t.readOutput(t.session.Outputs()); err != nil {
		return err
	}
	return t.readRange(o.Range)
}

func (t *Translator) readInputs(infos []engine.IOInfo) error {
	if len(infos) != 1 && len(infos) != 2 {
		return fmt.Errorf("it has %d inputs (%s), want an image and at most one reference image", len(infos), listed(infos))
	}
	if len(infos) == 2 && isReference(infos[0]) && !isReference(infos[1]) {
		slices.Reverse(infos)
	}
	var err error
	if t.image, err = newInput(infos[0]); err != nil || len(infos) == 1 {
		t.batches = t.image.batch < 0
		return err
	}
	reference, err := newInput(infos[1])
	if err != nil {
		return err
	}
	t.reference = &reference
	t.batches = t.image.batch < 0 && reference.batch < 0
	return nil
}

// isReference reports whether an input's name says that it is the reference.
func isReference(info engine.IOInfo) bool {
	name := strings.ToLower(info.Name)
	return strings.Contains(name, "reference") || strings.Contains(name, "style") || strings.Contains(name, "target")
}

func newInput(info engine.IOInfo) (input, error) {
	in := input{name: info.Name, dtype: info.DType}
	d, err := imageDims("input", info)
	if err != nil {
		return in, err
	}
	in.batch, in.fixed = d[0], pad.Size{W: max(d[3], 0), H: max(d[2], 0)}
	if in.batch > 1 {
		return in, fmt.Errorf("input %q takes %d images at once, want a batch of 1 or a free one", info.Name, in.batch)
	}
	return in, nil
}

// imageDims checks that a value is an RGB image and returns its dimensions.
func imageDims(kind string, info engine.IOInfo) ([]int, error) {
	if info.DType != engine.Float32 && info.DType != engine.Uint8 {
		return nil, fmt.Errorf("%s %q holds %v, want float32 or uint8", kind, info.Name, info.DType)
	}
	d := info.Dims
	if info.Unranked {
		d = []int{-1, 3, -1, -1}
	}
	if len(d) != 4 || d[1] != 3 && d[1] >= 0 || slices.Contains(d, 0) {
		return nil, fmt.Errorf("%s %q has shape %s, want RGB images [N,3,height,width], free dimensions allowed", kind, info.Name, engine.ShapeText(d))
	}
	return d, nil
}

func (t *Translator) readOutput(infos []engine.IOInfo) error {
	if len(infos) != 1 {
		return fmt.Errorf("it has %d outputs (%s), want one image", len(infos), listed(infos))
	}
	t.output = infos[0]
	d, err := imageDims("output", t.output)
	if err != nil {
		return err
	}
	if in := t.image.fixed; in.W > 0 && d[3] > 0 && d[3] != in.W || in.H > 0 && d[2] > 0 && d[2] != in.H {
		return fmt.Errorf("output %q has shape %s, want the image's size, %s", t.output.Name, engine.ShapeText(d), demand(in))
	}
	t.batches = t.batches && d[0] < 0
	return nil
}

func (t *Translator) readRange(name string) error {
	floats := t.image.dtype == engine.Float32 || t.output.DType == engine.Float32 || t.reference != nil && t.reference.dtype == engine.Float32
	switch {
	case name != "" && !slices.Contains(Ranges(), name):
		return fmt.Errorf("range %q is unknown; there are %s", name, strings.Join(Ranges(), ", "))
	case name != "" && !floats:
		return fmt.Errorf("range %s does not apply: its images are of uint8", name)
	}
	t.low, t.high = 0, 1
	switch name {
	case RangeSigned:
		t.low = -1
	case RangeBytes:
		t.high = 255
	}
	return nil
}

// listed lists values with their shapes.
func listed(infos []engine.IOInfo) string {
	parts := make([]string, len(infos))
	for i, info := range infos {
		parts[i] = fmt.Sprintf("%s %v %s", info.Name, info.DType, engine.ShapeText(info.Dims))
	}
	return strings.Join(parts, ", ")
}
