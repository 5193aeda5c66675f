package predict

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/internal/pad"
	"t2sda/internal/raster"
)

// Options of [OpenWith].
type Options struct {
	Form
	Inference
}

// Predictor runs a segmentation model on images of any size. Its methods may be
// called from several goroutines.
type Predictor struct {
	session  *engine.Session
	owned    bool // the session was opened here
	name     string
	meta     Metadata
	in       input
	out      engine.IOInfo
	without  *enlargement // the step that the model is run without; nil: none
	enlarges bool         // it is made up for, before anything else
	reading  reading
	infer    Inference
	verbatim bool // the input is an image as it is

	mu    sync.Mutex
	free  []*Task             // made and not in use
	known map[pad.Size]shapes // by the picture's size, where it or the output's is free
	alike map[company]bool    // whether images that share a run get what they get alone
}

// Open opens a model that t2sda exported: see [OpenWith].
func Open(e *engine.Engine, path string) (*Predictor, error) { return OpenWith(e, path, Options{}) }

// OpenWith opens a segmentation model: one that t2sda exported, which describes
// itself in its metadata, or any other that takes one RGB image and gives logits
// of any stride, scores of one channel or a label map. Close frees it. Errors name the file and
// what is wrong with it.
func OpenWith(e *engine.Engine, path string, o Options) (*Predictor, error) {
	return o.open(path, func(s engine.SessionOptions) (*engine.Session, error) { return e.OpenModelWith(path, s) })
}

// open opens a session of what it is to compute, one output where it is known which and at the logits'
// own size where that does (see [unenlarged]), and serves it: means of several runs are made there, and
// of a single run this program enlarges what it has to look at, which is little where labels are wanted.
func (o Options) open(name string, session func(engine.SessionOptions) (*engine.Session, error)) (*Predictor, error) {
	computes := engine.SessionOptions{Choose: chosen}
	if o.Output != "" {
		computes = engine.SessionOptions{Outputs: []string{o.Output}}
	}
	var without *enlargement
	restore := false
	computes.Edit = func(model []byte, props map[string]string) (edited []byte) {
		infer, output := o.Inference, computes.Outputs
		if len(output) == 0 {
			output = chosen(props)
		}
		meta, err := ParseMetadata(props)
		if err == nil {
			meta.Windows.apply(&infer, meta.Input)
		}
		restore = infer.direct()
		if edited, without = unenlarged(model, output, restore); without != nil && !o.leaves(without, meta) {
			edited, without = nil, nil
		}
		return edited
	}
	s, err := session(computes)
	if err != nil {
		return nil, err
	}
	p, err := newPredictor(s, name, o, without)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	p.owned, p.enlarges = true, without != nil && restore
	return p, nil
}

// leaves reports whether a step may be left to this program: it enlarges logits, or scores that a
// threshold is for, not a label map or what metadata call probabilities.
func (o Options) leaves(step *enlargement, meta Metadata) bool {
	return (step.dims[1] != 1 || o.Threshold != nil) && meta.Output.Kind != OutputSoftmax
}

// New serves a session of a model that t2sda exported. The session stays the
// caller's to close, after the predictor.
func New(s *engine.Session) (*Predictor, error) { return newPredictor(s, s.Name(), Options{}, nil) }

// newPredictor serves a session of a model that is run without a step; nil: as it is.
func newPredictor(s *engine.Session, name string, o Options, without *enlargement) (*Predictor, error) {
	p := &Predictor{session: s, name: name, infer: o.Inference, without: without, known: map[pad.Size]shapes{}, alike: map[company]bool{}}
	if err := p.read(s, o.Form); err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return p, nil
}

// read finds out what the model takes and gives.
func (p *Predictor) read(s *engine.Session, f Form) error {
	meta, err := ParseMetadata(s.Metadata())
	switch {
	case errors.Is(err, errForeign):
		meta = Metadata{}
	case err != nil:
		return err
	case f.describes():
		return errors.New("it describes itself (metadata of t2sda): layout, order of colours, scale, mean, std, threshold and label map are not to be given")
	default:
		if err := meta.choose(f.Output); err != nil {
			return err
		}
		f = meta.form(f.Input)
	}
	if err := f.validate(); err != nil {
		return err
	}
	if err := p.readInput(s.Inputs(), f); err != nil {
		return err
	}
	p.reading.threshold = f.Threshold
	if p.reading.classes, err = newClasses(f); err != nil {
		return err
	}
	if err := p.readOutput(s.Outputs(), f); err != nil {
		return err
	}
	if err := meta.fits(p); err != nil {
		return err
	}
	p.meta = meta
	meta.Windows.apply(&p.infer, meta.Input)
	return p.infer.complete(p.in.w, p.in.h)
}

func (p *Predictor) readInput(inputs []engine.IOInfo, f Form) (err error) {
	if len(inputs) != 1 {
		return fmt.Errorf("it has %d inputs (%s), want one image", len(inputs), names(inputs))
	}
	info, err := one("input", inputs, f.Input)
	if err != nil {
		return err
	}
	if p.in, err = newInput(info, f); err != nil {
		return err
	}
	p.verbatim = p.in.dtype == engine.Float32 && !p.in.last && p.in.source[0] == 0 && p.in.plain()
	return nil
}

func (p *Predictor) readOutput(outputs []engine.IOInfo, f Form) (err error) {
	if p.out, err = one("output", outputs, f.Output); err != nil {
		return err
	}
	switch p.out.DType {
	case engine.Float32, engine.Uint8, engine.Int32, engine.Int64, engine.Bool:
	default:
		return fmt.Errorf("output %q holds %v, want logits, or a label map of whole numbers", p.out.Name, p.out.DType)
	}
	declared := p.out
	if p.without != nil {
		declared.Dims, declared.Unranked = p.without.dims, false
	}
	if declared.IsStatic() {
		_, err = p.reading.grid(declared.Name, declared.DType, declared.Dims)
	}
	return err
}

// one returns the value of that name, or without a name the only one.
func one(kind string, infos []engine.IOInfo, name string) (engine.IOInfo, error) {
	if name == "" && len(infos) == 1 {
		return infos[0], nil
	}
	i := slices.IndexFunc(infos, func(i engine.IOInfo) bool { return i.Name == name })
	switch {
	case i >= 0:
		return infos[i], nil
	case name == "":
		return engine.IOInfo{}, fmt.Errorf("it has %d %ss: name the one to use (%s)", len(infos), kind, names(infos))
	}
	return engine.IOInfo{}, fmt.Errorf("it has no %s %q (%s)", kind, name, names(infos))
}

// names lists values with their shapes.
func names(infos []engine.IOInfo) string {
	text := ""
	for i, info := range infos {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %v %s", info.Name, info.DType, engine.ShapeText(info.Dims))
	}
	return text
}

// form says what metadata say, of an input of that name.
func (m Metadata) form(input string) Form {
	f := Form{Input: input, Output: m.Output.Name, Space: m.Space}
	if m.Input.Layout == NHWC {
		f.Layout = NHWC
	}
	if m.Outside != NoNormalization {
		f.Mean, f.Std = make([]float64, 3), make([]float64, 3)
		for c := range 3 {
			f.Mean[c], f.Std[c] = float64(m.Outside.Mean[c]), float64(m.Outside.Std[c])
		}
	}
	return f
}

// dims is the shape of the input, free dimensions below 0.
func (i InputInfo) dims() []int {
	n, h, w := 1, i.Height, i.Width
	if h == 0 && w == 0 {
		n, h, w = -1, -1, -1
	}
	if i.Layout == NHWC {
		return []int{n, h, w, 3}
	}
	return []int{n, 3, h, w}
}

// fits compares metadata with what the model really takes and gives. Those of
// other programs' models are empty.
func (m Metadata) fits(p *Predictor) error {
	if m.Output.Kind == "" && len(m.Space.Classes) == 0 {
		return nil
	}
	in := m.Input
	switch {
	case !slices.Equal(p.in.dims, in.dims()) || in.Width < 0 || in.Height < 0:
		return fmt.Errorf("input %q has shape %s, want %s by its metadata (%s)", p.in.name, engine.ShapeText(p.in.dims), engine.ShapeText(in.dims()), in.Layout)
	case in.Layout != NCHW && in.Layout != NHWC || in.Colour != "rgb" || in.Scale != 255:
		return fmt.Errorf("metadata input: layout %q, colour %q, scale %d; want nchw or nhwc, rgb, 255", in.Layout, in.Colour, in.Scale)
	case !slices.Contains(kinds, m.Output.Kind):
		return fmt.Errorf("metadata output: kind %q is none of %s", m.Output.Kind, strings.Join(kinds, ", "))
	}
	channels := m.Output.Kind == OutputLogits || m.Output.Kind == OutputSoftmax
	if (p.out.DType == engine.Float32) != channels || in.Width > 0 && !p.out.IsStatic() && p.without == nil {
		return fmt.Errorf("output %q holds %v of shape %s, want %s of a fixed shape by its metadata", p.out.Name, p.out.DType, engine.ShapeText(p.out.Dims), m.Output.Kind)
	}
	return nil
}

// Name returns the model's file or the session's name.
func (p *Predictor) Name() string { return p.name }

// Metadata returns what the model says about itself; zero for models that t2sda
// did not export.
func (p *Predictor) Metadata() Metadata { return p.meta }

// Space returns the classes that predictions are train ids of.
func (p *Predictor) Space() datasets.Space { return p.reading.classes.space }

// Inference returns how images go through the model, with what the model itself
// decides filled in.
func (p *Predictor) Inference() Inference { return p.infer }

// SingleRun reports whether an image is one run of the session, without windows,
// scales and mirroring. If not, a task holds a mean over them, at the image's full size if need be.
func (p *Predictor) SingleRun() bool { return p.infer.direct() }

// ImageSize returns the size that images are brought to before anything else
// happens to them, so that they may be read at that size; 0×0 when they are
// needed as they are.
func (p *Predictor) ImageSize() (w, h int) {
	if len(p.infer.Scales) == 1 && p.infer.Scales[0] == 1 {
		return p.infer.Width, p.infer.Height
	}
	return 0, 0
}

// Demand returns the most pixels of any picture that an image of w × h pixels becomes on its way
// through the model, [Inference.Scales] left aside; an error if those are more than are ever taken.
func (p *Predictor) Demand(w, h int) (pixels int, err error) { return p.infer.demand(w, h) }

// Predict returns the labels of an image, at the image's size. The image is
// resized as training images are (8 bits, bilinear, over the covered area when
// shrinking); logits come back bilinearly, label maps by the nearest pixel.
func (p *Predictor) Predict(ctx context.Context, img *raster.Image) (*raster.Labels, error) {
	return p.PredictAt(ctx, img, img.W, img.H)
}

// PredictAt is Predict with labels of w × h pixels, for images that were resized
// before.
func (p *Predictor) PredictAt(ctx context.Context, img *raster.Image, w, h int) (*raster.Labels, error) {
	t := p.NewTask()
	defer t.Close()
	if err := t.Fill(img); err != nil {
		return nil, err
	}
	if err := t.Run(ctx); err != nil {
		return nil, err
	}
	return t.Labels(w, h)
}

// Close frees what predictions have allocated, and the model if it was opened
// here.
func (p *Predictor) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, t := range p.free {
		for _, s := range t.slots {
			errs = append(errs, s.close())
		}
	}
	p.free = nil
	if p.owned {
		errs = append(errs, p.session.Close())
	}
	return errors.Join(errs...)
}

// NewTask returns a task that nobody uses, made or left by an earlier one. Its
// Close gives it back.
func (p *Predictor) NewTask() *Task {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		t := p.free[n-1]
		p.free = p.free[:n-1]
		return t
	}
	return &Task{p: p, slots: [2]*slot{{p: p}, {p: p}}}
}

// shapes are what a run on a picture of some size has shown.
type shapes struct {
	input  pad.Size // that the picture is continued to
	output []int
}

// lookUp returns the shapes for pictures of a size, where they are known.
func (p *Predictor) lookUp(e pad.Size) (shapes, bool) {
	if p.out.IsStatic() && p.in.w > 0 && p.in.h > 0 {
		return shapes{input: e, output: p.out.Dims}, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.known[e]
	return s, ok
}

// learn keeps what a run has shown.
func (p *Predictor) learn(e pad.Size, s shapes) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[e] = s
}
