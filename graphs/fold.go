package graphs

import "fmt"

// Fold computes the float32 values that depend on constants only and puts constants in their
// places. run gets a model without inputs and returns its outputs by name; it fails where run does.
func (g *Graph) Fold(run func(model []byte) (map[string][]float32, error)) error {
	known := g.constant()
	wanted := g.edge(known)
	if len(wanted) == 0 {
		return nil
	}
	part := &Graph{name: g.name + ".constants", consts: g.consts}
	for _, n := range g.nodes {
		if known[n.outputs[0]] {
			part.nodes = append(part.nodes, n)
		}
	}
	for _, v := range wanted {
		part.outputs = append(part.outputs, Output{v.name, v})
	}
	model, err := part.Marshal()
	if err != nil {
		return err
	}
	results, err := run(model)
	if err != nil {
		return fmt.Errorf("folding constants of %q: %w", g.name, err)
	}
	for _, v := range wanted {
		data := results[v.name]
		if len(data) != v.shape.Size() {
			return fmt.Errorf("folding constants of %q: %s has %d elements, want %s", g.name, v.name, len(data), v.shape)
		}
		v.node, v.data = nil, &constant{floats: data}
		g.consts = append(g.consts, v)
	}
	return nil
}

// constant returns the values that depend on constants only, those of nodes too.
func (g *Graph) constant() map[*Value]bool {
	known := map[*Value]bool{}
	for _, c := range g.consts {
		known[c] = true
	}
	for _, n := range g.nodes {
		all := true
		for _, v := range n.inputs {
			all = all && (v == nil || known[v])
		}
		for _, v := range n.outputs {
			if all {
				known[v] = true
			}
		}
	}
	return known
}

// edge returns the known float32 values of nodes that nodes of unknown values read.
func (g *Graph) edge(known map[*Value]bool) (wanted []*Value) {
	live, taken := g.live(), map[*Value]bool{}
	take := func(v *Value) {
		if v != nil && v.node != nil && v.dtype == Float32 && known[v] && !taken[v] {
			taken[v] = true
			wanted = append(wanted, v)
		}
	}
	for _, n := range g.nodes {
		if n.isLive(live) && !known[n.outputs[0]] {
			for _, v := range n.inputs {
				take(v)
			}
		}
	}
	return wanted
}
