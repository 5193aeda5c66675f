package learner

import (
	"context"
	"errors"
	"fmt"
	"math"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/finite"
	"t2sda/losses"
)

// ErrDiscriminator marks an error of the discriminator, which has its own learning rate.
var ErrDiscriminator = errors.New("discriminator")

// discriminator tells source from target images by what the student predicts of them. It
// has parameters, gradients and moments of its own, and Adam without decay; its products are
// float32 whatever the student's are.
type discriminator struct {
	*program.Program
	cfg       configs.Adversarial
	net       nets.Discriminator
	state     *state
	optimizer optimizer

	logits []float32 // [2B,C,h,w], of source images and then of target images
	loss   []float32 // one element
}

// AdaptSegNet's numbers, of its public code; ADVENT's are the same.
const (
	discriminatorBeta1 = 0.9
	discriminatorBeta2 = 0.99
	discriminatorPower = 0.9 // of the polynomial decay
)

// newDiscriminator makes a discriminator of predictions of the given shape [B,C,h,w].
func newDiscriminator(l *Learner, shape graphs.Shape) (_ *discriminator, err error) {
	d := &discriminator{cfg: l.cfg.Loss.Adversarial, net: nets.Discriminator{Channels: shape[1], Width: l.cfg.Loss.Adversarial.Width}}
	d.cfg.Input = l.cfg.AdversarialInput()
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%w: %w", ErrDiscriminator, err), d.Close())
		}
	}()
	if d.state, err = newParameters("discriminator", d.net.Params(), false, configs.Train{}, l.cfg.Seed, l.state.arena); err != nil {
		return nil, err
	}
	d.optimizer, err = newOptimizer(l.engine, d.state, configs.Train{Beta1: discriminatorBeta1, Beta2: discriminatorBeta2, Epsilon: 1e-8})
	if err != nil {
		return nil, err
	}
	d.Program, err = program.New(l.engine, "discriminator", d.state.views(d.state.student), func(p *program.Program) { d.build(p, shape, l.crops()) })
	return d, err
}

// build makes the graph of the discriminator's loss and its gradient.
func (d *discriminator) build(p *program.Program, shape graphs.Shape, size imageBatch) {
	g := p.Graph()
	logits, memory := program.Input[float32](p, "logits", 2*shape[0], shape[1], shape[2], shape[3])
	d.logits = memory
	signs := make([]float32, 2*shape[0])
	for i := range signs {
		signs[i] = 1
		if i >= shape[0] {
			signs[i] = -1
		}
	}
	scores := d.net.Apply(d.see(logits, size), func(s nets.ParamSpec) *graphs.Value { return g.Param(s.Name, s.Shape...) })
	loss := losses.DomainLoss(scores, g.Floats(signs, len(signs), 1, 1, 1))
	d.loss = program.Output[float32](p, "loss", loss)
	p.Differentiate(loss, graphs.Gradients, d.state.views(d.state.grads))
}

// see returns what the discriminator looks at of predictions.
func (d *discriminator) see(logits *graphs.Value, size imageBatch) *graphs.Value {
	p := losses.Probabilities(logits, size.H, size.W)
	if d.cfg.Input == configs.SeesEntropy {
		return losses.SelfInformation(p)
	}
	return p
}

// fooled returns the mean of −log of the probability that the discriminator, as it is, takes
// the images of predictions for source images, as part of another program.
func (d *discriminator) fooled(p *program.Program, logits *graphs.Value, size imageBatch) *graphs.Value {
	g, views := p.Graph(), d.state.views(d.state.student)
	scores := d.net.Apply(d.see(logits, size), func(s nets.ParamSpec) *graphs.Value {
		t, err := views(s.Name, s.Shape)
		if err != nil {
			panic(&graphs.Error{Op: "discriminator", Node: s.Name, Message: err.Error()})
		}
		return p.Resident(s.Name, t)
	})
	ones := make([]float32, size.N)
	for i := range ones {
		ones[i] = 1
	}
	return losses.DomainLoss(scores, g.Floats(ones, size.N, 1, 1, 1))
}

// learn moves the discriminator one step and returns its loss, ½·(source + target), before
// it. Steps count from the first that there was.
func (d *discriminator) learn(ctx context.Context, step int, lr float64) (float64, error) {
	if err := d.optimizer.clear(); err != nil {
		return 0, err
	}
	if err := d.Run(ctx); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrDiscriminator, err)
	}
	loss := d.loss[0]
	if !finite.Is(loss) {
		return 0, fmt.Errorf("%w: %w", ErrDiscriminator, NotFiniteError(fmt.Sprintf("its loss is %v", loss)))
	}
	norm, err := d.optimizer.norm()
	if err != nil {
		return 0, err
	}
	if !finite.Is(norm) {
		return 0, fmt.Errorf("%w: %w", ErrDiscriminator, NotFiniteError(fmt.Sprintf("its gradient's norm is %v", norm)))
	}
	return float64(loss), d.optimizer.step(update{index: step, lr: lr, norm: norm, scale: 1})
}

// rate is the discriminator's learning rate in iteration t of T.
func (d *discriminator) rate(t, of int) float64 {
	return d.cfg.LR * math.Pow(1-float64(t)/float64(of), discriminatorPower)
}

// part is what a checkpoint holds of it: parameters under their names, moments as the
// student's.
func (d *discriminator) part() Part {
	s := d.state
	return Part{Name: "discriminator", state: s, arenas: []engine.Arena{s.student, s.moment1, s.moment2}, prefix: []string{"", "m/", "v/"}}
}

// check is the state's, as an [ErrDiscriminator].
func (d *discriminator) check() error {
	if err := d.state.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrDiscriminator, err)
	}
	return nil
}

// Close frees sessions and memory.
func (d *discriminator) Close() error {
	var errs []error
	if d.Program != nil {
		errs = append(errs, d.Program.Close())
	}
	if d.optimizer != nil {
		errs = append(errs, d.optimizer.Close())
	}
	if d.state != nil {
		errs = append(errs, d.state.Close())
	}
	return errors.Join(errs...)
}
