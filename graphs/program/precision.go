package program

import (
	"fmt"
	"slices"

	"t2sda/graphs"
	"t2sda/graphs/engine"
)

// Precision is that in which programs compute products on an engine. The zero value is
// float32; see [graphs.Graph.Narrow] for what another one means.
type Precision struct {
	dtype   graphs.DType // 0: float32
	missing []string     // operators without a kernel in dtype, sorted
	// rounded: the device has no product in dtype at all. They are rounded to it and
	// computed in float32, so that what is learned is what a device that has them would
	// learn, and a configuration means the same everywhere but in speed.
	rounded bool
}

// NewPrecision asks the runtime which operators e's device has in dt, Float16 or BFloat16.
func NewPrecision(e *engine.Engine, dt graphs.DType) (Precision, error) {
	p := Precision{dtype: dt}
	products, movers := graphs.NarrowOperators()
	for _, op := range slices.Concat(products, movers) {
		g, err := graphs.Sample(op, dt)
		if err != nil {
			return Precision{}, err
		}
		model, err := g.Marshal()
		if err != nil {
			return Precision{}, err
		}
		runs, _, err := e.Runs(op, dt.String(), model)
		if err != nil {
			return Precision{}, fmt.Errorf("precision: %w", err)
		}
		if !runs {
			p.missing = append(p.missing, op)
		}
	}
	slices.Sort(p.missing)
	p.rounded = !slices.ContainsFunc(products, p.has)
	return p, nil
}

// Rounded reports whether the device has no products in the precision, which are then
// rounded to it and computed in float32.
func (p Precision) Rounded() bool { return p.rounded }

// Missing lists the operators that have no kernel in the precision and stay float32.
func (p Precision) Missing() []string { return slices.Clone(p.missing) }

func (p Precision) has(op string) bool { return !slices.Contains(p.missing, op) }

// apply narrows a graph that is complete.
func (p Precision) apply(g *graphs.Graph) {
	switch {
	case p.dtype == 0:
	case p.rounded:
		g.Round(p.dtype)
	default:
		g.Narrow(p.dtype, p.has)
	}
}
