package nets

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// The scores and gradients of FADA's PixelDiscriminator, written down in PyTorch 2, float64,
// for weights and features of sines: 0.3 times those of waves' 0.08, and 1.
func TestPixelDiscriminatorEqualsPyTorch(t *testing.T) {
	scaled := func(n int, phase, to float64) []float32 {
		x := waves(n, phase)
		for i := range x {
			x[i] = float32(float64(x[i]) * to / 0.08)
		}
		return x
	}
	d := PixelDiscriminator{Channels: 5, Width: 8, Classes: 3}
	in := map[string]*engine.Tensor{
		"x":  enginetest.Tensor(t, scaled(2*5*3*4, 9, 1), 2, 5, 3, 4),
		"dy": enginetest.Tensor(t, scaled(2*6*3*4, 4, 1), 2, 6, 3, 4),
	}
	g, err := graphs.Build("discriminator", func(g *graphs.Graph) {
		x := g.Param("x", 2, 5, 3, 4)
		params := []*graphs.Value{x}
		scores := d.Apply(x, func(p ParamSpec) *graphs.Value {
			in[p.Name] = enginetest.Tensor(t, scaled(p.Shape.Size(), float64(len(params)-1), 0.3), p.Shape...)
			v := g.Param(p.Name, p.Shape...)
			params = append(params, v)
			return v
		})
		g.Output("scores", scores)
		loss := g.ReduceSum(g.Mul(scores, g.Input("dy", graphs.Float32, 2, 6, 3, 4)), nil, false)
		for i, dv := range graphs.Gradients(loss, x, params[1], params[len(params)-1]) {
			g.Output([]string{"dx", "dw", "db"}[i], dv)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := enginetest.Session(t, enginetest.Open(t, engine.Options{IntraOpThreads: 1}), g).Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	pick := func(name string, at ...int) (x []float32) {
		for _, i := range at {
			x = append(x, out[name].Floats()[i])
		}
		return x
	}
	have := slices.Concat(pick("scores", 0, 50, 100, 143), pick("dw", 0, 100, 359), pick("dx", 5, 77), pick("db", 2))
	want := []float64{
		-0.059542383888708694, -0.08543634797506698, 0.14973599760582637, 0.778844085864449,
		1.8808833884438083, -2.581489895902483, -1.6807235823031965, -0.8679855376840646, -0.3808702472110517, -4.13723705088759,
	}
	for i, w := range want {
		if !(math.Abs(float64(have[i])-w) <= enginetest.Tolerance(2e-5)*max(1, math.Abs(w))) {
			t.Errorf("value %d is %.9g, %.9g in PyTorch", i, have[i], w)
		}
	}
}

func TestPixelDiscriminatorRefusesOtherMaps(t *testing.T) {
	_, err := graphs.Build("other", func(g *graphs.Graph) {
		PixelDiscriminator{Channels: 3, Width: 4, Classes: 2}.Apply(g.Param("x", 1, 2, 4, 4), func(p ParamSpec) *graphs.Value { return g.Param(p.Name, p.Shape...) })
	})
	if err == nil || !strings.Contains(err.Error(), "want features [N,3,h,w]") {
		t.Errorf("error %v", err)
	}
}
