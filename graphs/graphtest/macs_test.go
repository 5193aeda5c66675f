package graphtest

import (
	"testing"

	"t2sda/graphs"
)

// By hand; the MatMul that no output needs counts as nothing.
func TestMACs(t *testing.T) {
	g, err := graphs.Build("macs", func(g *graphs.Graph) {
		x := g.Input("x", graphs.Float32, 2, 4, 6, 5)
		conv := g.Conv(x, g.Param("w", 8, 2, 3, 3), nil, graphs.ConvAttrs{Group: 2, Pads: [4]int{1, 1, 1, 1}})
		g.Output("conv", conv)                                                                                               // 2·8·6·5 outputs · 2·9
		g.Output("up", g.ConvTranspose(x, g.Param("u", 4, 3, 2, 2), nil, graphs.ConvAttrs{Strides: [2]int{2, 2}}, [2]int{})) // 2·4·6·5 inputs · 3·4
		g.Output("product", g.MatMul(x, g.Param("p", 5, 7)))                                                                 // 2·4·6·7 · 5
		g.Output("turned", g.FusedMatMul(x, g.Input("y", graphs.Float32, 2, 4, 6, 9), true, false, 1))                       // 2·4·5·9 · 6
		g.Output("gemm", g.Gemm(g.Input("a", graphs.Float32, 3, 11), g.Input("b", graphs.Float32, 3, 13), nil, true, false)) // 11·13 · 3
		g.MatMul(x, g.Param("unused", 5, 100))
	})
	if err != nil {
		t.Fatal(err)
	}
	want := 2*8*6*5*2*9 + 2*4*6*5*3*4 + 2*4*6*7*5 + 2*4*5*9*6 + 11*13*3
	if got := MACs(g); got != want {
		t.Errorf("%d, want %d", got, want)
	}
}
