package graphtest

import "t2sda/graphs"

// Peak returns the most bytes that intermediate values take at once when the nodes of those names
// run in that order, each value from its node to its last reader. Outputs, inputs and constants lie
// elsewhere, and a Reshape is the value that it reshapes, as in ONNX Runtime. Names that the graph
// does not have (of nodes that an optimiser made) are passed over, with what they read.
func Peak(g *graphs.Graph, order []string) int {
	nodes := map[string]*graphs.Node{}
	for _, n := range g.Nodes() {
		nodes[n.Name()] = n
	}
	last := map[*graphs.Value]int{} // reader of what takes memory
	for i, name := range order {
		if n := nodes[name]; n != nil {
			for _, v := range n.Inputs() {
				if v != nil {
					last[storage(v)] = i
				}
			}
		}
	}
	for _, o := range g.Outputs() {
		delete(last, storage(o.Value))
	}
	now, peak := 0, 0
	for i, name := range order {
		n := nodes[name]
		if n == nil {
			continue
		}
		for _, v := range n.Outputs() {
			if last[v] > i {
				now += bytes(v)
			}
		}
		peak = max(peak, now)
		for _, v := range n.Inputs() {
			if v == nil {
				continue
			}
			if s := storage(v); last[s] == i && s.Node() != nil {
				now -= bytes(s)
				delete(last, s) // it may be read twice
			}
		}
	}
	return peak
}

// storage is the value whose memory v has.
func storage(v *graphs.Value) *graphs.Value {
	for v.Node() != nil && v.Node().Op() == "Reshape" {
		v = v.Node().Inputs()[0]
	}
	return v
}

// bytes is what a value takes.
func bytes(v *graphs.Value) int {
	size := map[graphs.DType]int{graphs.Bool: 1, graphs.Uint8: 1, graphs.Int64: 8}[v.DType()]
	if size == 0 {
		size = 4
	}
	return size * v.Shape().Size()
}
