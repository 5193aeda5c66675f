package learner

import (
	"context"
	"errors"
	"fmt"
	"math"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/program"
)

// graphOptimizer works on memory that only sessions touch: what [hostOptimizer]
// computes in loops, operation by operation, as elementwise graphs over ranges of
// the arenas, in place.
type graphOptimizer struct {
	*adamW
	zero, sum, ema *program.Program
	adam           []spanProgram // one per span

	squares [][]float32 // sums of squares of parts of the gradients
	alpha   []float32   // α, 1 − α
}

// spanProgram is AdamW over one span.
type spanProgram struct {
	*program.Program
	scalars []float32 // grad, keep, rate, rsqrtC
}

// normBlock is the number of squares that are summed first.
const normBlock = 1 << 14

func newGraphOptimizer(e *engine.Engine, s *state, a *adamW) (_ *graphOptimizer, err error) {
	o := &graphOptimizer{adamW: a}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("optimizer: %w", err), o.Close())
		}
	}()
	if o.zero, err = program.New(e, "zero", nil, func(p *program.Program) { o.buildZero(p, s) }); err != nil {
		return nil, err
	}
	if o.sum, err = program.New(e, "norm", nil, func(p *program.Program) { o.buildNorm(p, s) }); err != nil {
		return nil, err
	}
	for i, part := range a.spans {
		var k spanProgram
		k.Program, err = program.New(e, fmt.Sprintf("adamw%d", i), nil, func(p *program.Program) { k.scalars = o.buildAdam(p, s, part) })
		if err != nil {
			return nil, err
		}
		o.adam = append(o.adam, k)
	}
	if s.teacher == nil {
		return o, nil
	}
	o.ema, err = program.New(e, "ema", nil, func(p *program.Program) { o.buildEMA(p, s) })
	return o, err
}

// view is [engine.Arena.View] for builders.
func view(a engine.Arena, offset int, dims ...int) *engine.Tensor {
	t, err := a.View(offset, dims...)
	if err != nil {
		panic(&graphs.Error{Op: "view", Message: err.Error()})
	}
	return t
}

// buildZero writes 0 to the gradients. The zero is an input: a constant of the
// arena's size would be part of the model.
func (o *graphOptimizer) buildZero(p *program.Program, s *state) {
	zero, _ := program.Input[float32](p, "zero", 1)
	p.Store("grads", p.Graph().Expand(zero, s.size), view(s.grads, 0, s.size))
}

// buildNorm sums the gradients' squares, block by block and then all, so that few
// numbers are far apart where they are added.
func (o *graphOptimizer) buildNorm(p *program.Program, s *state) {
	g := p.Graph()
	add := func(name string, offset int, dims ...int) {
		x := p.Resident(name, view(s.grads, offset, dims...))
		o.squares = append(o.squares, program.Output[float32](p, name+"²", g.ReduceSum(g.ReduceSum(g.Mul(x, x), []int{1}, false), nil, false)))
	}
	blocks := s.size / normBlock
	if blocks > 0 {
		add("blocks", 0, blocks, normBlock)
	}
	if rest := s.size - blocks*normBlock; rest > 0 {
		add("rest", blocks*normBlock, 1, rest)
	}
}

// buildAdam is lanes.AdamW.Update as a graph.
func (o *graphOptimizer) buildAdam(p *program.Program, s *state, part span) []float32 {
	g, n := p.Graph(), part.To-part.From
	at := func(a engine.Arena) *engine.Tensor { return view(a, part.From, n) }
	scalars, memory := program.Input[float32](p, "scalars", 4)
	scalar := g.Split(scalars, 0, 1, 1, 1, 1)
	scale, keep, rate, rsqrtC := scalar[0], scalar[1], scalar[2], scalar[3]
	k := o.scalars(part, update{scale: 1})
	x, m, v := p.Resident("p", at(s.student)), p.Resident("m", at(s.moment1)), p.Resident("v", at(s.moment2))
	d := g.Mul(p.Resident("g", at(s.grads)), scale)
	mean := g.Add(g.Mul(m, g.Scalar(k.Beta1)), g.Mul(d, g.Scalar(k.New1)))
	square := g.Add(g.Mul(v, g.Scalar(k.Beta2)), g.Mul(g.Mul(d, g.Scalar(k.New2)), d))
	root := g.Mul(g.Sqrt(square), rsqrtC)
	moved := g.Sub(g.Mul(x, keep), g.Div(g.Mul(mean, rate), g.Add(root, g.Scalar(k.Eps))))
	p.Store("m+", mean, at(s.moment1))
	p.Store("v+", square, at(s.moment2))
	p.Store("p+", moved, at(s.student))
	return memory
}

func (o *graphOptimizer) buildEMA(p *program.Program, s *state) {
	g := p.Graph()
	alpha, memory := program.Input[float32](p, "alpha", 2)
	parts := g.Split(alpha, 0, 1, 1)
	teacher, student := view(s.teacher, 0, s.size), p.Resident("student", view(s.student, 0, s.size))
	p.Store("teacher+", g.Add(g.Mul(p.Resident("teacher", teacher), parts[0]), g.Mul(student, parts[1])), teacher)
	o.alpha = memory
}

// Updates are never cut short: the state must stay whole.

func (o *graphOptimizer) clear() error { return o.zero.Run(context.Background()) }

func (o *graphOptimizer) norm() (float64, error) {
	if err := o.sum.Run(context.Background()); err != nil {
		return 0, err
	}
	total := 0.0
	for _, part := range o.squares {
		total += float64(part[0])
	}
	return math.Sqrt(total), nil
}

func (o *graphOptimizer) step(u update) error {
	for i, part := range o.spans {
		k := o.scalars(part, u)
		copy(o.adam[i].scalars, []float32{k.Grad, k.Keep, k.Rate, k.RsqrtC})
		if err := o.adam[i].Run(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

func (o *graphOptimizer) follow(alpha float64) error {
	copy(o.alpha, []float32{float32(alpha), float32(1 - alpha)})
	return o.ema.Run(context.Background())
}

// Close frees the sessions.
func (o *graphOptimizer) Close() error {
	var errs []error
	for _, p := range []*program.Program{o.zero, o.sum, o.ema} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	for _, p := range o.adam {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
