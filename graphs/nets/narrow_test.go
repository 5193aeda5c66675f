package nets

import (
	"slices"
	"testing"

	"t2sda/graphs"
)

// TestNarrowed: in every kind of network all products between activations are in the low precision,
// forward and backward, and each parameter is cast once at most, whatever kernels there are.
func TestNarrowed(t *testing.T) {
	always := func(string) bool { return true }
	for _, c := range []struct{ encoder, head string }{
		{"mit_nano", "segformer"}, {"mit_b0", "daformer"}, {"resnet50", "deeplabv2"}, {"mobilenet_v2", "lraspp"},
	} {
		for name, has := range map[string]func(op string) bool{
			"every kernel": always,
			"no Conv":      func(op string) bool { return op != "Conv" && op != "ConvTranspose" },
			"no movers":    func(op string) bool { products, _ := graphs.NarrowOperators(); return slices.Contains(products, op) },
		} {
			t.Run(c.encoder+"/"+c.head+"/"+name, func(t *testing.T) { checkNarrowed(t, c.encoder, c.head, has) })
		}
	}
}

func checkNarrowed(t *testing.T, encoder, head string, has func(op string) bool) {
	a := imageNet(Arch{Encoder: encoder, Head: head, Classes: 3, HeadWidth: 8, ProjectorWidth: 4, ProjectorInput: ProjectConcat})
	g, err := graphs.Build("narrowed", func(g *graphs.Graph) {
		n := New(g, a, Train, nil)
		levels := n.Encode(g.Input("image", graphs.Float32, 2, 3, 64, 64))
		logits, features := n.Segment(levels), n.Project(levels)
		loss := g.Add(g.ReduceSum(g.Mul(logits, logits), nil, false), g.ReduceSum(g.Exp(features), nil, false))
		for i, d := range graphs.Gradients(loss, g.Params()...) {
			g.Output("d/"+g.Params()[i].Name(), d)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	g.Narrow(graphs.BFloat16, has)
	products, _ := graphs.NarrowOperators()
	low, casts := 0, map[string]int{}
	for _, n := range g.Nodes() {
		out := n.Outputs()[0].DType()
		if slices.Contains(products, n.Op()) && out == graphs.BFloat16 {
			low++
		}
		if from := n.Inputs()[0]; n.Op() == "Cast" && out == graphs.BFloat16 {
			if from.IsParam() {
				casts[from.Name()]++
			}
			if from.Node() != nil && from.Node().Op() == "Cast" {
				t.Errorf("%s casts what was cast", n.Name())
			}
		}
	}
	for name, n := range casts {
		if n > 1 {
			t.Errorf("%s is cast %d times", name, n)
		}
	}
	if low < 50 || len(casts) < 20 {
		t.Errorf("%d products are low, of %d parameters", low, len(casts))
	}
}
