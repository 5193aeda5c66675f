package learner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/finite"
)

// What marks an error of a discriminator, which has its own learning rate.
var (
	ErrDiscriminator      = errors.New("discriminator")       // of the term adversarial
	ErrClassDiscriminator = errors.New("class discriminator") // of the term class-adversarial
)

// discriminator tells source from target images by what the student makes of them. It has
// parameters, gradients and moments of its own, and Adam without decay; its products are
// float32 whatever the student's are.
type discriminator struct {
	*program.Program
	name      string // of its stage, its loss and its part of a checkpoint
	fault     error  // that its errors are
	begin     float64
	state     *state
	optimizer optimizer
	loss      []float32 // one element
}

// AdaptSegNet's numbers, of its public code; ADVENT's and FADA's are the same.
const (
	discriminatorBeta1 = 0.9
	discriminatorBeta2 = 0.99
	discriminatorPower = 0.9 // of the polynomial decay
)

// newDiscriminator makes a discriminator of those parameters, which the learner keeps. build
// makes its loss in its own program; lr is its first learning rate.
func newDiscriminator(l *Learner, fault error, lr float64, specs []nets.ParamSpec, build func(p *program.Program) *graphs.Value) (_ *discriminator, err error) {
	d := &discriminator{name: strings.ReplaceAll(fault.Error(), " ", "_"), fault: fault, begin: lr}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%w: %w", fault, err), d.Close())
		}
	}()
	if d.state, err = newParameters(fault.Error(), specs, false, configs.Train{}, l.cfg.Seed, l.state.arena); err != nil {
		return nil, err
	}
	d.optimizer, err = newOptimizer(l.engine, d.state, configs.Train{Beta1: discriminatorBeta1, Beta2: discriminatorBeta2, Epsilon: 1e-8})
	if err != nil {
		return nil, err
	}
	d.Program, err = program.New(l.engine, d.name, d.state.views(d.state.student), func(p *program.Program) {
		loss := build(p)
		d.loss = program.Output[float32](p, "loss", loss)
		p.Differentiate(loss, graphs.Gradients, d.state.views(d.state.grads))
	})
	if err != nil {
		return nil, err
	}
	l.discriminators = append(l.discriminators, d)
	l.own(d)
	return d, nil
}

// ownParams gives a discriminator's parameters to its own program.
func ownParams(p *program.Program) func(s nets.ParamSpec) *graphs.Value {
	return func(s nets.ParamSpec) *graphs.Value { return p.Graph().Param(s.Name, s.Shape...) }
}

// resident gives the parameters, as they are, to another program.
func (d *discriminator) resident(p *program.Program) func(s nets.ParamSpec) *graphs.Value {
	views := d.state.views(d.state.student)
	return func(s nets.ParamSpec) *graphs.Value {
		t, err := views(s.Name, s.Shape)
		if err != nil {
			panic(&graphs.Error{Op: d.name, Node: s.Name, Message: err.Error()})
		}
		return p.Resident(s.Name, t)
	}
}

// perImage is a constant [B+b,1,1,1] of a number for each of B source images and one for each
// of b target images.
func perImage(g *graphs.Graph, sources int, source float32, targets int, target float32) *graphs.Value {
	values := make([]float32, sources+targets)
	for i := range values {
		values[i] = source
		if i >= sources {
			values[i] = target
		}
	}
	return g.Floats(values, len(values), 1, 1, 1)
}

// teach moves the discriminator in an iteration, and notes its loss.
func (d *discriminator) teach(ctx context.Context, i *iteration, c *configs.Train) error {
	loss, err := d.learn(ctx, i.index-c.FirstAdapting(), d.rate(i.index, c.Phase(i.index)))
	i.step.Losses[d.name] = loss
	return err
}

// learn moves the discriminator one step and returns its loss, ½·(source + target), before
// it. Steps count from the first that there was.
func (d *discriminator) learn(ctx context.Context, step int, lr float64) (float64, error) {
	if err := d.optimizer.clear(); err != nil {
		return 0, err
	}
	if err := d.Run(ctx); err != nil {
		return 0, fmt.Errorf("%w: %w", d.fault, err)
	}
	loss := d.loss[0]
	if !finite.Is(loss) {
		return 0, fmt.Errorf("%w: %w", d.fault, NotFiniteError(fmt.Sprintf("its loss is %v", loss)))
	}
	norm, err := d.optimizer.norm()
	if err != nil {
		return 0, err
	}
	if !finite.Is(norm) {
		return 0, fmt.Errorf("%w: %w", d.fault, NotFiniteError(fmt.Sprintf("its gradient's norm is %v", norm)))
	}
	return float64(loss), d.optimizer.step(update{index: step, lr: lr, norm: norm, scale: 1})
}

// rate is the discriminator's learning rate in iteration t of T.
func (d *discriminator) rate(t, of int) float64 {
	return d.begin * math.Pow(1-float64(t)/float64(of), discriminatorPower)
}

// part is what a checkpoint holds of it: parameters under their names, moments as the
// student's.
func (d *discriminator) part() Part {
	s := d.state
	return Part{Name: d.name, state: s, arenas: []engine.Arena{s.student, s.moment1, s.moment2}, prefix: []string{"", "m/", "v/"}}
}

// check is the state's, as an error of the discriminator.
func (d *discriminator) check() error {
	if err := d.state.check(); err != nil {
		return fmt.Errorf("%w: %w", d.fault, err)
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
