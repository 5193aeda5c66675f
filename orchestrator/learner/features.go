package learner

import (
	"context"
	"errors"
	"fmt"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/finite"
	"t2sda/losses"
)

// featureMap is a network's features that another stage reads, in memory of the state's
// kind: they stay on a device on which the state is.
type featureMap struct {
	losses.Grid
	engine.Arena
}

// keep makes each run of p write v [N,D,h,w] to memory that outlives the run.
func (s *state) keep(p *program.Program, v *graphs.Value) *featureMap {
	m := &featureMap{Grid: gridOf(v)}
	var err error
	if m.Arena, err = s.arena(v.Shape().Size()); err != nil {
		panic(&graphs.Error{Op: "features", Node: v.Name(), Message: err.Error()})
	}
	p.Store("features", v, m.tensor())
	return m
}

// tensor is all of the map, for sessions.
func (m *featureMap) tensor() *engine.Tensor { return view(m.Arena, 0, m.N, m.D, m.H, m.W) }

// Close frees the memory of a map, if there is one.
func (m *featureMap) Close() error {
	if m == nil {
		return nil
	}
	return m.Arena.Close()
}

// finite reports whether all features of a map, if there is one, are numbers.
func (m *featureMap) finite() (ok bool, err error) {
	if m == nil {
		return true, nil
	}
	ok = true
	err = inChunks(m.Arena, m.Len(), func(_ int, part []float32) error {
		ok = ok && finite.All(part)
		return nil
	})
	return ok, err
}

// away is a [losses.FeatureReader] of features that only sessions may touch: sums and
// rows of them are all that leaves their memory.
type away struct {
	sums, gather *program.Program

	labels    []uint8      // [N,h,w] of the keys
	sum       []float32    // [C,D]
	index     []int64      // [C·m]
	negatives engine.Arena // [C,m,D]; nil for the MSE loss
	shape     graphs.Shape // of negatives
}

// newAway opens the sessions that read the maps of keys, source and target, which may be
// nil and of which two may be one, for a plan's batches.
func newAway(e *engine.Engine, s *state, plan *losses.Pull, keys, source, target *featureMap) (_ *away, err error) {
	a := &away{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	o := plan.Options
	a.sums, err = program.New(e, "keys", nil, func(p *program.Program) { a.buildSums(p, keys, o.Classes) })
	if err != nil || o.Loss != losses.PullInfoNCE {
		return a, err
	}
	a.shape = graphs.Shape{o.Classes, o.Negatives, plan.Grid.D}
	if a.negatives, err = s.arena(a.shape.Size()); err != nil {
		return nil, fmt.Errorf("memory for negatives: %w", err)
	}
	maps := []*featureMap{source}
	if target != nil {
		maps = append(maps, target)
	}
	a.gather, err = program.New(e, "negatives", nil, func(p *program.Program) { a.buildGather(p, maps) })
	return a, err
}

// buildSums writes Σ of the features of each class.
func (a *away) buildSums(p *program.Program, keys *featureMap, classes int) {
	labels, memory := program.Labels(p, "labels", keys.N, keys.H, keys.W)
	sum := losses.ClassSums(p.Resident("keys", keys.tensor()), labels, classes)
	a.labels, a.sum = memory, program.Output[float32](p, "sums", sum)
}

// buildGather writes rows of the maps, position by position one behind the other.
func (a *away) buildGather(p *program.Program, maps []*featureMap) {
	g := p.Graph()
	var all []*graphs.Value
	for i, m := range maps {
		positions := g.Transpose(p.Resident(fmt.Sprint("features", i), m.tensor()), 0, 2, 3, 1)
		all = append(all, g.Reshape(positions, m.Positions(), m.D))
	}
	index, memory := program.Input[int64](p, "index", a.shape[0], a.shape[1])
	a.index = memory
	p.Store("negatives", g.Gather(g.Concat(0, all...), index, 0), view(a.negatives, 0, a.shape...))
}

// input declares the negatives, if there are any, as an input of another program.
func (a *away) input(p *program.Program) *graphs.Value {
	if a == nil || a.negatives == nil {
		return nil
	}
	return p.Resident("pull.negatives", view(a.negatives, 0, a.shape...))
}

// Sums implements [losses.FeatureReader].
func (a *away) Sums(ctx context.Context, dst []float64, labels []uint8) error {
	copy(a.labels, labels)
	if err := a.sums.Run(ctx); err != nil {
		return err
	}
	for i, v := range a.sum {
		dst[i] = float64(v)
	}
	return nil
}

// Fetch implements [losses.FeatureReader].
func (a *away) Fetch(ctx context.Context, index []int64) error {
	copy(a.index, index)
	return a.gather.Run(ctx)
}

// Close frees sessions and memory.
func (a *away) Close() error {
	var errs []error
	for _, p := range []*program.Program{a.sums, a.gather} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	if a.negatives != nil {
		errs = append(errs, a.negatives.Close())
	}
	return errors.Join(errs...)
}

// gridOf returns the grid of a map [N,D,H,W].
func gridOf(v *graphs.Value) losses.Grid {
	return losses.Grid{N: v.Dim(0), D: v.Dim(1), H: v.Dim(2), W: v.Dim(3)}
}

// featureGrid returns the grid of the projector's features of images.
func featureGrid(arch nets.Arch, size imageBatch) (grid losses.Grid, err error) {
	_, err = graphs.Build("features", func(g *graphs.Graph) {
		image := g.Input("image", graphs.Float32, size.N, 3, size.H, size.W)
		grid = gridOf(nets.New(g, arch, nets.Teacher, nil).Features(image))
	})
	return grid, err
}
