package learner

import (
	"context"
	"fmt"
	"math/rand/v2"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/finite"
	"t2sda/internal/raster"
)

// pass is the student's way to one loss and back as a session: forward, loss and
// gradient, which it adds to the gradient arena in place. Peak memory of an
// iteration is that of its largest pass.
type pass struct {
	*program.Program
	name   string
	images int       // B
	image  []float32 // [B,3,H,W], RGB 0–255
	loss   []float32 // one element
	noise  []noise
	stats  []batchStat
}

// noise is a random input of the graph: stochastic depth or dropout.
type noise struct {
	keep float64
	data []float32 // [B,…]
}

// batchStat is the batch's mean and variance at one batch norm, [C].
type batchStat struct {
	name           string
	unbias         float32 // variance's factor
	mean, variance []float32
}

// onImages opens a program that build makes of a network on a batch of images, whose
// memory [B,3,H,W] it returns; parameters lie in a.
func (s *state) onImages(e *engine.Engine, name string, a engine.Arena, arch nets.Arch, m nets.Mode, size imageBatch, build func(p *program.Program, net *nets.Net, image *graphs.Value)) (opened *program.Program, pixels []float32, err error) {
	opened, err = program.New(e, name, s.views(a), func(p *program.Program) {
		p.Narrow(s.precision)
		p.Capture()
		net := nets.New(p.Graph(), arch, m, nil)
		image, memory := program.Input[float32](p, "image", size.N, 3, size.H, size.W)
		pixels = memory
		build(p, net, image)
		p.Lend(net.Buffers(), s.untrained)
	})
	return opened, pixels, err
}

// lossGraph builds a pass from the image, RGB 0–255: the loss that is recorded, and
// the objective whose gradient is added.
type lossGraph func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value)

// newPass builds, differentiates and opens one pass.
func newPass(e *engine.Engine, name string, arch nets.Arch, size imageBatch, s *state, build lossGraph) (*pass, error) {
	t := &pass{name: name, images: size.N}
	var err error
	t.Program, t.image, err = s.onImages(e, name, s.student, arch, nets.Train, size, func(p *program.Program, net *nets.Net, image *graphs.Value) {
		loss, objective := build(p, net, image)
		t.loss = program.Output[float32](p, "loss", loss)
		if s.lossScale != nil {
			objective = p.Graph().Mul(objective, program.InputOf(p, "loss_scale", s.lossScale, 1))
		}
		p.Differentiate(objective, s.derive, s.views(s.grads))
		for _, n := range net.Noise() {
			t.noise = append(t.noise, noise{n.Keep, program.Feed[float32](p, n.Input)})
		}
		seen := map[string]int{} // HRDA's head sees two images
		for _, b := range net.BatchStats() {
			output := b.Name
			if seen[b.Name]++; seen[b.Name] > 1 {
				output = fmt.Sprintf("%s#%d", b.Name, seen[b.Name])
			}
			t.stats = append(t.stats, batchStat{
				b.Name, float32(b.Unbias()),
				program.Output[float32](p, "mean/"+output, b.Mean), program.Output[float32](p, "var/"+output, b.Var),
			})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("term %w", err)
	}
	return t, nil
}

// run draws the noise, runs the session and returns the unscaled loss.
// A loss that is not finite is an error.
func (t *pass) run(ctx context.Context, draws draws) (float64, error) {
	if len(t.noise) > 0 {
		for image := range t.images {
			t.draw(image, draws(image))
		}
	}
	if err := t.Program.Run(ctx); err != nil {
		return 0, fmt.Errorf("term %s: %w", t.name, err)
	}
	loss := t.loss[0]
	if !finite.Is(loss) {
		return 0, NotFiniteError(fmt.Sprintf("term %s: its loss is %v", t.name, loss))
	}
	return float64(loss), nil
}

// draws gives the generator of what is random about one image of a batch, so that
// it does not depend on the images beside it.
type draws func(image int) *rand.Rand

// draw draws the noise of one image.
func (t *pass) draw(image int, r *rand.Rand) {
	for _, n := range t.noise {
		size := len(n.data) / t.images
		for i := range size {
			x := &n.data[image*size+i]
			*x = 0
			if r.Float64() < n.keep {
				*x = float32(1 / n.keep)
			}
		}
	}
}

// statistics counts the values of a run's batch statistics.
func (t *pass) statistics() int {
	n := 0
	for _, s := range t.stats {
		n += len(s.mean) + len(s.variance)
	}
	return n
}

// updateRunning moves the running statistics towards a batch's, which follow each other as
// t.stats do: r ← (1−momentum)·r + momentum·batch, the variance unbiased as in PyTorch.
func (t *pass) updateRunning(buffers map[string][]float32, momentum float64, batch []float32) {
	m := float32(momentum)
	for _, s := range t.stats {
		mean, variance := buffers[s.name+".running_mean"], buffers[s.name+".running_var"]
		n := len(mean)
		for i := range mean {
			mean[i] += m * (batch[i] - mean[i])
			variance[i] += m * (batch[n+i]*s.unbias - variance[i])
		}
		batch = batch[2*n:]
	}
}

// imageBatch is the shape of a batch of crops.
type imageBatch struct{ N, H, W int }

// fillImages copies pictures into a batch's buffer [B,3,H,W].
func fillImages(dst []float32, images []*raster.Image) {
	for _, m := range images {
		dst = dst[copy(dst, m.Pix):]
	}
}
