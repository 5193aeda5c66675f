package predict

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"t2sda/graphs/engine"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
)

// Predictor runs a segmentation model on images of any size. Its methods may be
// called from several goroutines.
type Predictor struct {
	session *engine.Session
	owned   bool // the session was opened here
	name    string
	meta    Metadata
	input   engine.IOInfo
	output  engine.IOInfo
	h, w    int // of the output

	mu   sync.Mutex
	free []*Task // made and not in use
}

// OpenPredictor opens a model file and checks that it is a segmentation model of
// this program. Close frees it. Errors name the file and what is wrong with it.
func Open(e *engine.Engine, path string) (*Predictor, error) {
	s, err := e.OpenModel(path)
	if err != nil {
		return nil, err
	}
	p, err := newPredictor(s, path)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	p.owned = true
	return p, nil
}

// NewPredictor serves a session that stays the caller's to close, after the
// predictor.
func New(s *engine.Session) (*Predictor, error) { return newPredictor(s, s.Name()) }

func newPredictor(s *engine.Session, name string) (*Predictor, error) {
	p := &Predictor{session: s, name: name}
	var err error
	if p.meta, err = ParseMetadata(s.Metadata()); err == nil {
		err = p.check(s.Inputs(), s.Outputs())
	}
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return p, nil
}

// check compares inputs and outputs with the metadata.
func (p *Predictor) check(inputs, outputs []engine.IOInfo) error {
	if len(inputs) != 1 {
		return fmt.Errorf("it has %d inputs, want one image", len(inputs))
	}
	p.input = inputs[0]
	in := p.meta.Input
	if want := []int{1, 3, in.Height, in.Width}; !slices.Equal(p.input.Dims, want) || in.Width <= 0 || in.Height <= 0 {
		return fmt.Errorf("input %q has shape %v, want %v by its metadata (batch, RGB, height, width)", p.input.Name, p.input.Dims, want)
	}
	if p.input.DType != engine.Float32 && p.input.DType != engine.Uint8 {
		return fmt.Errorf("input %q holds %v, want float32 or uint8", p.input.Name, p.input.DType)
	}
	if in.Layout != "nchw" || in.Colour != "rgb" || in.Scale != 255 {
		return fmt.Errorf("metadata input: layout %q, colour %q, scale %d; want nchw, rgb, 255", in.Layout, in.Colour, in.Scale)
	}
	for _, o := range outputs {
		if o.Name == p.meta.Output.Name {
			p.output = o
			return p.checkOutput()
		}
	}
	return fmt.Errorf("it has no output %q, which its metadata names", p.meta.Output.Name)
}

func (p *Predictor) checkOutput() error {
	d, classes := p.output.Dims, len(p.meta.Space.Classes)
	if slices.Min(append(d, 1)) < 1 {
		return fmt.Errorf("output %q has shape %v, want a fixed one", p.output.Name, d)
	}
	switch p.meta.Output.Kind {
	case OutputLogits:
		if len(d) != 4 || d[0] != 1 || p.output.DType != engine.Float32 {
			return fmt.Errorf("output %q is %v %v, want float32 logits [1,classes,height,width]", p.output.Name, p.output.DType, d)
		}
		if d[1] != classes {
			return fmt.Errorf("output %q has logits of %d classes, class_names lists %d", p.output.Name, d[1], classes)
		}
		p.h, p.w = d[2], d[3]
	case OutputLabels:
		if len(d) != 3 || d[0] != 1 || p.output.DType != engine.Uint8 {
			return fmt.Errorf("output %q is %v %v, want uint8 labels [1,height,width]", p.output.Name, p.output.DType, d)
		}
		p.h, p.w = d[1], d[2]
	default:
		return fmt.Errorf("metadata output: kind %q is neither %s nor %s", p.meta.Output.Kind, OutputLogits, OutputLabels)
	}
	return nil
}

// Name returns the model's file or the session's name.
func (p *Predictor) Name() string { return p.name }

// Metadata returns what the model says about itself.
func (p *Predictor) Metadata() Metadata { return p.meta }

// ImageSize returns the size that images are brought to before anything else
// happens to them. Images that have it already are not resized again.
func (p *Predictor) ImageSize() (w, h int) { return p.meta.Input.Width, p.meta.Input.Height }

// Predict returns the labels of an image, at the image's size. The image is
// resized to the model's size as training images are (8 bits, bilinear, over
// the covered area when shrinking); logits come back bilinearly, label maps by
// the nearest pixel.
func (p *Predictor) Predict(ctx context.Context, img *raster.Image) (*raster.Labels, error) {
	return p.PredictAt(ctx, img, img.W, img.H)
}

// PredictAt is Predict with labels of w × h pixels, for images that were resized
// before.
func (p *Predictor) PredictAt(ctx context.Context, img *raster.Image, w, h int) (*raster.Labels, error) {
	if img.W <= 0 || img.H <= 0 || w <= 0 || h <= 0 {
		return nil, fmt.Errorf("model %s: image of %d×%d pixels, labels of %d×%d", p.name, img.W, img.H, w, h)
	}
	s, err := p.NewTask()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s.Fill(img)
	if err := s.Run(ctx); err != nil {
		return nil, err
	}
	return s.Labels(w, h)
}

// Close frees what Predict has allocated, and the model if OpenPredictor opened
// it.
func (p *Predictor) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.free {
		errs = append(errs, s.binding.Close())
	}
	p.free = nil
	if p.owned {
		errs = append(errs, p.session.Close())
	}
	return errors.Join(errs...)
}

// NewTask returns a task that nobody uses, made or left by an earlier one. Its
// Close gives it back.
func (p *Predictor) NewTask() (*Task, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		s := p.free[n-1]
		p.free = p.free[:n-1]
		return s, nil
	}
	s, err := p.makeTask()
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", p.name, err)
	}
	return s, nil
}

// Close leaves the task to the next [Predictor.NewTask].
func (s *Task) Close() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.free = append(s.p.free, s)
}

// Run runs the session on what Fill prepared.
func (s *Task) Run(ctx context.Context) error {
	if err := s.binding.Run(ctx); err != nil {
		return fmt.Errorf("model %s: %w", s.p.name, err)
	}
	return nil
}

// Task is the memory of one image under way. Its steps, Fill, Run and Labels, may
// be taken by different goroutines, one after the other; so while one image's
// session runs, another one can be decoded and a third one scored. A task serves
// one image after the other.
//
// One of the pairs floats/bytes and logits/ids is set, by the model's types.
type Task struct {
	p       *Predictor
	floats  []float32 // input [3,H,W]
	bytes   []uint8   // the same
	logits  []float32 // output [C,h,w]
	ids     []uint8   // output [h,w]
	binding *engine.Binding
}

func (p *Predictor) makeTask() (*Task, error) {
	s := &Task{p: p}
	var in, out *engine.Tensor
	var errIn, errOut error
	if p.input.DType == engine.Float32 {
		s.floats = make([]float32, product(p.input.Dims))
		in, errIn = engine.NewTensor(s.floats, p.input.Dims...)
	} else {
		s.bytes = make([]uint8, product(p.input.Dims))
		in, errIn = engine.NewTensor(s.bytes, p.input.Dims...)
	}
	if p.output.DType == engine.Float32 {
		s.logits = make([]float32, product(p.output.Dims))
		out, errOut = engine.NewTensor(s.logits, p.output.Dims...)
	} else {
		s.ids = make([]uint8, product(p.output.Dims))
		out, errOut = engine.NewTensor(s.ids, p.output.Dims...)
	}
	if err := errors.Join(errIn, errOut); err != nil {
		return nil, err
	}
	var err error
	s.binding, err = p.session.Bind(map[string]*engine.Tensor{p.input.Name: in}, map[string]*engine.Tensor{p.output.Name: out})
	return s, err
}

// Fill resizes the image into the input.
func (s *Task) Fill(img *raster.Image) {
	w, h := s.p.meta.Input.Width, s.p.meta.Input.Height
	if img.W == w && img.H == h && s.floats != nil {
		copy(s.floats, img.Pix)
		return
	}
	pix := img.RGB()
	if img.W != w || img.H != h {
		pix = resize.RGB(pix, img.W, img.H, w, h)
	}
	plane := w * h
	for i := range plane {
		for c := range 3 {
			v := pix[3*i+c]
			if s.floats != nil {
				s.floats[c*plane+i] = float32(v)
			} else {
				s.bytes[c*plane+i] = v
			}
		}
	}
}

// Labels turns the output into labels of w × h pixels.
func (s *Task) Labels(w, h int) (*raster.Labels, error) {
	p := s.p
	if s.logits != nil {
		out, err := Argmax(s.logits, [3]int{len(p.meta.Space.Classes), p.h, p.w}, w, h)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", p.name, err)
		}
		return out, nil
	}
	out := &raster.Labels{W: p.w, H: p.h, Pix: s.ids} // in the Task's memory, so copied by both returns
	if w != p.w || h != p.h {
		return out.ResizeNearest(w, h), nil
	}
	return out.Clone(), nil
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
