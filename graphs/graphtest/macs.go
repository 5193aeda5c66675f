package graphtest

import "t2sda/graphs"

// MACs counts the multiplications of the graph's matrix products and convolutions, those that its
// outputs need: the work that benchmarks divide by time. Each is a multiplication and an addition,
// two FLOP; all other operators count as nothing.
func MACs(g *graphs.Graph) int {
	needed := map[*graphs.Value]bool{}
	for _, o := range g.Outputs() {
		needed[o.Value] = true
	}
	sum := 0
	nodes := g.Nodes()
	for i := len(nodes) - 1; i >= 0; i-- {
		for _, v := range nodes[i].Outputs() {
			if needed[v] {
				mark(needed, nodes[i].Inputs())
				sum += nodeMACs(nodes[i])
				break
			}
		}
	}
	return sum
}

func nodeMACs(n *graphs.Node) int {
	in, out := n.Inputs(), n.Outputs()[0].Shape()
	switch n.Op() {
	case "MatMul":
		return out.Size() * in[0].Dim(-1)
	case "Gemm", "FusedMatMul":
		if n.Int("transA") != 0 {
			return out.Size() * in[0].Dim(-2)
		}
		return out.Size() * in[0].Dim(-1)
	case "Conv": // weights [M,C/group,kH,kW]
		return out.Size() * in[1].Shape().Size() / in[1].Dim(0)
	case "ConvTranspose": // weights [C,M/group,kH,kW]
		return in[0].Shape().Size() * in[1].Shape().Size() / in[1].Dim(0)
	}
	return 0
}
