package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// term is one loss of the student as a session: forward, loss and gradient,
// which it adds to the gradient arena in place. Peak memory of an iteration is
// that of its largest term.
type term struct {
	name    string
	session *engine.Session
	binding *engine.Binding

	image []float32 // [B,3,H,W], RGB 0–255
	loss  []float32 // one element
	noise []noise
	stats []batchStat
}

// noise is a random input of the graph: stochastic depth or dropout.
type noise struct {
	name string
	keep float64
	data []float32
}

// batchStat is the batch's mean and variance at one batch norm, [C].
type batchStat struct {
	name           string
	mean, variance []float32
	unbias         float32 // variance's factor
}

// lossGraph builds a term from the normalised image: the loss that is recorded,
// and the objective whose gradient is added.
type lossGraph func(g *graphs.Graph, net *nets.Net, x *graphs.Value) (loss, objective *graphs.Value)

// newTerm builds, differentiates and binds one term. extra holds its tensors
// besides image, loss, parameters, gradients, noise and batch statistics.
func newTerm(e *engine.Engine, name string, arch nets.Arch, size imageBatch, s *state, build lossGraph, extra *binder) (*term, error) {
	t := &term{name: name, image: make([]float32, size.N*3*size.H*size.W), loss: make([]float32, 1)}
	var net *nets.Net
	g, err := graphs.Build(name, func(g *graphs.Graph) {
		net = nets.New(g, arch, nets.Train, nil)
		x := net.Normalize(g.Input("image", graphs.Float32, size.N, 3, size.H, size.W))
		loss, objective := build(g, net, x)
		g.Output("loss", loss)
		params := g.Params()
		for i, d := range graphs.Gradients(objective, params...) {
			sum := g.Input("grad/"+params[i].Name(), graphs.Float32, params[i].Shape()...)
			g.Output("grad_out/"+params[i].Name(), g.Add(sum, d))
		}
		for _, b := range net.BatchStats() {
			g.Output("mean/"+b.Name, b.Mean)
			g.Output("var/"+b.Name, b.Var)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("build term %s: %w", name, err)
	}
	if err := t.open(e, g, net, size, s, extra); err != nil {
		return nil, errors.Join(fmt.Errorf("term %s: %w", name, err), t.close())
	}
	return t, nil
}

// open creates the session and binds every tensor.
func (t *term) open(e *engine.Engine, g *graphs.Graph, net *nets.Net, size imageBatch, s *state, extra *binder) error {
	model, err := g.Marshal()
	if err != nil {
		return err
	}
	if t.session, err = e.NewSession(t.name, model); err != nil {
		return err
	}
	b := newBinder()
	b.in("image", t.image, size.N, 3, size.H, size.W)
	b.out("loss", t.loss)
	maps.Copy(b.inputs, extra.inputs)
	maps.Copy(b.outputs, extra.outputs)
	b.err = errors.Join(b.err, extra.err)
	for _, n := range net.Noise() {
		data := make([]float32, n.Shape.Size())
		b.in(n.Name, data, n.Shape...)
		t.noise = append(t.noise, noise{n.Name, n.Keep, data})
	}
	for _, p := range g.Params() {
		weight, grad := b.param(s, s.student, p.Name()), b.param(s, s.grads, p.Name())
		b.inputs[p.Name()], b.inputs["grad/"+p.Name()], b.outputs["grad_out/"+p.Name()] = weight, grad, grad
	}
	for _, st := range net.BatchStats() {
		n := st.Mean.Shape().Size()
		stat := batchStat{st.Name, make([]float32, n), make([]float32, n), float32(st.Unbias())}
		b.out("mean/"+st.Name, stat.mean, st.Mean.Shape()...)
		b.out("var/"+st.Name, stat.variance, st.Var.Shape()...)
		t.stats = append(t.stats, stat)
	}
	t.binding, err = b.bind(t.session)
	return err
}

// run draws the term's noise, runs the session and returns the unscaled loss.
// A loss that is not finite is an error.
func (t *term) run(ctx context.Context, r *rand.Rand) (float64, error) {
	for _, n := range t.noise {
		for i := range n.data {
			n.data[i] = 0
			if r.Float64() < n.keep {
				n.data[i] = float32(1 / n.keep)
			}
		}
	}
	if err := t.binding.Run(ctx); err != nil {
		return 0, fmt.Errorf("term %s: %w", t.name, err)
	}
	loss := t.loss[0]
	if loss-loss != 0 {
		return 0, notFiniteError(fmt.Sprintf("term %s: its loss is %v", t.name, loss))
	}
	return float64(loss), nil
}

// updateRunning moves the running statistics towards the last batch's:
// r ← (1−momentum)·r + momentum·batch, the variance unbiased as in PyTorch.
func (t *term) updateRunning(buffers map[string][]float32, momentum float64) {
	m := float32(momentum)
	for _, s := range t.stats {
		mean, variance := buffers[s.name+".running_mean"], buffers[s.name+".running_var"]
		for i := range mean {
			mean[i] += m * (s.mean[i] - mean[i])
			variance[i] += m * (s.variance[i]*s.unbias - variance[i])
		}
	}
}

func (t *term) close() error { return closeAll(t.binding, t.session) }

// imageBatch is the shape of a batch of crops.
type imageBatch struct{ N, H, W int }

// supervised is the student's pixel-weighted cross-entropy. One session serves
// L_S and L_T: they differ in images, labels and weights only. With a frozen
// encoder it also takes the distance from its features, where that has weights:
// one forward pass of the student serves both.
type supervised struct {
	*term
	labels  []int64   // [B,H,W], void as 0
	weights []float32 // [B,H,W], void 0; the denominator is in them
}

// newSupervised builds the term; f is nil without the feature distance.
func newSupervised(e *engine.Engine, arch nets.Arch, size imageBatch, s *state, f *frozen) (*supervised, error) {
	n := size.N * size.H * size.W
	t := &supervised{labels: make([]int64, n), weights: make([]float32, n)}
	b := newBinder()
	bindTo(b, b.inputs, "labels", t.labels, size.N, size.H, size.W)
	bindTo(b, b.inputs, "weights", t.weights, size.N, size.H, size.W)
	if f != nil {
		f.bindTo(b)
	}
	var err error
	t.term, err = newTerm(e, "supervised", arch, size, s, func(g *graphs.Graph, net *nets.Net, x *graphs.Value) (loss, objective *graphs.Value) {
		levels := net.Encode(x)
		loss = losses.CrossEntropy(net.Segment(levels),
			g.Input("labels", graphs.Int64, size.N, size.H, size.W),
			g.Input("weights", graphs.Float32, size.N, size.H, size.W))
		if f == nil {
			return loss, loss
		}
		return loss, g.Add(loss, f.distanceOf(g, levels))
	}, b)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// fillImages copies pictures into a batch's buffer [B,3,H,W].
func fillImages(dst []float32, images []*raster.Image) {
	for _, m := range images {
		dst = dst[copy(dst, m.Pix):]
	}
}

// teacher is the momentum network on one batch.
type teacher struct {
	name    string
	session *engine.Session
	binding *engine.Binding

	image      []float32 // [B,3,H,W]
	labels     []int64   // [B,H,W] arg max; nil when only features are wanted
	pseudo     []uint8   // the same as train ids
	confidence []float32 // [B,H,W] softmax maximum; nil likewise
	features   []float32 // [B,D,h,w] ℓ2-normalised; nil without a projector
	grid       losses.Grid
}

// newTeacher builds the teacher's forward pass: pseudo-labels and confidences
// at the crop's resolution, features at the grid, as asked for.
func newTeacher(e *engine.Engine, name string, arch nets.Arch, size imageBatch, s *state, wantLabels, wantFeatures bool) (*teacher, error) {
	t := &teacher{name: name}
	g, err := graphs.Build(name, func(g *graphs.Graph) {
		net := nets.New(g, arch, nets.Teacher, nil)
		levels := net.Encode(net.Normalize(g.Input("image", graphs.Float32, size.N, 3, size.H, size.W)))
		if wantLabels {
			logits := g.Resize(net.Segment(levels), size.H, size.W, "linear")
			top := g.ReduceMax(logits, []int{1}, true)
			// softmax at its maximum is 1 / Σ exp(z − max)
			sum := g.ReduceSum(g.Exp(g.Sub(logits, top)), []int{1}, false)
			g.Output("confidence", g.Reciprocal(sum))
			g.Output("labels", g.ArgMax(logits, 1, false))
		}
		if wantFeatures {
			f := net.Project(levels)
			t.grid = losses.Grid{N: f.Dim(0), D: f.Dim(1), H: f.Dim(2), W: f.Dim(3)}
			g.Output("features", f)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", name, err)
	}
	if err := t.open(e, g, size, s, wantLabels, wantFeatures); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), t.close())
	}
	return t, nil
}

// open creates the session and binds every tensor.
func (t *teacher) open(e *engine.Engine, g *graphs.Graph, size imageBatch, s *state, wantLabels, wantFeatures bool) error {
	model, err := g.Marshal()
	if err != nil {
		return err
	}
	if t.session, err = e.NewSession(t.name, model); err != nil {
		return err
	}
	b := newBinder()
	t.image = make([]float32, size.N*3*size.H*size.W)
	b.in("image", t.image, size.N, 3, size.H, size.W)
	if wantLabels {
		pixels := size.N * size.H * size.W
		t.labels, t.pseudo, t.confidence = make([]int64, pixels), make([]uint8, pixels), make([]float32, pixels)
		bindTo(b, b.outputs, "labels", t.labels, size.N, size.H, size.W)
		b.out("confidence", t.confidence, size.N, size.H, size.W)
	}
	if wantFeatures {
		t.features = make([]float32, t.grid.Positions()*t.grid.D)
		b.out("features", t.features, t.grid.N, t.grid.D, t.grid.H, t.grid.W)
	}
	for _, p := range g.Params() {
		b.inputs[p.Name()] = b.param(s, s.teacher, p.Name())
	}
	t.binding, err = b.bind(t.session)
	return err
}

func (t *teacher) close() error { return closeAll(t.binding, t.session) }

// run runs the teacher on the images and converts its pseudo-labels.
func (t *teacher) run(ctx context.Context, images []*raster.Image) error {
	fillImages(t.image, images)
	if err := t.binding.Run(ctx); err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	for i, v := range t.labels {
		t.pseudo[i] = uint8(v)
	}
	return nil
}

// pseudoLabels returns a copy of image n's pseudo-labels.
func (t *teacher) pseudoLabels(n, w, h int) *raster.Labels {
	out := raster.NewLabels(w, h)
	copy(out.Pix, t.pseudo[n*w*h:])
	return out
}
